"""Engine events: what happens during a preview, update, refresh or destroy, as it happens.

Shapes and names are those of `apitype.EngineEvent` of the Pulumi SDK (the `--event-log` and `--json` formats);
`to_json` gives one event as a JSON-ready dict. Secret values never appear in an event: whoever builds one blinds them
first with `blind`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from dataops.infra.resources.values import (
    UNKNOWN,
    Archive,
    Asset,
    Output,
    ResourceReference,
    Secret,
    Unknown,
    Value,
    unwrap_secrets,
)

OPS = (
    "same",
    "create",
    "update",
    "delete",
    "replace",
    "create-replacement",
    "delete-replaced",
    "read",
    "read-replacement",
    "refresh",
    "discard",
    "discard-replaced",
    "remove-pending-replace",
    "import",
    "import-replacement",
)
"""The kinds of step, `deploy.StepOp` in Pulumi's words."""


@dataclass(frozen=True, slots=True)
class StepState:
    """A resource before or after a step, as far as events show it; properties are blinded."""

    urn: str
    type: str
    id: str = ""
    parent: str = ""
    provider: str = ""
    custom: bool = False
    protect: bool = False
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    init_errors: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "urn": self.urn,
            "custom": self.custom,
            "id": self.id,
            "parent": self.parent,
            "provider": self.provider,
            "protect": self.protect,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "initErrors": list(self.init_errors),
        }


@dataclass(frozen=True, slots=True)
class StepMetadata:
    """The step that an event is about.

    Args:
        op: one of `OPS`.
        keys: properties that force a replacement.
        diffs: top-level properties that differ.
        detailed_diff: property path to `{"diffKind": "update", "inputDiff": true}`.
        logical: whether the step is the user's view of it (False for the two halves of a replacement).
        hidden: paths whose changes the program does not want shown in a diff; no part of Pulumi's JSON.
        internal: the engine's own business, of which only event logs tell; no part of Pulumi's JSON.
    """

    op: str
    urn: str
    type: str
    old: StepState | None = None
    new: StepState | None = None
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed_diff: dict[str, dict[str, Any]] | None = None
    logical: bool = True
    provider: str = ""
    hidden: tuple[str, ...] = ()
    internal: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "op": self.op,
            "urn": self.urn,
            "type": self.type,
            "old": self.old.to_json() if self.old else None,
            "new": self.new.to_json() if self.new else None,
            "keys": list(self.keys),
            "diffs": list(self.diffs),
            "detailedDiff": self.detailed_diff,
            "logical": self.logical,
            "provider": self.provider,
        }


@dataclass(frozen=True, slots=True)
class PreludeEvent:
    """The beginning; `config` holds `[secret]` where a value is secret."""

    config: dict[str, str]

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "preludeEvent", {"config": self.config}


@dataclass(frozen=True, slots=True)
class ResourcePreEvent:
    """A step begins; in a preview the only event of a step beside its outputs."""

    metadata: StepMetadata
    planning: bool = False

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "resourcePreEvent", {
            "metadata": self.metadata.to_json(),
            **({"planning": True} if self.planning else {}),
        }


@dataclass(frozen=True, slots=True)
class ResOutputsEvent:
    """A step has ended well; `seconds` is how long the provider took."""

    metadata: StepMetadata
    planning: bool = False
    seconds: float = 0

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "resOutputsEvent", {"metadata": self.metadata.to_json(), **({"planning": True} if self.planning else {})}


@dataclass(frozen=True, slots=True)
class ResOpFailedEvent:
    """A step has failed; a `DiagnosticEvent` says why. `status` 0: nothing happened, 1: partly, 2: unknown.

    `exit_code` and `hint` are those of the error, and not part of what Pulumi's event log holds.
    """

    metadata: StepMetadata
    status: int = 0
    steps: int = 0
    exit_code: int = 1
    hint: str = ""

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "resOpFailedEvent", {"metadata": self.metadata.to_json(), "status": self.status, "steps": self.steps}


@dataclass(frozen=True, slots=True)
class DiagnosticEvent:
    """A message; `severity` is debug, info, info#err, warning or error, `urn` "" when it is about no resource."""

    message: str
    severity: str = "info"
    urn: str = ""
    ephemeral: bool = False
    stream_id: int = 0

    def payload(self) -> tuple[str, dict[str, Any]]:
        said: dict[str, Any] = {"message": self.message, "color": "never", "severity": self.severity}
        if self.urn:
            said["urn"] = self.urn
        if self.ephemeral:
            said["ephemeral"] = True
        if self.stream_id:
            said["streamID"] = self.stream_id
        return "diagnosticEvent", said


@dataclass(frozen=True, slots=True)
class SummaryEvent:
    """The end: steps by kind, and how long it took."""

    changes: dict[str, int]
    seconds: float
    maybe_corrupt: bool = False

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "summaryEvent", {
            "maybeCorrupt": self.maybe_corrupt,
            "durationSeconds": round(self.seconds),
            "resourceChanges": self.changes,
            "policyPacks": {},
        }


@dataclass(frozen=True, slots=True)
class CancelEvent:
    """Nothing follows this event."""

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "cancelEvent", {}


Event = (
    PreludeEvent | ResourcePreEvent | ResOutputsEvent | ResOpFailedEvent | DiagnosticEvent | SummaryEvent | CancelEvent
)

EventSink = Callable[[Event], None]
"""Receives events, one at a time, in the order in which things happened."""


def to_json(event: Event, sequence: int) -> dict[str, Any]:
    """One event as a line of an event log; `sequence` counts from 1."""
    name, payload = event.payload()
    return {"sequence": sequence, "timestamp": int(time.time()), name: payload}


_KEY = os.urandom(32)


class Hidden(str):
    """`[secret]` in the place of a value. Two are equal when the values are, so that a change can be told, not shown.

    Args:
        value: what is hidden; only a digest is kept, under a key that no other process has.
    """

    __slots__ = ("_digest",)
    _digest: bytes

    def __new__(cls, value: Value) -> Hidden:
        hidden = super().__new__(cls, "[secret]")
        plain = json.dumps(unwrap_secrets(value), default=repr, sort_keys=True)
        hidden._digest = blake2b(plain.encode(errors="surrogatepass"), key=_KEY).digest()
        return hidden

    def __eq__(self, other: object) -> bool:
        return self._digest == other._digest if isinstance(other, Hidden) else str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


_PLAIN = frozenset({str, bool, int, float, type(None)})


def blind(value: Value) -> Any:
    """A property value as JSON with `[secret]` and `[unknown]` where a value must not or cannot be shown."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {k: v if type(v) in _PLAIN else blind(v) for k, v in value.items()}
    if isinstance(value, Secret):
        return Hidden(value.value)
    if isinstance(value, Output):
        return Hidden(value.value) if value.secret else blind(value.value)
    if isinstance(value, Unknown) or value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        return {k: blind(v) for k, v in value.items()}
    if isinstance(value, list):
        return [blind(v) for v in value]
    if isinstance(value, ResourceReference):
        return value.urn
    if isinstance(value, (Asset, Archive)):
        return {k: blind(v) for k, v in value.fields.items() if k in ("path", "uri", "hash")}
    return value
