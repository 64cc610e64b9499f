"""The events of the `pulumi` command as ours: the event log that the Automation API reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataops.infra.events.blinding import SECRET_SHOWN, UNKNOWN_SHOWN
from dataops.infra.events.engine_events import (
    CancelEvent,
    DiagnosticEvent,
    Event,
    PreludeEvent,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
    StepState,
    SummaryEvent,
)
from dataops.infra.resources.values import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_STRING

_PREFIXES = ("debug: ", "info: ", "warning: ", "error: ")


def our_event(event: Any) -> Event | None:
    """One of the Automation API's `EngineEvent`s as ours; None for what ours leave out, debug messages above all."""
    if (said := event.diagnostic_event) is not None:
        if said.severity == "debug":
            return None
        return DiagnosticEvent(
            _plain(said.message), said.severity, said.urn or "", bool(said.ephemeral), said.stream_id or 0
        )
    if (begun := event.resource_pre_event) is not None:
        return ResourcePreEvent(_metadata(begun.metadata), bool(begun.planning))
    if (done := event.res_outputs_event) is not None:
        return ResOutputsEvent(_metadata(done.metadata), bool(done.planning))
    if (failed := event.res_op_failed_event) is not None:
        return ResOpFailedEvent(_metadata(failed.metadata), failed.status or 0, failed.steps or 0)
    if (summary := event.summary_event) is not None:
        changes = {_name(op): count for op, count in (summary.resource_changes or {}).items()}
        return SummaryEvent(changes, summary.duration_seconds or 0, bool(summary.maybe_corrupt))
    if (prelude := event.prelude_event) is not None:
        return PreludeEvent(dict(prelude.config or {}))
    return CancelEvent() if event.cancel_event is not None else None


def shown_value(value: Any) -> Any:
    """A property as the event log has it, blinded as ours are."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return SECRET_SHOWN
        return {key: shown_value(item) for key, item in value.items() if key != SIGNATURE}
    if isinstance(value, list):
        return [shown_value(item) for item in value]
    return UNKNOWN_SHOWN if value == UNKNOWN_STRING else value


def _metadata(step: Any) -> StepMetadata:
    detailed = {
        path: {"diffKind": _name(diff.diff_kind), "inputDiff": bool(diff.input_diff)}
        for path, diff in (step.detailed_diff or {}).items()
    }
    return StepMetadata(
        op=_name(step.op),
        urn=step.urn,
        type=step.type,
        old=_state(step.old),
        new=_state(step.new),
        keys=tuple(step.keys or ()),
        diffs=tuple(step.diffs or ()),
        detailed_diff=detailed or None,
        logical=bool(step.logical),
        provider=step.provider or "",
    )


def _state(state: Any) -> StepState | None:
    if state is None:
        return None
    return StepState(
        urn=state.urn,
        type=state.type,
        id=state.id or "",
        parent=state.parent or "",
        provider=state.provider or "",
        custom=bool(state.custom),
        protect=bool(state.protect),
        inputs=shown_value(state.inputs or {}),
        outputs=shown_value(state.outputs or {}),
        init_errors=tuple(state.init_errors or ()),
    )


def _name(member: Any) -> str:
    """The text of a member of one of the Automation API's enumerations, or text itself."""
    return str(getattr(member, "value", member))


def _plain(message: str) -> str:
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return message
