"""Reads goals out of the program's requests: inheritance from the parent, providers, transforms, dependencies."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dataops.infra.engine.callbacks import Callbacks
from dataops.infra.engine.default_providers import DefaultProviders
from dataops.infra.engine.goal import Alias, Goal, ReadGoal, seconds
from dataops.infra.engine.transforms import Call, Transforms
from dataops.infra.errors import ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.asset_hash import with_hashes
from dataops.infra.providers.protocol import load
from dataops.infra.resources.state import CustomTimeouts
from dataops.infra.resources.urn import is_provider, type_of
from dataops.infra.resources.values import Archive, Asset, Output, Properties, Secret, Value, contains

_HOOKS = ("before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete", "on_error")


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
        self.packages: dict[str, tuple[str, str]] = {}

    def read(self, request: Any) -> Registration:
        """What a `RegisterResourceRequest` comes to."""
        properties = wire.from_struct(request.object)
        above = self._goals.get(request.parent)
        options = self._options(request, above)
        own = self._own_transforms(request)
        calls = self._transforms.for_resource(own, self._ancestors(request.parent))
        if calls:
            if own:
                properties = _with_dependencies(properties, request)
            properties, options = self._transforms.apply(calls, request, properties, options)
        dependencies, by_property = list(options.depends_on), self._by_property(request, properties, bool(own))
        if own:
            dependencies = list(dict.fromkeys([*dependencies, *(u for urns in by_property.values() for u in urns)]))
        if contains(properties, lambda value: isinstance(value, (Output, Asset, Archive))):
            if not request.remote:
                properties = {key: downgraded(value) for key, value in properties.items()}
            properties = with_hashes(properties, self.root)
        if is_provider(request.type) and options.version:
            properties["version"] = options.version
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
            wire.from_value(options.replacement_trigger) if options.HasField("replacement_trigger") else None,
            _hooks(options.hooks) if options.HasField("hooks") else {},
            _position(request, self.root),
            list(options.hide_diff),
        )
        return Registration(goal, own, options)

    def read_goal(self, request: Any) -> ReadGoal:
        """The goal of a `ReadResourceRequest`."""
        provider = request.provider or self._default(request.type, request.version, request.packageRef)
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

    def provider_of_method(self, token: str, provider: str, version: str, package_ref: str, receiver: str) -> str:
        """The reference of the provider that has a method of the resource `receiver`."""
        goal = self._goals.get(receiver)
        return provider or (goal.provider if goal else "") or self._default(token, version, package_ref)

    def provider_of_function(self, token: str, provider: str, version: str, package_ref: str) -> str:
        """The reference of the provider that has a function."""
        return provider or self._default(token, version, package_ref)

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
            provider=request.provider,
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
        package = request.type.partition(":")[0]
        if options.provider:
            return str(options.provider)
        if package in request.providers:
            return str(request.providers[package])
        for urn in self._ancestors(request.parent):
            if found := self._providers.get(urn, {}).get(package):
                return found
        above = self._goals.get(request.parent)
        if above and above.provider and type_of(above.provider.rpartition("::")[0]).rpartition(":")[2] == package:
            return above.provider
        return self._default(request.type, options.version, request.packageRef)

    def _default(self, token: str, version: str, package_ref: str) -> str:
        if package_ref:
            if package_ref not in self.packages:
                raise ResourceError(f"unknown provider package {package_ref!r}", where=token)
            package, version = self.packages[package_ref]
        else:
            package = token.partition(":")[0]
        return self._defaults.reference(package, version)


def _with_dependencies(properties: Properties, request: Any) -> Properties:
    """Properties whose values carry what they depend on, so that transforms can pass it on."""
    changed = dict(properties)
    for key, deps in request.propertyDependencies.items():
        if deps.urns and key in changed and not isinstance(changed[key], Output):
            value = changed[key]
            secret = isinstance(value, Secret)
            changed[key] = Output(value.value if secret else value, secret, tuple(deps.urns))
    return changed


def downgraded(value: Value) -> Value:
    """A value without output values: what they hold, marked secret where it is."""
    if isinstance(value, Output):
        inner = downgraded(value.value)
        return Secret(inner) if value.secret else inner
    if isinstance(value, dict):
        return {key: downgraded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [downgraded(item) for item in value]
    if isinstance(value, Secret):
        return Secret(downgraded(value.value))
    return value


def output_dependencies(value: Value) -> list[str]:
    """The URNs that the output values within a value depend on."""
    if isinstance(value, Output):
        return [*value.dependencies, *output_dependencies(value.value)]
    if isinstance(value, dict):
        return [urn for item in value.values() for urn in output_dependencies(item)]
    if isinstance(value, list):
        return [urn for item in value for urn in output_dependencies(item)]
    return []


def _alias(message: Any) -> Alias:
    if message.WhichOneof("alias") == "urn":
        return Alias(urn=message.urn)
    spec = message.spec
    return Alias("", spec.name, spec.type, spec.stack, spec.project, spec.parentUrn, spec.noParent)


def _timeouts(message: Any) -> CustomTimeouts:
    return CustomTimeouts(seconds(message.create), seconds(message.update), seconds(message.delete))


def _hooks(message: Any) -> dict[str, list[str]]:
    named = {"".join(w.capitalize() for w in field.split("_")): list(getattr(message, field)) for field in _HOOKS}
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
