"""Engine events: what happens during a preview, update, refresh or destroy, as it happens.

Shapes and names are those of `apitype.EngineEvent` of the Pulumi SDK (the `--event-log` and `--json` formats);
`to_json` gives one event as a JSON-ready dict. Secret values never appear in an event: whoever builds one blinds them
first with `blind`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataops.infra.events.blinding import SECRET_JSON, unblind

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
    """A resource before or after a step, as far as events show it; properties are blinded.

    Args:
        rest: what else is recorded of it, in the JSON of checkpoints; in previews only.
    """

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
    delete: bool = False
    external: bool = False
    retain_on_delete: bool = False
    taint: bool = False
    rest: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        said = {
            "type": self.type,
            "urn": self.urn,
            "custom": self.custom,
            "delete": self.delete,
            "id": self.id,
            "parent": self.parent,
            "protect": self.protect,
            "taint": self.taint,
            "external": self.external,
            "retainOnDelete": self.retain_on_delete,
            "inputs": unblind(self.inputs, SECRET_JSON),
            "outputs": unblind(self.outputs, SECRET_JSON),
            "provider": self.provider,
            "initErrors": list(self.init_errors),
        }
        return {key: value for key, value in said.items() if value not in (False, [])}


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
            **({"keys": list(self.keys)} if self.keys else {}),
            **({"diffs": list(self.diffs)} if self.diffs else {}),
            "detailedDiff": self.detailed_diff,
            **({"logical": True} if self.logical else {}),
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
    """A message; `severity` is debug, info, info#err, warning or error, `urn` "" when it is about no resource.

    `at_end` is for what the command itself says at its end: displays for people leave it out.
    """

    message: str
    severity: str = "info"
    urn: str = ""
    ephemeral: bool = False
    stream_id: int = 0
    at_end: bool = False

    def payload(self) -> tuple[str, dict[str, Any]]:
        said: dict[str, Any] = {"urn": self.urn} if self.urn else {}
        if not self.severity.startswith("info"):
            said["prefix"] = f"{self.severity}: "
        said |= {"message": self.message, "color": "never", "severity": self.severity}
        if self.ephemeral:
            said["ephemeral"] = True
        return "diagnosticEvent", said


@dataclass(frozen=True, slots=True)
class SummaryEvent:
    """The end: steps by kind, and how long it took."""

    changes: dict[str, int]
    seconds: float
    maybe_corrupt: bool = False
    planning: bool = False
    failed: bool = False

    def payload(self) -> tuple[str, dict[str, Any]]:
        return "summaryEvent", {
            "maybeCorrupt": self.maybe_corrupt,
            "durationSeconds": math.ceil(self.seconds),
            "resourceChanges": self.changes,
            "PolicyPacks": {},
            "isPreview": self.planning,
            "result": "failed" if self.failed else "succeeded",
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
    """One event as a line of an event log; `sequence` counts from 0."""
    name, payload = event.payload()
    return {"sequence": sequence, "timestamp": int(time.time()), name: payload}
