"""Reads goals out of the program's requests: inheritance from the parent, providers, transforms, dependencies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dataops.infra.engine.callbacks import Callbacks
from dataops.infra.engine.default_providers import DefaultProviders
from dataops.infra.engine.goal import Alias, Goal, ReadGoal, seconds
from dataops.infra.engine.output_values import downgraded, output_dependencies, with_dependencies
from dataops.infra.engine.property_path import parse_path, path_text
from dataops.infra.engine.transforms import Call, Transforms
from dataops.infra.errors import ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.asset_hash import with_hashes
from dataops.infra.providers.protocol import load
from dataops.infra.resources.state import CustomTimeouts
from dataops.infra.resources.urn import PROVIDER_TYPE_PREFIX, is_provider, type_of
from dataops.infra.resources.values import Archive, Asset, Output, Properties, Value, contains

_HOOKS = {
    "before_create": "BeforeCreate",
    "after_create": "AfterCreate",
    "before_update": "BeforeUpdate",
    "after_update": "AfterUpdate",
    "before_delete": "BeforeDelete",
    "after_delete": "AfterDelete",
    "on_error": "OnError",
}
"""The moments of hooks: their fields in a request, their names in the state."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a request for a resource comes to.

    Args:
        goal: what is asked for; the properties of a remote component may hold `Output` values.
        transforms: its own, for its children.
        options: the message with its options, as the transforms have left them.
    """

    goal: Goal
    transforms: list[Call]
    options: Any


class Registrations:
    """What has been registered so far, as far as later requests depend on it."""

    def __init__(self, transforms: Transforms, callbacks: Callbacks, defaults: DefaultProviders, root: Path) -> None:
        self._transforms = transforms
        self._callbacks = callbacks
        self._defaults = defaults
        self.root = root
        self._lock = threading.Lock()
        self._goals: dict[str, Goal] = {}
        self._providers: dict[str, dict[str, str]] = {}
        self._awaited: dict[tuple[str, str, str], list[Call]] = {}
        self.packages: dict[str, tuple[str, str, str]] = {}

    def read(self, request: Any, before_transforms: Callable[[], None]) -> Registration:
        """What a `RegisterResourceRequest` comes to.

        Args:
            before_transforms: called before any transforms are, which may register resources themselves.
        """
        properties = wire.from_struct(request.object)
        above = self._goals.get(request.parent)
        options = self._options(request, above)
        own = self._own_transforms(request)
        calls = self._transforms.for_resource(own, self._ancestors(request.parent))
        if calls:
            before_transforms()
            if request.transforms:
                properties = with_dependencies(properties, request)
            properties, options = self._transforms.apply(calls, request, properties, options)
        # Only transforms of its own can change what a resource depends on: so does Pulumi.
        changed = bool(request.transforms)
        dependencies = list(dict.fromkeys(options.depends_on if changed else request.dependencies))
        by_property = self._by_property(request, properties, changed)
        if changed:
            dependencies = list(dict.fromkeys([*dependencies, *(u for urns in by_property.values() for u in urns)]))
        if contains(properties, lambda value: isinstance(value, (Output, Asset, Archive))):
            if not request.remote:
                properties = {key: downgraded(value) for key, value in properties.items()}
            properties = with_hashes(properties, self.root)
        if is_provider(request.type):
            properties = self._plugin_inputs(request, options, properties)
        elif getattr(request, "envVarMappings", None):
            raise ResourceError("only providers have mappings of environment variables", where=request.name)
        provider = self._provider_for(request, options)
        goal = Goal(
            request.type,
            request.name,
            request.custom,
            properties,
            request.parent,
            options.protect if options.HasField("protect") else None,
            dependencies,
            provider,
            by_property,
            options.delete_before_replace if options.HasField("delete_before_replace") else None,
            list(options.ignore_changes),
            list(options.additional_secret_outputs),
            tuple(_alias(alias) for alias in options.aliases),
            getattr(options, "import"),
            _timeouts(options.custom_timeouts),
            list(options.replace_on_changes),
            options.retain_on_delete if options.HasField("retain_on_delete") else None,
            options.deleted_with,
            list(options.replace_with),
            self._trigger(options) if options.HasField("replacement_trigger") else None,
            _hooks(options.hooks) if options.HasField("hooks") else {},
            _position(request, self.root),
            [_normal_path(text, request.name) for text in options.hide_diff],
        )
        return Registration(goal, own, options)

    def read_goal(self, request: Any) -> ReadGoal:
        """The goal of a `ReadResourceRequest`."""
        provider = request.provider or self._default(
            request.type, request.version, request.pluginDownloadURL, request.packageRef, request.name
        )
        return ReadGoal(
            request.type,
            request.name,
            wire.from_value(wire.to_value(request.id)),
            wire.from_struct(request.properties),
            request.parent,
            list(request.dependencies),
            provider,
            list(request.additionalSecretOutputs),
            _position(request, self.root),
        )

    def keep(self, urn: str, registration: Registration) -> None:
        """Remembers a registered resource for the sake of its children."""
        goal, providers = registration.goal, dict(registration.options.providers)
        with self._lock:
            self._goals[urn] = goal
            if not goal.custom:
                self._providers[urn] = {**self._providers.get(goal.parent, {}), **providers}
        self._transforms.keep(urn, registration.transforms)

    def provider_of_method(self, token: str, request: Any, receiver: str) -> str:
        """The reference of the provider that has a method of the resource `receiver`."""
        goal = self._goals.get(receiver)
        given = request.provider or (goal.provider if goal else "")
        return given or self._default(token, request.version, request.pluginDownloadURL, request.packageRef)

    def provider_of_function(self, token: str, options: Any, package_ref: str) -> str:
        """The reference of the provider that has a function."""
        return options.provider or self._default(token, options.version, options.plugin_download_url, package_ref)

    def _own_transforms(self, request: Any) -> list[Call]:
        """The transforms of a resource itself; a remote component has those of the request that had it constructed."""
        key = (request.parent, request.type, request.name)
        with self._lock:
            awaited = self._awaited.pop(key, None)
            if awaited is not None:
                return awaited
            own = [self._callbacks.caller(callback) for callback in request.transforms]
            if request.remote and own:
                self._awaited[key] = own
            return own

    def _options(self, request: Any, above: Goal | None) -> Any:
        options = load("resource_pb2").TransformResourceOptions(
            depends_on=request.dependencies,
            ignore_changes=request.ignoreChanges,
            replace_on_changes=request.replaceOnChanges,
            version=request.version,
            aliases=request.aliases,
            provider=self._inherited_provider(request, above),
            plugin_download_url=request.pluginDownloadURL,
            deleted_with=request.deletedWith or (above.deleted_with if above else ""),
            additional_secret_outputs=request.additionalSecretOutputs,
            providers=request.providers,
            replace_with=request.replace_with,
            hide_diff=request.hideDiffs,
        )
        for urn in request.aliasURNs:
            options.aliases.add(urn=urn)
        setattr(options, "import", request.importId)
        if request.HasField("customTimeouts"):
            options.custom_timeouts.CopyFrom(request.customTimeouts)
        if request.HasField("hooks"):
            options.hooks.CopyFrom(request.hooks)
        if request.HasField("replacement_trigger"):
            options.replacement_trigger.CopyFrom(request.replacement_trigger)
        if request.deleteBeforeReplaceDefined or request.deleteBeforeReplace:
            options.delete_before_replace = request.deleteBeforeReplace
        protect = request.protect if request.HasField("protect") else above.protect if above else None
        if protect is not None:
            options.protect = protect
        retain = request.retainOnDelete if request.HasField("retainOnDelete") else None
        if retain is None and above:
            retain = above.retain_on_delete
        if retain is not None:
            options.retain_on_delete = retain
        return options

    def _ancestors(self, parent: str) -> list[str]:
        found = []
        while parent:
            found.append(parent)
            goal = self._goals.get(parent)
            parent = goal.parent if goal else ""
        return found

    def _by_property(self, request: Any, properties: Properties, from_outputs: bool) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        if not from_outputs:
            if request.propertyDependencies:
                found = {key: list(deps.urns) for key, deps in request.propertyDependencies.items()}
            elif not request.remote:
                found = {key: list(request.dependencies) for key in properties}
        for key, value in properties.items():
            urns = found.setdefault(key, [])
            for urn in output_dependencies(value):
                if urn not in urns:
                    urns.append(urn)
        return found

    def _provider_for(self, request: Any, options: Any) -> str:
        if not (request.custom or request.remote) or is_provider(request.type):
            return ""
        default = self._default
        return str(options.provider) or default(
            request.type, options.version, options.plugin_download_url, request.packageRef, request.name
        )

    def _trigger(self, options: Any) -> Value:
        return with_hashes(downgraded(wire.from_value(options.replacement_trigger)), self.root)

    def _inherited_provider(self, request: Any, above: Goal | None) -> str:
        """The provider that a resource is given, or has from its parent, when that is of its package."""
        if request.provider or not (request.custom or request.remote):
            return str(request.provider)
        package = request.type.partition(":")[0]
        if above and above.provider and type_of(above.provider.rpartition("::")[0]).rpartition(":")[2] == package:
            return above.provider
        inherited = self._providers.get(request.parent, {})
        return str(request.providers.get(package) or inherited.get(package, ""))

    def _default(self, token: str, version: str, url: str, package_ref: str, name: str = "") -> str:
        """The reference of a default provider, needed for the resource of that name, or for the function `token`."""
        package, version, url = (
            self._package(package_ref, token) if package_ref else (token.partition(":")[0], version, url)
        )
        return self._defaults.reference(package, version, url, needed_by=name or token)

    def _package(self, reference: str, token: str) -> tuple[str, str, str]:
        if reference not in self.packages:
            raise ResourceError(f"unknown provider package {reference!r}", where=token)
        return self.packages[reference]

    def _plugin_inputs(self, request: Any, options: Any, properties: Properties) -> Properties:
        """The inputs of a provider, with what decides on its plugin."""
        version, url = options.version, options.plugin_download_url
        if request.packageRef:
            _, its_version, its_url = self._package(request.packageRef, request.type)
            version, url = its_version or version, its_url or url
        if not version and not url:
            version, url = self._defaults.plugin(request.type.removeprefix(PROVIDER_TYPE_PREFIX))
        internal: Properties = {"pluginDownloadURL": url} if url else {}
        if mappings := dict(getattr(request, "envVarMappings", {})):
            internal["envVarMappings"] = mappings
        found = {**properties, "version": version} if version else properties
        return {**found, "__internal": internal} if internal else found


def _alias(message: Any) -> Alias:
    if message.WhichOneof("alias") == "urn":
        return Alias(urn=message.urn)
    spec = message.spec
    return Alias("", spec.name, spec.type, spec.stack, spec.project, spec.parentUrn, spec.noParent)


def _timeouts(message: Any) -> CustomTimeouts:
    return CustomTimeouts(
        seconds(message.create), seconds(message.update), seconds(message.delete), seconds(getattr(message, "read", ""))
    )


def _normal_path(text: str, name: str) -> str:
    path = parse_path(text)
    if path is None:
        raise ResourceError(f"hide_diffs: {text!r} is not a property path", where=name)
    return path_text(path)


def _hooks(message: Any) -> dict[str, list[str]]:
    named = {moment: list(getattr(message, field)) for field, moment in _HOOKS.items()}
    return {moment: names for moment, names in named.items() if names}


def _position(request: Any, root: Path) -> str:
    if not request.HasField("sourcePosition"):
        return ""
    position = request.sourcePosition
    shown = _within(position.uri.removeprefix("file://"), root)
    return shown and f"{shown}#{position.line}" + (f",{position.column}" if position.column else "")


@cache
def _within(path: str, root: Path) -> str:
    """The URI of a file of the project; "" when it lies outside."""
    try:
        return "project:///" + Path(path).relative_to(root).as_posix()
    except ValueError:
        return ""
