"""What a display knows of an operation while events come in: one row per resource, messages, outputs.

`Progress` is pure bookkeeping, so that the plain and the live display cannot disagree.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataops.cli.display.words import words_of
from dataops.infra.events.engine_events import (
    DiagnosticEvent,
    Event,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
    SummaryEvent,
)
from dataops.infra.resources.urn import ROOT_STACK_TYPE, is_provider

INTERNAL = frozenset({"__provider", "__internal", "__defaults"})
"""Properties that are nobody's business but the engine's and the SDK's."""

SHOWN_SEVERITIES = frozenset({"info", "info#err", "warning", "error"})


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What the user asked to see.

    Args:
        kind: `update`, `refresh`, `destroy` or `import`.
        planning: whether this is a preview.
        stack: the stack's name.
        diff: show each changed property.
        show_sames: show resources that stay as they are.
        suppress_progress: nothing until the end.
        suppress_outputs: no stack outputs at the end.
    """

    kind: str
    planning: bool
    stack: str
    diff: bool = False
    show_sames: bool = False
    suppress_progress: bool = False
    suppress_outputs: bool = False


@dataclass(slots=True)
class Row:
    """One resource.

    Args:
        metadata: its newest step.
        state: `running`, `done` or `failed`.
        started, ended: times of the monotonic clock.
        refreshing: the step is or was a refresh, whose end says what it found.
    """

    metadata: StepMetadata
    state: str
    started: float
    ended: float | None = None
    refreshing: bool = False
    messages: list[str] = field(default_factory=list)

    def seconds(self, now: float) -> float:
        """How long the step has taken so far."""
        return (self.ended if self.ended is not None else now) - self.started

    def changed(self) -> tuple[str, ...]:
        """The top-level properties that change; of a refresh whose provider does not say, the outputs that differ."""
        old, new = self.metadata.old, self.metadata.new
        if self.metadata.diffs or not self.refreshing or old is None or new is None:
            return self.metadata.diffs
        names = sorted({*old.outputs, *new.outputs} - INTERNAL)
        return tuple(name for name in names if old.outputs.get(name) != new.outputs.get(name))


@dataclass(slots=True)
class Progress:
    """All rows by URN in the order in which they began, and what else was told.

    Args:
        planning: whether this is a preview.
    """

    planning: bool
    rows: dict[str, Row] = field(default_factory=dict)
    messages: list[tuple[str, str, str]] = field(default_factory=list)
    changes: Mapping[str, int] | None = None
    seconds: float = 0
    outputs_before: Mapping[str, Any] = field(default_factory=dict)
    outputs_after: Mapping[str, Any] = field(default_factory=dict)

    def receive(self, event: Event) -> Row | None:
        """Takes an event in; returns the row that it changed, if any."""
        if isinstance(event, ResourcePreEvent):
            return self._step(event.metadata, "running")
        if isinstance(event, ResOutputsEvent):
            self._note_outputs(event.metadata)
            return self._step(event.metadata, "done")
        if isinstance(event, ResOpFailedEvent):
            return self._step(event.metadata, "failed")
        if isinstance(event, DiagnosticEvent):
            self._note_message(event)
        elif isinstance(event, SummaryEvent):
            self.changes, self.seconds = event.changes, event.seconds
            now = time.monotonic()
            for row in self.rows.values():
                # A component never reports its end.
                row.ended = now if row.ended is None else row.ended
        return None

    def shown(self, row: Row) -> bool:
        """Whether a row is worth a line: what changes, runs or fails; providers only when they fail."""
        if row.state == "failed":
            return True
        if row.metadata.op == "refresh" and row.state == "done":
            return False
        return row.metadata.op != "same" and not is_provider(row.metadata.type)

    def _step(self, metadata: StepMetadata, state: str) -> Row:
        now = time.monotonic()
        row = self.rows.get(metadata.urn)
        if row is None or (state == "running" and row.state != "running"):
            row = self.rows[metadata.urn] = Row(metadata, state, now, messages=row.messages if row else [])
        row.metadata, row.state = metadata, state
        row.refreshing = metadata.op == "refresh" or (row.refreshing and state != "running")
        row.ended = None if state == "running" else now
        return row

    def _note_outputs(self, metadata: StepMetadata) -> None:
        if metadata.type != ROOT_STACK_TYPE:
            return
        self.outputs_before = metadata.old.outputs if metadata.old else {}
        self.outputs_after = metadata.new.outputs if metadata.new and metadata.op != "delete" else {}

    def _note_message(self, event: DiagnosticEvent) -> None:
        if event.severity not in SHOWN_SEVERITIES or event.ephemeral or event.at_end or not event.message.strip():
            return
        severity, row = event.severity, self.rows.get(event.urn)
        if severity == "error" and not self.planning and row is not None and row.state == "running":
            doing = words_of(row.metadata.op).doing
            severity = f"error while {doing}" if doing else severity
        self.messages.append((event.urn, severity, event.message))
        if row is not None:
            row.messages.append(event.message)
