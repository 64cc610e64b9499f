"""`env wake`: brings a sleeping environment back, or one whose processes are gone since the machine was restarted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.envs.lock import hold
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry, State, now
from dataops.envs.sweep import check_root
from dataops.envs.variables import again
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.pool import require_pool
from dataops.infra.process.liveness import supervisor_runs

WAKEABLE = frozenset({State.READY, State.SLEEPING})
KEPT_NOTES = 50


@dataclass(frozen=True, slots=True)
class WakeReport:
    """What came back.

    Args:
        record: the environment as it is now.
        moved: ports that somebody else had taken meanwhile, old to new.
        phases: phase to seconds.
        notes: what the user should know.
        changed: whether it was asleep or stopped.
    """

    record: EnvironmentRecord
    moved: Mapping[int, int]
    phases: Mapping[str, float]
    seconds: float
    notes: tuple[str, ...] = ()
    changed: bool = True

    def to_json(self) -> dict[str, Any]:
        """The report as `-o json` prints it."""
        facts = self.record.facts
        return {
            "name": self.record.name,
            "state": self.record.state.value,
            "changed": self.changed,
            "warehouse": facts.get("warehouse", {}),
            "urls": {name: s["url"] for name, s in facts.get("services", {}).items() if "url" in s},
            "moved": {str(old): new for old, new in self.moved.items()},
            "phases": dict(self.phases),
            "seconds": self.seconds,
            "notes": list(self.notes),
        }


def wake(name: str, registry: Registry, clock: PhaseClock) -> WakeReport:
    """Starts everything again: same data, ports and credentials. What runs already is left alone.

    Neither the branch nor the state is needed. A port that somebody else has taken meanwhile is replaced, in the
    environment's variables and endpoints as well; that is said, and noted in the record.

    Raises:
        NotFoundError: nobody knows it, or there is nothing to start.
        ConfigurationError: it is only half made.
        LockedError: somebody else is at work on it.
        ResourceError, DeadlineError: a process does not come up; the details are the last lines of its log.
    """
    from dataops.infra.providers.local.awakening import Moved, start_services, start_warehouse

    registry.get(name)
    with hold(registry.folder, name, f"env wake {name}"):
        record = registry.get(name)
        check_root(Path(record.root))
        require_pool(Path(record.root))
        if record.state not in WAKEABLE or not record.facts:
            raise ConfigurationError(
                f"{name} is {record.state.value}: only a whole environment can be woken",
                where=f"environment {name}",
                hint=f"finish it with `{again(record)}`",
            )
        layout, moved = EnvironmentLayout(Path(record.root)), Moved()
        awake = record.state is State.READY and supervisor_runs(layout.supervisor)
        with clock.phase("warehouse", "starting the server"):
            start_warehouse(layout, name, moved)
            _follow_warehouse(record, layout, moved)
        services = {name: int(s.get("port") or 0) for name, s in (record.facts.get("services") or {}).items()}
        with clock.phase("services", "starting everything else"):
            start_services(layout, name, services, moved)
        notes = tuple(f"port {old} was taken meanwhile: it is {new} now" for old, new in moved.ports.items())
        record = registry.save(
            record,
            state=State.READY,
            facts=moved.rewrite_all(record.facts),
            notes=[*record.notes, *({"at": now(), "what": note} for note in notes)][-KEPT_NOTES:],
        )
    return WakeReport(record, dict(moved.ports), clock.seconds(), clock.total(), notes, changed=not awake)


def _follow_warehouse(record: EnvironmentRecord, layout: EnvironmentLayout, moved: Any) -> None:
    """If an earlier wake was cut short after it had moved the server, the record still has the old port."""
    from dataops.infra.process.postgres_status import status

    known, found = (record.facts.get("warehouse") or {}).get("port"), status(layout.postgres)
    if known and found and found.port != int(known):
        moved.ports = {int(known): found.port}
