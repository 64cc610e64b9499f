"""Components and methods that live in a plugin: `Construct` and `Call` of the provider protocol.

The plugin registers the resources that the component is made of with the engine's own monitor, as a program does, so
it is told where that listens and what a program is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataops.infra.providers import wire
from dataops.infra.providers.base import CheckFailure
from dataops.infra.providers.protocol import load
from dataops.infra.resources.values import Properties, Secret


@dataclass(frozen=True, slots=True)
class ComponentContext:
    """What a plugin is told of the deployment that it takes part in.

    Args:
        monitor: the address of the engine's `ResourceMonitor`.
        config: the stack's configuration by full key; secret values are `Secret(text)`.
        preview: whether nothing may be changed.
    """

    monitor: str
    project: str
    stack: str
    organization: str = "organization"
    config: Mapping[str, str | Secret] = field(default_factory=dict, repr=False)
    preview: bool = False
    parallel: int = 16


@dataclass(frozen=True, slots=True)
class ConstructResult:
    """A component that a plugin has made; `dependencies` are URNs by output."""

    urn: str
    outputs: Properties
    dependencies: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a method returned; `dependencies` are URNs by output."""

    outputs: Properties
    dependencies: Mapping[str, tuple[str, ...]]
    failures: tuple[CheckFailure, ...] = ()


def construct_request(
    context: ComponentContext,
    type_: str,
    name: str,
    parent: str,
    inputs: Any,
    dependencies: Mapping[str, Sequence[str]],
    options: Mapping[str, Any],
) -> Any:
    """The message for `Construct`.

    Args:
        inputs: a filled Struct.
        dependencies: URNs by input.
        options: the other fields of `ConstructRequest` under their names in the protocol, such as `protect`,
            `providers`, `dependencies`, `aliases`, `customTimeouts`.
    """
    kind = load("provider_pb2").ConstructRequest
    return kind(
        **_shared(context),
        configSecretKeys=[key for key, value in context.config.items() if isinstance(value, Secret)],
        type=type_,
        name=name,
        parent=parent,
        inputs=inputs,
        inputDependencies={key: kind.PropertyDependencies(urns=urns) for key, urns in dependencies.items()},
        **options,
    )


def call_request(context: ComponentContext, token: str, args: Any, dependencies: Mapping[str, Sequence[str]]) -> Any:
    """The message for `Call`; `args` is a filled Struct, `dependencies` are URNs by argument."""
    kind = load("provider_pb2").CallRequest
    return kind(
        **_shared(context),
        configSecretKeys=[key for key, value in context.config.items() if isinstance(value, Secret)],
        tok=token,
        args=args,
        argDependencies={key: kind.ArgumentDependencies(urns=urns) for key, urns in dependencies.items()},
    )


def constructed(answer: Any) -> ConstructResult:
    """What the answer to `Construct` says."""
    found = {key: tuple(held.urns) for key, held in answer.stateDependencies.items()}
    return ConstructResult(answer.urn, wire.from_struct(answer.state), found)


def returned(answer: Any) -> CallResult:
    """What the answer to `Call` says."""
    found = {key: tuple(held.urns) for key, held in answer.returnDependencies.items()}
    failures = tuple(CheckFailure(failure.property, failure.reason) for failure in answer.failures)
    return CallResult(wire.from_struct(getattr(answer, "return")), found, failures)


def _shared(context: ComponentContext) -> dict[str, Any]:
    plain = {key: str(v.value) if isinstance(v, Secret) else v for key, v in context.config.items()}
    return {
        "project": context.project,
        "stack": context.stack,
        "organization": context.organization,
        "config": plain,
        "dryRun": context.preview,
        "parallel": context.parallel,
        "monitorEndpoint": context.monitor,
        "accepts_output_values": True,
    }
