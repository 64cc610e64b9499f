"""`env down`: removes an environment, from its record and its state alone, and proves that nothing is left.

Branch, repository and configuration may be gone. The state knows every resource and removes each in order; what a crash
left beside it, or everything when the state is gone too, is found by looking (`envs.sweep`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.envs.facts import ports
from dataops.envs.failure import failure, noting_failure
from dataops.envs.git import registered_worktrees
from dataops.envs.lock import Lease, hold
from dataops.envs.passphrase import find_passphrase
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.envs.stack import OUR_TYPES, EnvironmentStack, Tools, open_stack, state_is_there
from dataops.envs.sweep import check_root, end_processes, leftovers, remove_files
from dataops.infra.errors import (
    AuthenticationError,
    DataopsError,
    LockedError,
    NotFoundError,
    PolicyError,
    VerificationError,
)
from dataops.infra.platform.pool import require_pool
from dataops.infra.process.built_images import built_images, remove_image
from dataops.infra.process.containers import remove_owned
from dataops.infra.process.docker_engine import DockerEngine
from dataops.services.ending import end_runs


@dataclass(frozen=True, slots=True)
class DownReport:
    """What was removed.

    Args:
        name: the environment, which no longer exists.
        changes: steps by kind.
        swept: processes that the state did not know.
        phases: phase to seconds.
        notes: what the user should know.
    """

    name: str
    changes: Mapping[str, int]
    swept: tuple[str, ...]
    phases: Mapping[str, float]
    seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as `-o json` prints it."""
        return {
            "name": self.name,
            "state": "gone",
            "changes": dict(self.changes),
            "left": [],
            "swept": list(self.swept),
            "phases": dict(self.phases),
            "seconds": self.seconds,
            "notes": list(self.notes),
        }


def down(name: str, registry: Registry, tools: Tools, clock: PhaseClock, force: bool = False) -> DownReport:
    """Removes an environment and everything it has on this machine.

    Args:
        name: the environment.
        registry: where its record is.
        tools: see `Tools`.
        clock: is told of the phases.
        force: also when it is production or staging, holds uncommitted work, or its state cannot be opened.

    Raises:
        NotFoundError: nobody knows it.
        PolicyError: it is refused without `force`; nothing was removed.
        AuthenticationError: the passphrase is wrong or missing; nothing was removed.
        LockedError: somebody else is at work on it.
        ResourceError: parts could not be removed; another run continues from there.
        VerificationError: something is left.
    """
    registry.get(name)
    with hold(registry.folder, name, f"env down {name}") as lease:
        return remove_held(name, registry, tools, clock, force, lease)


def remove_held(
    name: str, registry: Registry, tools: Tools, clock: PhaseClock, force: bool, lease: Lease
) -> DownReport:
    """As `down`, for whoever holds the environment's lease."""
    record = registry.get(name)
    root = Path(record.root)
    check_root(root)
    require_pool(root)
    refuse(record, force)
    notes: list[str] = []
    if lease.taken_over:
        notes.append(f"took over the lock of {lease.taken_over.describe()}, who died")
    with clock.phase("passphrase", "opening the state"):
        stack = _open(record, tools, force, notes)
    record = registry.save(record, state=State.DESTROYING)
    with noting_failure(registry, name):
        if running := end_runs(root):
            notes.append(f"ended what was running: {', '.join(running)}")
        changes = _destroy(record, stack, clock) if stack else {}
        with clock.phase("sweep", "looking for anything else"):
            swept = end_processes(root)
            # only now, since a supervisor would start a container again
            swept += _sweep_engine(root, name, registry) if record.target == "docker" else []
            remove_files(root)
            from dataops.infra.providers.local.git_worktree import forget_missing_worktrees

            forget_missing_worktrees(Path(record.repository))
        with clock.phase("proof", "checking that nothing is left"):
            _prove(record)
        try:
            _forget_stack(record, tools)
        except DataopsError as error:
            # What there was is gone; state that cannot be reached must not keep the environment from ending.
            if stack is not None or not force:
                raise
            notes.append(f"its stack {record.stack} is still in {record.backend}: {error.what}")
        registry.remove(name)
    return DownReport(name, changes, tuple(swept), clock.seconds(), clock.total(), tuple(notes))


