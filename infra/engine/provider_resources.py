"""Providers as resources: each configured provider is recorded as a resource of type `pulumi:providers:<package>`."""

from __future__ import annotations

import dataclasses
import os
import threading
import uuid
from collections.abc import Callable, Mapping

from dataops.infra.engine import diffing
from dataops.infra.engine.deployment import Deployment
from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import (
    Changes,
    CheckResult,
    CreateResult,
    DiffResult,
    InvokeResult,
    Provider,
    ReadResult,
    UpdateResult,
)
from dataops.infra.providers.registry import ProviderContext
from dataops.infra.resources.references import provider_id, provider_urn
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import PROVIDER_TYPE_PREFIX, is_provider, name_of, type_of
from dataops.infra.resources.values import UNKNOWN_STRING, Properties

Provide = Callable[[ProviderContext], Provider]


class ProviderResources:
    """The providers of a deployment, by reference `<urn>::<id>`.

    Args:
        provide: makes an unconfigured provider; see `ProviderRegistry.provide`.
        context: what every provider is told; package and version are filled in.
    """

    def __init__(self, deployment: Deployment, provide: Provide, context: ProviderContext) -> None:
        self._deployment = deployment
        self._provide = provide
        self._context = context
        self._lock = threading.RLock()
        self._ready: dict[str, Provider] = {}
        self._unconfigured: dict[str, Provider] = {}
        self._all: list[Provider] = []
        self._states: dict[str, ResourceState] = {}
        self._registered_as: dict[str, str] = {}
        self.needed_by: dict[str, str] = {}
        """What the provider of each type was first needed for; see `DefaultProviders`."""
        self._as_resource = _ProviderOfProviders(self)

    def remember(self, new: ResourceState, alias: str | None) -> None:
        """Notes a provider that the program has registered, under its alias too."""
        self._states[new.urn] = new
        if alias:
            self._states[alias] = new
            self._registered_as[new.urn] = alias

    def for_resource(self, custom: bool, type_: str, reference: str, urn: str) -> Provider | None:
        """The provider that manages a resource; None for components.

        Raises:
            ResourceError: the reference names no provider of this stack.
        """
        if not custom:
            return None
        if is_provider(type_):
            return self._as_resource
        return self.get(reference) or self.ensure(reference, urn)

    def get(self, reference: str) -> Provider | None:
        """A provider that is ready."""
        return self._ready.get(reference)

    def ensure(self, reference: str, urn: str) -> Provider | None:
        """Makes the recorded provider that a recorded resource needs ready; None when it needs none."""
        if not reference:
            return None
        with self._lock:
            if found := self._ready.get(reference):
                return found
            state = self._recorded(reference)
            if state is None:
                raise ResourceError(f"its provider {reference} is not known to the stack", where=name_of(urn))
            provider = self.load(state.type, state.inputs, urn)
            provider.configure(_configuration(state.inputs))
            self._ready[reference] = provider
            return provider

    def changed(self, old: ResourceState, new: ResourceState, aliased: Mapping[str, str]) -> bool:
        """Whether a resource has another provider than before, so different that the resource must be replaced."""
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        old_urn, new_urn = provider_urn(old.provider), provider_urn(new.provider)
        if aliased.get(old_urn) == new_urn:
            return False
        provider, before, after = self.get(new.provider), self._recorded(old.provider), self._states.get(new_urn)
        if provider is None or before is None or after is None:
            return False
        return diffing.replaces(
            provider.diff_config(new_urn, _configuration(before.inputs), _configuration(after.inputs))
        )

    def keep(self, state: ResourceState) -> None:
        """Makes an unchanged provider ready."""
        with self._lock:
            if f"{state.urn}::{state.id}" not in self._ready:
                provider = self._unconfigured.pop(state.urn, None) or self.load(state.type, state.inputs, state.urn)
                self.configure(state.urn, state.id, state.inputs, provider)

    def load(self, type_: str, inputs: Properties, urn: str) -> Provider:
        """A new, unconfigured provider of a provider type."""
        version, internal = inputs.get("version"), inputs.get("__internal")
        told = internal if isinstance(internal, dict) else {}
        url, mappings = told.get("pluginDownloadURL"), told.get("envVarMappings")
        variables = {**os.environ, **self._context.environment}
        renamed = {
            target: variables[source]
            for source, target in (mappings.items() if isinstance(mappings, dict) else ())
            if source in variables
        }
        context = dataclasses.replace(
            self._context,
            package=type_.removeprefix(PROVIDER_TYPE_PREFIX),
            version=version if isinstance(version, str) else "",
            environment={**self._context.environment, **renamed},
            download_url=url if isinstance(url, str) else "",
        )
        try:
            provider = self._provide(context)
        except ResourceError as error:
            error.where = error.where or name_of(urn)
            if needed_by := self.needed_by.get(type_):
                error.what += f", which {needed_by} needs"
            raise
        self._all.append(provider)
        return provider

    def configure(self, urn: str, id_: str, inputs: Properties, provider: Provider | None = None) -> None:
        """Configures a provider that was checked before and makes it the one to use."""
        with self._lock:
            chosen = provider or self._unconfigured.pop(urn, None) or self.load(type_of(urn), inputs, urn)
            chosen.configure(_configuration(inputs))
            self._ready[f"{urn}::{id_}"] = chosen
            if alias := self._registered_as.get(urn):
                self._ready[f"{alias}::{id_}"] = chosen

    def hold(self, urn: str, provider: Provider) -> None:
        """Keeps a checked provider until it is configured."""
        with self._lock:
            self._unconfigured[urn] = provider

    def held(self, urn: str, id_: str) -> Provider | None:
        """A provider that was checked, or else the one in use."""
        return self._unconfigured.get(urn) or self._ready.get(f"{urn}::{id_}")

    def cancel(self) -> None:
        """Asks every provider to end its operations soon."""
        for provider in list(self._all):
            provider.cancel()

    def close(self) -> None:
        """Ends every provider."""
        while self._all:
            self._all.pop().close()

    def _recorded(self, reference: str) -> ResourceState | None:
        urn, id_ = provider_urn(reference), provider_id(reference)
        for state in self._deployment.resources:
            if state.urn == urn and state.id == id_:
                return state
        return None


