"""What a long command is doing, and how long each part of it took.

A *phase* is a part of the work that a user would name: the code, the warehouse, the data. Steps of ours are phases of
their own; the engine's steps are assigned to phases by the type of their resource. Phases of the engine overlap, since
it works in parallel: a phase lasts as long as any of its steps runs.
"""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from dataops.infra.errors import ConfigurationError
from dataops.infra.events.engine_events import (
    DiagnosticEvent,
    Event,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
)
from dataops.infra.resources.urn import ROOT_STACK_TYPE, is_provider, name_of, type_of

PHASE_OF = {
    "dataops:local:Worktree": "code",
    "dataops:local:VirtualEnvironment": "requirements",
    "dataops:docker:PulledImage": "image",
    "dataops:docker:Image": "image",
    "dataops:local:Supervisor": "supervisor",
    "dataops:local:ContainerPlace": "supervisor",
    "dataops:snapshots:Golden": "golden",
    "dataops:local:PostgresCluster": "warehouse",
    "dataops:postgres:Database": "warehouse",
    "dataops:local:Lake": "lake",
    "dataops:postgres:Role": "access",
    "dataops:postgres:Grant": "access",
    "dataops:local:EnvironmentFile": "variables",
    "dataops:snapshots:Verification": "checks",
    "dataops:local:Service": "services",
    "dataops:local:TextFile": "runner",
    "dataops:local:Endpoints": "endpoints",
}
"""Type token to phase; anything else that the team's own program declares is in the phase `resources`."""

OTHER = "resources"

PHASES = tuple(dict.fromkeys(PHASE_OF.values()))
"""The phases in their order, as `env up --from-step` takes them."""

REMADE = frozenset(
    {
        "dataops:local:Worktree",
        "dataops:local:VirtualEnvironment",
        "dataops:local:Supervisor",
        "dataops:local:Service",
    }
)
"""Types that starting over deletes and makes anew; all others are made sure of in place, so that nothing is lost."""

DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "create-replacement": "replaced",
    "delete-replaced": "deleted the old",
    "read": "read",
    "import": "imported",
}
"""Steps that change something, in the words of progress messages; steps that are not here are not told."""


ENDED = frozenset({"update failed", "preview failed"})
"""What the engine says last of an operation that failed."""


class Moment(StrEnum):
    """What a phase event tells."""

    STARTED = "started"
    STEP = "step"
    NOTE = "note"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PhaseEvent:
    """One thing that happened.

    Args:
        phase: its name.
        moment: what happened to it.
        text: what to show; no secrets.
        seconds: how long it took, where something ended.
    """

    phase: str
    moment: Moment
    text: str = ""
    seconds: float = 0.0


PhaseSink = Callable[[PhaseEvent], None]
"""Receives phase events; may be called from several threads, one at a time."""


@dataclass(slots=True)
class _Span:
    first: float
    resumed: float
    seconds: float = 0.0
    running: int = 0

    def now(self) -> float:
        """How long it has run, pauses between its steps left out."""
        return self.seconds + (time.monotonic() - self.resumed if self.running else 0.0)


@dataclass(frozen=True, slots=True)
class Failure:
    """A resource that failed, what was said about it, and exit status and hint of the error."""

    urn: str
    type: str
    messages: tuple[str, ...]
    exit_code: int = 1
    hint: str = ""


