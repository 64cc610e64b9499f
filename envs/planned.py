"""A plan for an environment as data: what `env plan` shows, collected from the engine's preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataops.envs.change import UNCHANGED, Change
from dataops.envs.phases import OTHER, PHASES, PhaseClock, phase_of
from dataops.envs.status import snapshot_age
from dataops.infra.errors import DataopsError
from dataops.infra.events.engine_events import DiagnosticEvent, Event, ResOpFailedEvent, ResourcePreEvent, StepMetadata
from dataops.infra.resources.urn import is_provider, name_of

SECRET = "[secret]"
PLANNED = frozenset({"create", "update", "replace", "delete", "import", "discard"})
"""The kinds of step that a plan lists; halves of replacements and steps that leave things as they are it does not."""

MADE_ANEW = frozenset({"create", "replace"})


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What would happen to one resource.

    Args:
        op: `create`, `update`, `replace`, `delete`, `import` or `discard`.
        properties: which of its inputs or outputs are the reason.
    """

    phase: str
    op: str
    type: str
    name: str
    urn: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableChange:
    """A variable of the environment that would be `added`, `changed` or `removed`; secret values are `[secret]`."""

    name: str
    change: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """What an update would do.

    Args:
        change: what was asked for.
        exists: whether there is such an environment already.
        commit_before, snapshot_before: what it is made of now, "" when it is new.
        steps: what would happen to resources, in the order of their phases.
        variables: what would happen to its variables.
        changes: steps by kind, as Pulumi counts them.
        refused: why the update itself would be refused now; it would end with the first of them.
    """

    change: Change
    exists: bool
    commit_before: str
    snapshot_before: str
    steps: tuple[PlannedStep, ...]
    variables: tuple[VariableChange, ...]
    changes: Mapping[str, int]
    refused: tuple[DataopsError, ...] = ()
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether anything would be different."""
        return any(count for op, count in self.changes.items() if op not in UNCHANGED)

    def phases(self) -> dict[str, list[PlannedStep]]:
        """The steps of each phase that has any, in the order of the phases."""
        found: dict[str, list[PlannedStep]] = {}
        for step in self.steps:
            found.setdefault(step.phase, []).append(step)
        return found

    def to_json(self) -> dict[str, Any]:
        """The plan as `-o json` prints it."""
        change = self.change
        return {
            "name": change.name,
            "role": change.role,
            "branch": change.branch,
            "commit": change.commit,
            "commit_before": self.commit_before,
            "target": change.target,
            "snapshot": change.snapshot,
            "snapshot_before": self.snapshot_before,
            "snapshot_age_seconds": snapshot_age(change.snapshot),
            "exists": self.exists,
            "changed": self.changed,
            "changes": dict(self.changes),
            "phases": [
                {
                    "phase": phase,
                    "steps": [
                        {"op": s.op, "type": s.type, "name": s.name, "urn": s.urn, "properties": list(s.properties)}
                        for s in steps
                    ],
                }
                for phase, steps in self.phases().items()
            ],
            "variables": [
                {"name": v.name, "change": v.change, "before": v.before, "after": v.after} for v in self.variables
            ],
            "refused": [{"what": e.what, "where": e.where, "hint": e.hint, "exit": e.exit_code} for e in self.refused],
            "seconds": self.seconds,
        }


@dataclass(slots=True)
class PlanCollector:
    """Gathers the planned steps from the events of a preview; messages and failures go on to the clock."""

    clock: PhaseClock
    steps: list[PlannedStep] = field(default_factory=list)
    file: StepMetadata | None = None
    credentials: bool = False

    def on_engine_event(self, event: Event) -> None:
        """Follows the engine; an `EventSink`."""
        if isinstance(event, (DiagnosticEvent, ResOpFailedEvent)):
            self.clock.on_engine_event(event)
        elif isinstance(event, ResourcePreEvent):
            self._take(event.metadata)

    def planned(self) -> tuple[PlannedStep, ...]:
        """The steps, in the order of their phases; the team's own resources last, deletions last of all."""
        order = {phase: number for number, phase in enumerate((*PHASES, OTHER))}
        return tuple(sorted(self.steps, key=lambda step: (order[step.phase], step.op == "delete")))

    def _take(self, step: StepMetadata) -> None:
        state = step.new or step.old
        if state is None or not state.custom or is_provider(step.type):
            return
        if step.type == "dataops:local:EnvironmentFile" and step.op != "refresh":
            self.file = step
        if step.op not in PLANNED:
            return
        if step.type in ("dataops:postgres:Role", "dataops:local:PostgresCluster") and step.op in MADE_ANEW:
            self.credentials = True
        properties = step.diffs if step.op in ("update", "replace") else ()
        self.steps.append(
            PlannedStep(phase_of(step.urn), step.op, step.type, name_of(step.urn), step.urn, tuple(properties))
        )


def variable_changes(collector: PlanCollector, change: Change) -> tuple[VariableChange, ...]:
    """What would happen to the environment's variables, from the step of the file that holds them.

    Events hide secret values, so of two secret values only the reason for a difference can be known: a role or a
    cluster that is made anew has another password, and `--var` gives what it gives.
    """
    step = collector.file
    if step is None or step.op == "same":
        return ()
    before = _variables(step.old.inputs if step.old else {})
    after = _variables(step.new.inputs if step.new else {})
    found = []
    for name in sorted({*before, *after}):
        if name not in before:
            found.append(VariableChange(name, "added", None, after[name]))
        elif name not in after:
            found.append(VariableChange(name, "removed", before[name], None))
        elif before[name] != after[name] or (
            after[name] == SECRET and (collector.credentials or name in change.variables)
        ):
            found.append(VariableChange(name, "changed", before[name], after[name]))
    return tuple(found)


def _variables(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = inputs.get("variables")
    return dict(found) if isinstance(found, dict) else {}
