"""Tells what happens: engine events from steps, in the order of the deeds, and the count of changes."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace

from dataops.infra.engine.secret_filter import SecretFilter
from dataops.infra.engine.step import Step
from dataops.infra.errors import DataopsError, ProgramError
from dataops.infra.events.blinding import blind
from dataops.infra.events.engine_events import (
    CancelEvent,
    DiagnosticEvent,
    Event,
    EventSink,
    PreludeEvent,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
    StepState,
    SummaryEvent,
)
from dataops.infra.providers.base import DiffResult
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import is_provider, name_of
from dataops.infra.state.resource_json import options_to_json


class Reporter:
    """Makes events and counts what changed.

    Args:
        on_event: receives events, never two at a time.
        preview: whether the events announce rather than report.
        secrets: hides the stack's secret configuration in messages and properties.
    """

    def __init__(self, on_event: EventSink, preview: bool, secrets: SecretFilter) -> None:
        self._on_event = on_event
        self._preview = preview
        self._secrets = secrets
        self._lock = threading.Lock()
        self._untold: deque[Event] = deque()
        self._telling = threading.Lock()
        self._changes: Counter[str] = Counter()
        self._started = time.monotonic()
        self._steps = 0
        self._maybe_corrupt = False

    @property
    def changes(self) -> dict[str, int]:
        """Steps by kind so far, default providers aside."""
        with self._lock:
            return dict(self._changes)

    @property
    def seconds(self) -> float:
        """Since the reporter was made."""
        return time.monotonic() - self._started

    def begin(self, config: dict[str, str]) -> None:
        """The first event; secret values must be hidden already."""
        self._emit(PreludeEvent(config))

    def end(self, failed: bool) -> None:
        """The last events: the summary and the end."""
        self._emit(SummaryEvent(self.changes, self.seconds, self._maybe_corrupt, self._preview, failed))
        self._emit(CancelEvent())
        with self._telling:
            self._tell()

    def starting(self, step: Step, made: ResourceState | None) -> None:
        """A step begins; `made` is what the resource is by now, where that is more than the plan of it."""
        self._emit(ResourcePreEvent(self._metadata(step, step.op, made or step.new), self._preview))

    def done(
        self,
        step: Step,
        state: ResourceState | None,
        *,
        op: str,
        counted: bool,
        seconds: float,
        diff: DiffResult | None = None,
    ) -> None:
        """A step has ended well with `state`; a refresh says with `op` and `diff` what it found."""
        if diff is not None:
            step = replace(step, diffs=diff.changed, detailed=diff.detailed)
        if counted and not _is_internal(step):
            with self._lock:
                self._changes[op] += 1
                self._steps += 1
        resource = state or step.resource
        if self._preview or resource.custom or step.op in ("refresh", "delete"):
            self._emit(ResOutputsEvent(self._metadata(step, op, state, ended=True), self._preview, seconds))

    def outputs_registered(self, step: Step, state: ResourceState) -> None:
        """A component's or the stack's outputs were registered."""
        self._emit(ResOutputsEvent(self._metadata(step, step.op, state, ended=True), self._preview))

    def failed(self, step: Step, message: str, error: DataopsError | None, status: int) -> None:
        """A step has failed, with the error that it failed with, where it is one of ours; see `ResOpFailedEvent`."""
        self.error(message, "" if _is_internal(step) else step.urn)
        if not self._preview:
            code, hint = (error.exit_code, error.hint or "") if error else (1, "")
            self._maybe_corrupt |= status == 2
            self._emit(ResOpFailedEvent(self._metadata(step, step.op, step.new), status, self._steps, code, hint))

    def error(self, message: str, urn: str = "") -> None:
        """Something is wrong."""
        self._say(message, "error", urn)

    def program_failed(self, error: ProgramError) -> None:
        """The program has failed, which the command says at its end; only programs are told of it now."""
        trace = self._secrets.text((error.details or error.what).rstrip())
        self._emit(DiagnosticEvent(f"Program failed with an unhandled exception:\n{trace}\n", "error", at_end=True))

    def warning(self, message: str, urn: str = "") -> None:
        """Something should be looked at."""
        self._say(message, "warning", urn)

    def info(self, message: str, urn: str = "") -> None:
        """Something to know."""
        self._say(message, "info", urn)

    def diagnostic(self, message: str, severity: str, urn: str = "", stream: int = 0, ephemeral: bool = False) -> None:
        """What the program says."""
        self._emit(DiagnosticEvent(self._secrets.text(message), severity, urn, ephemeral, stream))

    def _metadata(self, step: Step, op: str, new: ResourceState | None, ended: bool = False) -> StepMetadata:
        resource = step.resource
        condemned = step.op == "delete-replaced" and not step.before_replacement
        condemned = condemned or (step.leaves_old and (ended or step.op == "replace"))
        return StepMetadata(
            op,
            resource.urn,
            resource.type,
            self._shown(step.old, condemned),
            self._shown(new),
            step.keys,
            step.diffs or (_top_level(step.detailed) if step.detailed else ()),
            {
                path: {"diffKind": change.kind.value, "inputDiff": change.input_diff}
                for path, change in step.detailed.items()
            }
            if step.detailed is not None
            else None,
            step.logical,
            resource.provider,
            tuple(resource.extra.get("hideDiff") or ()),
            _is_internal(step),
        )

    def _say(self, message: str, severity: str, urn: str) -> None:
        self.diagnostic(message if message.endswith("\n") else message + "\n", severity, urn)

    def _shown(self, state: ResourceState | None, condemned: bool = False) -> StepState | None:
        """A resource for an event: in a preview with all that is recorded of it; marked where it is to be deleted."""
        if state is None:
            return None
        delete = state.delete or condemned
        return StepState(
            state.urn,
            state.type,
            state.id,
            state.parent,
            state.provider,
            state.custom,
            state.protect,
            self._secrets.shown(blind(state.inputs)),
            self._secrets.shown(blind(state.outputs)),
            tuple(map(self._secrets.text, state.init_errors)),
            delete,
            state.external,
            state.retain_on_delete,
            bool(state.extra.get("taint")),
            {**options_to_json(state), **({"delete": True} if delete else {})} if self._preview else {},
        )

    def _emit(self, event: Event) -> None:
        """Tells an event, or leaves that to the thread which is telling one: none waits for another's display."""
        self._untold.append(event)
        # Looked at again after each turn: an event may have come when the one who was telling had seen none left.
        while self._untold and self._telling.acquire(blocking=False):
            try:
                self._tell()
            finally:
                self._telling.release()

    def _tell(self) -> None:
        while self._untold:
            self._on_event(self._untold.popleft())


def _is_internal(step: Step) -> bool:
    """Default providers are the engine's own business, and so are a few steps."""
    resource = step.resource
    if step.op == "remove-pending-replace":
        return True
    if step.by_program and (not resource.custom or is_provider(resource.type)):
        return True
    name = name_of(resource.urn)
    return is_provider(resource.type) and (name == "default" or name.startswith("default_"))


def _top_level(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path.partition(".")[0].partition("[")[0] for path in paths))
