"""`env sleep`: stops every process of an environment and keeps its data, ports and credentials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.envs.lock import hold
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.envs.sweep import check_root, end_processes
from dataops.envs.variables import again
from dataops.infra.errors import ConfigurationError, PolicyError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.services.ending import end_runs

ASLEEP = frozenset({State.READY, State.FAILED, State.SLEEPING})
"""States from which an environment may be put to sleep: nobody is in the middle of changing it."""


@dataclass(frozen=True, slots=True)
class SleepReport:
    """What was stopped.

    Args:
        record: the environment as it is now.
        ended: processes that the supervisor did not know, as `pid name`.
        changed: whether anything was running before.
    """

    record: EnvironmentRecord
    ended: tuple[str, ...]
    changed: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report as `-o json` prints it."""
        return {
            "name": self.record.name,
            "state": self.record.state.value,
            "changed": self.changed,
            "ended": list(self.ended),
            "seconds": self.seconds,
        }


def sleep(name: str, registry: Registry, clock: PhaseClock, force: bool = False) -> SleepReport:
    """Puts an environment to sleep; one that sleeps already is no error.

    Args:
        name: the environment.
        registry: where its record is.
        clock: is told of the phases.
        force: also production, and while a pipeline runs.

    Raises:
        NotFoundError: nobody knows it.
        ConfigurationError: it is only half made.
        PolicyError: it is production, or a pipeline runs in it, and `force` is not set; nothing was stopped.
        LockedError: somebody else is at work on it.
    """
    registry.get(name)
    with hold(registry.folder, name, f"env sleep {name}"):
        record = registry.get(name)
        root = Path(record.root)
        check_root(root)
        _refuse(record, force)
        # noted first: if we are killed now, whoever looks sees that it is not meant to be awake
        record = registry.save(record, state=State.SLEEPING)
        with clock.phase("processes", "stopping everything"):
            from dataops.infra.process.containers import remove_owned
            from dataops.infra.process.supervisor import Supervisor

            end_runs(root)
            supervisor = Supervisor(EnvironmentLayout(root).supervisor)
            ran = supervisor.pid() is not None
            if supervisor.directory.is_dir():
                supervisor.stop()
            if record.target == "docker":
                remove_owned(root, ("container",))
            ended = end_processes(root)
    return SleepReport(record, tuple(ended), ran or bool(ended), clock.total())


def _refuse(record: EnvironmentRecord, force: bool) -> None:
    if record.state not in ASLEEP:
        raise ConfigurationError(
            f"{record.name} is {record.state.value}: only a whole environment can sleep",
            where=f"environment {record.name}",
            hint=f"finish it with `{again(record)}`",
        )
    if force:
        return
    if record.role == "production":
        raise PolicyError(
            "production does not sleep",
            where=f"environment {record.name}",
            hint=f"if that is what you want: dataops env sleep {record.name} --force",
        )
    from dataops.services.schedules import running_pipelines

    for run in running_pipelines(Path(record.root)):
        raise PolicyError(
            f"the pipeline {run['pipeline']} is running (run {run.get('run', '?')})",
            where=f"environment {record.name}",
            hint=f"wait for it, or stop it as well: dataops env sleep {record.name} --force",
        )
