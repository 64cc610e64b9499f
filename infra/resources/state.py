"""The recorded state of resources and of a whole stack.

Field names follow `apitype.ResourceV3` of the Pulumi SDK in Python spelling; `dataops.infra.state` writes and reads
them in Pulumi's own JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dataops.infra.resources.values import Properties, Value


@dataclass(frozen=True, slots=True)
class CustomTimeouts:
    """Seconds that an operation may take; 0 means the provider's default."""

    create: float = 0
    update: float = 0
    delete: float = 0
    read: float = 0


@dataclass(slots=True)
class ResourceState:
    """One resource as it is recorded.

    Args:
        urn, type: the stack's name for the resource, and its own type.
        custom: whether a provider manages it (False for components and the stack).
        id: the provider's name for it; "" for components.
        inputs, outputs: what the program asked for after the provider's check; what the provider reported.
        delete: it has been replaced and waits to be deleted.
        external: it is read, never managed (`Resource.get`).
        provider: `<provider URN>::<provider id>`; "" for components.
        dependencies: URNs it depends on; property_dependencies: the same by input property.
        init_errors: why it exists but is not ready.
        replacement_trigger: what the resource is replaced for when it changes; None for nothing.
        extra: fields of `ResourceV3` that this version carries through without using them, in JSON form.
    """

    urn: str
    type: str
    custom: bool = False
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    delete: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    init_errors: list[str] = field(default_factory=list)
    provider: str = ""
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: CustomTimeouts = field(default_factory=CustomTimeouts)
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    created: datetime | None = None
    modified: datetime | None = None
    source_position: str = ""
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replacement_trigger: Value = None
    extra: dict[str, Any] = field(default_factory=dict)

    def copy(self, **changes: Any) -> ResourceState:
        """A copy with some fields changed; containers are shared, so replace them rather than mutate them."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """An operation that was begun and whose outcome is not known: what a crash leaves behind.

    `kind` is one of `creating`, `updating`, `deleting`, `reading`, `importing`.
    """

    resource: ResourceState
    kind: str


@dataclass(slots=True)
class Deployment:
    """Everything that is recorded of a stack at one time, resources in dependency order.

    Args:
        resources: each after what it depends on, its parent and its provider.
        pending_operations: see `PendingOperation`.
        secrets_provider: JSON `{"type": "passphrase", "state": {"salt": …}}`.
        metadata, extra: carried through unused.
    """

    resources: list[ResourceState] = field(default_factory=list)
    pending_operations: list[PendingOperation] = field(default_factory=list)
    secrets_provider: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    def outputs(self) -> Properties:
        """The stack's outputs: those of its root resource, or nothing."""
        for resource in self.resources:
            if resource.type == "pulumi:pulumi:Stack" and not resource.delete:
                return resource.outputs
        return {}