@dataclass(slots=True)
class PhaseClock:
    """Keeps the time of phases and tells a sink what happens."""

    sink: PhaseSink
    began: float = field(default_factory=time.monotonic)
    _spans: dict[str, _Span] = field(default_factory=dict)
    _messages: dict[str, list[str]] = field(default_factory=dict)
    _failed: dict[str, tuple[int, str]] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def phase(self, name: str, text: str = "") -> Iterator[None]:
        """A phase of our own: what happens in the block."""
        with self._lock:
            self._enter(name, text)
        try:
            yield
        except BaseException:
            with self._lock:
                self._leave(name, Moment.FAILED)
            raise
        with self._lock:
            self._leave(name, Moment.FINISHED)

    def note(self, phase: str, text: str) -> None:
        """Something that the user should know."""
        with self._lock:
            self.sink(PhaseEvent(phase, Moment.NOTE, text))

    def on_engine_event(self, event: Event) -> None:
        """Follows the engine; an `EventSink`."""
        with self._lock:
            match event:
                case ResourcePreEvent(metadata=step) if step.op in DONE and _is_real(step):
                    self._begun[step.urn] = time.monotonic()
                    self._enter(phase_of(step.urn), "")
                case ResOutputsEvent(metadata=step, seconds=seconds) if step.op in DONE and _is_real(step):
                    self._step_ended(step, Moment.STEP, seconds)
                case ResOpFailedEvent(metadata=step):
                    self._failed[step.urn] = (event.exit_code, event.hint)
                    self._step_ended(step, Moment.FAILED, 0.0)
                case DiagnosticEvent(message=message, severity=severity, urn=urn) if (
                    message.strip() and not event.at_end
                ):
                    if severity == "error":
                        self._messages.setdefault(urn, []).append(message.strip())
                    elif severity != "debug" and not event.ephemeral:
                        self.sink(PhaseEvent(phase_of(urn) if urn else "program", Moment.NOTE, message.strip()))
                case _:
                    pass

    def seconds(self) -> dict[str, float]:
        """The phases so far in the order in which they began, and how long each lasted."""
        with self._lock:
            spans = sorted(self._spans.items(), key=lambda item: item[1].first)
            return {name: round(span.now(), 3) for name, span in spans}

    def total(self) -> float:
        """Seconds since the clock was made."""
        return round(time.monotonic() - self.began, 3)

    def failures(self) -> list[Failure]:
        """The resources that failed, in the order in which they did, and errors that belong to no resource last."""
        with self._lock:
            found = [
                Failure(u, type_of(u), tuple(self._messages.get(u, ())), *error) for u, error in self._failed.items()
            ]
            # The engine ends a failed update by saying so, of the stack or of nothing: no news beside what failed.
            left = [
                message
                for urn, said in self._messages.items()
                if urn not in self._failed and not (found and type_of(urn or "::::") == ROOT_STACK_TYPE)
                for message in said
                if not (found and message in ENDED)
            ]
            return found + ([Failure("", "", tuple(left))] if left else [])

    def _enter(self, name: str, text: str) -> None:
        moment = time.monotonic()
        span = self._spans.setdefault(name, _Span(moment, moment))
        if span.running == 0:
            span.resumed = moment
        span.running += 1
        if span.running == 1:
            self.sink(PhaseEvent(name, Moment.STARTED, text))

    def _leave(self, name: str, how: Moment) -> None:
        moment = time.monotonic()
        span = self._spans.setdefault(name, _Span(moment, moment))
        if span.running:
            span.running -= 1
            if span.running == 0:
                span.seconds += moment - span.resumed
        if span.running == 0 or how is Moment.FAILED:
            self.sink(PhaseEvent(name, how, seconds=span.now()))

    def _step_ended(self, step: StepMetadata, how: Moment, seconds: float) -> None:
        took = seconds or time.monotonic() - self._begun.get(step.urn, time.monotonic())
        done = DONE.get(step.op, step.op) if how is Moment.STEP else f"could not {step.op}"
        phase = phase_of(step.urn)
        if type_of(step.urn) in PHASE_OF:
            kind = type_of(step.urn).rpartition(":")[2]
            self.sink(PhaseEvent(phase, Moment.STEP, f"{done} {kind} {name_of(step.urn)}", took))
        self._leave(phase, Moment.FINISHED if how is Moment.STEP else Moment.FAILED)


def check_phase(phase: str) -> str:
    """The phase itself, when there is one of that name.

    Raises:
        ConfigurationError: there is none; the hint lists those there are.
    """
    if phase not in PHASES:
        near = difflib.get_close_matches(phase, PHASES, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ConfigurationError(
            f"there is no phase {phase!r} to start over from",
            hint=f"{meant}the phases are, in order: {', '.join(PHASES)}",
        )
    return phase


def starting_over(phase: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What starting over from a phase has the engine make anew, and what it has it make sure of: patterns of URNs.

    It is about that phase and all later ones; nothing for "". Resources that the team's own program adds are left to
    their own declarations, since nobody but the team knows what would be lost with them.
    """
    if not phase:
        return (), ()
    later = PHASES[PHASES.index(check_phase(phase)) :]
    chosen = [token for token, belongs in PHASE_OF.items() if belongs in later]
    patterns = {token: f"**{token}::**" for token in chosen}
    return (
        tuple(pattern for token, pattern in patterns.items() if token in REMADE),
        tuple(pattern for token, pattern in patterns.items() if token not in REMADE),
    )


def _is_real(step: StepMetadata) -> bool:
    """Whether a provider does something in a step: components and the stack only group what is below them."""
    state = step.new or step.old
    return (state is None or state.custom) and not is_provider(step.type)


def phase_of(urn: str) -> str:
    """The phase that a resource belongs to."""
    return PHASE_OF.get(type_of(urn), OTHER)
