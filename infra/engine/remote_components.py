"""Components and methods that a provider plugin has: `Construct` and `Call`.

The plugin registers what a component is made of with the monitor, like a program; here it is only asked to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataops.infra.engine.deployment import Deployment
from dataops.infra.engine.output_values import downgraded, output_dependencies
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.registration import Registration, Registrations
from dataops.infra.errors import ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_components import ComponentContext
from dataops.infra.providers.protocol import load
from dataops.infra.resources.values import Output, Properties, ResourceReference, Secret, Value

_TIMEOUTS = ("create", "update", "delete", "read")
_HOOKS = ("before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete", "on_error")


class RemoteComponents:
    """Asks plugins for components.

    Attributes:
        monitor: the address of the monitor; set once it is known.
    """

    monitor: str = ""

    def __init__(
        self,
        deployment: Deployment,
        providers: ProviderResources,
        registrations: Registrations,
        config: Mapping[str, str | Secret],
    ) -> None:
        self._deployment = deployment
        self._providers = providers
        self._registrations = registrations
        self._config = config

    def construct(self, request: Any, registration: Registration) -> Any:
        """Has a component made; returns the answer to the registration. `ResourceError` when that is not possible."""
        goal, options = registration.goal, registration.options
        made = self._plugin(goal.provider, goal.type).construct(
            self._context(),
            goal.type,
            goal.name,
            goal.parent,
            goal.properties,
            goal.property_dependencies,
            _construct_options(options, goal.dependencies),
        )
        answer = load("resource_pb2").RegisterResourceResponse(urn=made.urn)
        outputs = {key: downgraded(value) for key, value in made.outputs.items()}
        wire.to_struct(outputs, secrets=request.acceptSecrets, references=request.acceptResources, into=answer.object)
        for key, urns in _all_dependencies(made.outputs, made.dependencies).items():
            answer.propertyDependencies[key].urns.extend(urns)
        return answer

    def call(self, request: Any) -> Any:
        """Calls a method; returns the answer to the call. `ResourceError` when it failed."""
        args = wire.from_struct(request.args)
        receiver = _plain(args.get("__self__"))
        reference = self._registrations.provider_of_method(
            request.tok, request, receiver.urn if isinstance(receiver, ResourceReference) else ""
        )
        dependencies = {key: tuple(held.urns) for key, held in request.argDependencies.items()}
        result = self._plugin(reference, request.tok).call(
            self._context(), request.tok, args, _all_dependencies(args, dependencies)
        )
        answer = load("provider_pb2").CallResponse()
        outputs = {key: downgraded(value) for key, value in result.outputs.items()}
        wire.to_struct(outputs, into=getattr(answer, "return"))
        for key, urns in _all_dependencies(result.outputs, result.dependencies).items():
            answer.returnDependencies[key].urns.extend(urns)
        for failure in result.failures:
            answer.failures.add(property=failure.property, reason=failure.reason)
        return answer

    def _plugin(self, reference: str, token: str) -> PluginClient:
        provider = self._providers.get(reference) or self._providers.ensure(reference, token)
        if not isinstance(provider, PluginClient):
            raise ResourceError(f"the provider of {token} has no components", hint="they need a plugin of its package")
        return provider

    def _context(self) -> ComponentContext:
        stack, options = self._deployment.reference, self._deployment.options
        return ComponentContext(
            self.monitor,
            stack.project,
            stack.stack,
            config=self._config,
            preview=options.preview,
            parallel=options.parallel,
        )


def _construct_options(options: Any, dependencies: list[str]) -> dict[str, Any]:
    """The options of a registration under the names that `ConstructRequest` has for them."""
    kind = load("provider_pb2").ConstructRequest
    found: dict[str, Any] = {
        "dependencies": dependencies,
        "providers": dict(options.providers),
        "aliases": list(options.aliases),
        "additionalSecretOutputs": list(options.additional_secret_outputs),
        "deletedWith": options.deleted_with,
        "replace_with": list(options.replace_with),
        "ignoreChanges": list(options.ignore_changes),
        "replaceOnChanges": list(options.replace_on_changes),
    }
    for ours, theirs in (
        ("protect", "protect"),
        ("retain_on_delete", "retainOnDelete"),
        ("delete_before_replace", "deleteBeforeReplace"),
        ("replacement_trigger", "replacement_trigger"),
    ):
        if options.HasField(ours):
            found[theirs] = getattr(options, ours)
    if options.HasField("custom_timeouts"):
        given = options.custom_timeouts
        found["customTimeouts"] = kind.CustomTimeouts(**{name: getattr(given, name) for name in _TIMEOUTS})
    if options.HasField("hooks"):
        found["resource_hooks"] = kind.ResourceHooksBinding(
            **{name: list(getattr(options.hooks, name)) for name in _HOOKS}
        )
    return found


def _all_dependencies(values: Properties, told: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """The URNs that each value depends on: those that were told, and those that output values carry."""
    found = {key: list(urns) for key, urns in told.items()}
    for key, value in values.items():
        urns = found.setdefault(key, [])
        urns += [urn for urn in dict.fromkeys(output_dependencies(value)) if urn not in urns]
    return found


def _plain(value: Value) -> Value:
    return _plain(value.value) if isinstance(value, (Output, Secret)) else value