def _sweep_engine(root: Path, name: str, registry: Registry) -> list[str]:
    """Removes what the environment has on the Docker Engine; what it was."""
    swept, engine = remove_owned(root), DockerEngine()
    images = [image.reference for image in built_images(engine, registry.folder.parent, name)]
    # one that a container of somebody else was made from stays with that container
    return swept + [f"image {reference}" for reference in images if remove_image(engine, reference)]


def refuse(record: EnvironmentRecord, force: bool) -> None:
    """Refuses to remove what cannot be made again.

    Raises:
        PolicyError: it is production or staging, or its code holds work that is in no commit.
    """
    if force:
        return
    from dataops.infra.providers.local.git_worktree import unsaved_work

    if record.role != "replica":
        raise PolicyError(
            f"{record.name} is not a replica: its data exists nowhere else",
            where=f"environment {record.name}",
            hint=f"if that is what you want: dataops env down {record.name} --force --yes",
        )
    for worktree in sorted((Path(record.root) / "code").glob("*")):
        if changed := unsaved_work(worktree):
            raise PolicyError(
                f"the code of {record.name} was edited in place, and that is in no commit: {len(changed)} "
                f"{'path' if len(changed) == 1 else 'paths'}",
                where=str(worktree),
                hint=f"commit or copy them, or give them up: dataops env down {record.name} --force --yes",
                details="\n".join(changed[:10]),
            )


def _open(record: EnvironmentRecord, tools: Tools, force: bool, notes: list[str]) -> EnvironmentStack | None:
    """The environment's stack, None when its state is gone or cannot be opened and need not be."""
    if not state_is_there(record.backend):
        notes.append(f"its state is gone ({record.backend}): what it had was found by looking")
        return None
    try:
        return open_stack(
            tools, record.backend, record.project, record.stack, lambda _: find_passphrase(record.passphrase)
        )
    except NotFoundError:
        notes.append("it had no state yet")
        return None
    except LockedError:
        raise
    except DataopsError as error:
        if not force:
            mend = "put the passphrase back" if isinstance(error, AuthenticationError) else "mend the state"
            raise type(error)(
                error.what,
                where=error.where,
                hint=f"{mend}, or remove it without its state: dataops env down {record.name} --force --yes",
            ) from None
        notes.append("its state could not be opened: what it had was found by looking")
        return None


def _forget_stack(record: EnvironmentRecord, tools: Tools) -> None:
    """Removes the stack with its history; nothing that it knew exists any more."""
    from dataops.infra.state.backend import StackReference

    if not state_is_there(record.backend):
        return
    reference = StackReference(record.project, record.stack)
    try:
        backend = tools.backend(record.backend)
    except NotFoundError:
        return
    if backend.exists(reference):
        backend.remove(reference, force=True)


def _destroy(record: EnvironmentRecord, stack: EnvironmentStack, clock: PhaseClock) -> Mapping[str, int]:
    from dataops.infra.engine.deployer import UpdateOptions

    options = UpdateOptions(message=f"env down {record.name}", adopted=OUR_TYPES)
    with clock.phase("deployment", "removing what the state knows"):
        result = stack.deployer.destroy(stack.reference, record.project, {}, options, clock.on_engine_event)
        if result.failed:
            raise failure(clock, record.name, "mend the cause and run the command again, it continues from here")
    return result.changes


def _prove(record: EnvironmentRecord) -> None:
    root = Path(record.root)
    left = leftovers(root, ports(record.facts)).lines()
    if record.target == "docker":
        left += [f"{owned.kind} {owned.name}" for owned in DockerEngine().owned(str(root))]
    left += [f"worktree {path}" for path in registered_worktrees(Path(record.repository)) if path.is_relative_to(root)]
    if left:
        raise VerificationError(
            f"{len(left)} things of {record.name} are left",
            where=f"environment {record.name}",
            details="\n".join(left),
            hint="end or remove them, then run the command again",
        )