class _ProviderOfProviders:
    """The `Provider` whose resources are providers."""

    def __init__(self, resources: ProviderResources) -> None:
        self._resources = resources

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        return CheckResult(new)

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        return DiffResult(Changes.NONE)

    def configure(self, config: Properties) -> None:
        pass

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        provider = self._resources.load(type_of(urn), new_inputs, urn)
        result = provider.check_config(urn, _configuration(old_inputs or {}), _configuration(new_inputs))
        if not result.failures:
            self._resources.hold(urn, provider)
        kept: Properties = {key: new_inputs[key] for key in ("version", "__internal") if key in new_inputs}
        return CheckResult({**result.inputs, **kept}, result.failures)

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> DiffResult:
        provider = self._resources.held(urn, id_)
        assert provider is not None
        diff = provider.diff_config(urn, _configuration(old_inputs), _configuration(new_inputs))
        if diff.changes is not Changes.UNKNOWN:
            return diff
        same = diffing.equal(old_outputs, _configuration(new_inputs))
        return dataclasses.replace(diff, changes=Changes.NONE if same else Changes.SOME)

    def create(self, urn: str, inputs: Properties, timeout: float, preview: bool) -> CreateResult:
        id_ = UNKNOWN_STRING if preview else str(uuid.uuid4())
        self._resources.configure(urn, id_, inputs)
        return CreateResult(id_, _configuration(inputs))

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float = 0) -> ReadResult:
        return ReadResult(id_, outputs, inputs)

    def update(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout: float,
        ignore_changes: list[str],
        preview: bool,
    ) -> UpdateResult:
        self._resources.configure(urn, id_, new_inputs)
        return UpdateResult(_configuration(new_inputs))

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        pass

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        raise ResourceError(f"there is no function {token}")

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


def _configuration(inputs: Properties) -> Properties:
    """A provider's own configuration: without what is meant for the engine."""
    return {key: value for key, value in inputs.items() if key != "__internal"}
