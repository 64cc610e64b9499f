"""Making an environment what a commit declares: the part that `env up` and `env deploy` share."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.checkout import Checkout
from dataops.envs.facts import facts_of
from dataops.envs.lock import Lease
from dataops.envs.passphrase import find_passphrase, keep_out_of_git
from dataops.envs.phases import PhaseClock
from dataops.envs.place import claim_place
from dataops.envs.registry import EnvironmentRecord, Registry, State, now
from dataops.envs.stack import OUR_TYPES, EnvironmentStack, Tools, open_stack
from dataops.infra.errors import (
    AuthenticationError,
    ConfigurationError,
    DataopsError,
    NotFoundError,
    PolicyError,
    ResourceError,
    VerificationError,
)
from dataops.infra.platform.addresses import remember_addresses
from dataops.infra.platform.parameters import EnvironmentParameters
from dataops.infra.process.identity import user_name

if TYPE_CHECKING:
    from dataops.infra.engine.deployer import Program
    from dataops.infra.state.project import ProjectFile

KEPT_NOTES = 50
UNCHANGED = frozenset({"same", "refresh", "read"})


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be made of which commit, decided before anything is done.

    Args:
        command: the command, for the lock and the history.
        name, role, branch, commit, target: the environment.
        snapshot: where a replica's data comes from.
        developer: whose replica it is.
        production_hosts: where production answers on this machine; a replica must not point there.
    """

    command: str
    name: str
    role: str
    branch: str
    commit: str
    target: str = "local"
    snapshot: str = ""
    developer: str = ""
    production_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What an update did.

    Args:
        record: the environment as it is now.
        changes: steps by kind, as Pulumi counts them.
        phases: phase to seconds; they overlap, so they add up to more than `seconds`.
        notes: what the user should know beside that.
    """

    record: EnvironmentRecord
    changes: Mapping[str, int]
    phases: Mapping[str, float]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return any(count for op, count in self.changes.items() if op not in UNCHANGED)


def make_it_so(change: Change, checkout: Checkout, tools: Tools, clock: PhaseClock, lease: Lease) -> UpdateReport:
    """Brings an environment to the state that a commit declares. The caller holds its lease.

    Raises:
        AuthenticationError: the passphrase is wrong or missing; nothing was changed.
        ProgramError: the branch's own program failed.
        ResourceError, VerificationError: parts of the environment could not be made; another run continues from there.
    """
    registry = Registry(checkout.layout.registry)
    notes = _note_takeover(lease, clock)
    refuse_lost_work(registry.load(change.name), change)
    with clock.phase("passphrase", "opening the state"):
        stack = _open(change, checkout, tools)
        claim_place(stack, checkout.layout.environment(change.name).root)
    if stack.passphrase_made:
        notes.append(f"made a passphrase for the state's secrets: {stack.passphrase_made} (mode 0600; keep it safe)")
        clock.note("passphrase", notes[-1])
    record = _remember(change, checkout, registry, stack, notes)
    with noting_failure(registry, change.name):
        if change.role == "replica":
            remember_addresses(Path(record.root), change.production_hosts)
        parameters = _parameters(change, checkout)
        with clock.phase("code", f"commit {change.commit[:12]} of {change.branch}"):
            _extract(parameters)
        changes = _deploy(change, parameters, checkout, stack, clock)
        with clock.phase("record"):
            facts = facts_of(stack.backend.load(stack.reference, stack.secrets), checkout.subdirectory)
            record = registry.save(record, state=State.READY, failure="", facts=facts, phases=clock.seconds())
    return UpdateReport(record, changes, clock.seconds(), clock.total(), tuple(notes))


@contextmanager
def noting_failure(registry: Registry, name: str) -> Iterator[None]:
    """Notes in the record that, and why, the block failed."""
    try:
        yield
    except BaseException as error:
        record = registry.load(name)
        if record is not None:
            why = error.what if isinstance(error, DataopsError) else "interrupted"
            if not isinstance(error, (DataopsError, KeyboardInterrupt)):
                why = f"defect: {type(error).__name__}"
            with suppress(
                OSError, DataopsError
            ):  # on a disk that is full this cannot be noted: the error itself counts
                registry.save(record, state=State.FAILED, failure=why)
        raise


def refuse_lost_work(record: EnvironmentRecord | None, change: Change) -> None:
    """Refuses to replace the code of an environment in which somebody has edited it without committing."""
    if record is None or record.commit == change.commit or "worktree" not in record.facts:
        return
    from dataops.infra.providers.local.git_worktree import unsaved_work

    worktree = Path(record.facts["worktree"])
    if changed := unsaved_work(worktree):
        raise PolicyError(
            f"the code of {record.name} was edited in place, and {len(changed)} paths are in no commit",
            where=str(worktree),
            hint="commit that work to the branch or move it away, then run the command again",
            details="\n".join(changed[:10]),
        )


def _open(change: Change, checkout: Checkout, tools: Tools) -> EnvironmentStack:
    local = checkout.folder / ".dataops"
    if checkout.backend_url.startswith(f"file://{local.resolve()}/"):
        keep_out_of_git(local)
    source = checkout.passphrase_source
    return open_stack(
        tools,
        checkout.backend_url,
        checkout.platform.name,
        change.name,
        lambda may_make: find_passphrase(source, may_make),
        create=True,
    )


def _remember(
    change: Change, checkout: Checkout, registry: Registry, stack: EnvironmentStack, notes: list[str]
) -> EnvironmentRecord:
    """Writes down what is about to be made, before it is."""
    old = registry.load(change.name)
    record = EnvironmentRecord(
        name=change.name,
        platform=checkout.platform.name,
        role=change.role,
        branch=change.branch,
        commit=change.commit,
        repository=str(checkout.repository.common),
        directory=checkout.subdirectory,
        root=str(checkout.layout.environment(change.name).root),
        backend=checkout.backend_url,
        project=checkout.platform.name,
        stack=change.name,
        passphrase=checkout.passphrase_source,
        salt=str((stack.secrets.provider.get("state") or {}).get("salt") or ""),
        target=change.target,
        snapshot=change.snapshot,
        state=State.UPDATING if old is not None and old.facts else State.CREATING,
        owner=old.owner if old else user_name(),
        created=old.created if old else "",
        facts=old.facts if old else {},
        phases=old.phases if old else {},
        notes=[*(old.notes if old else []), *({"at": now(), "what": note} for note in notes)][-KEPT_NOTES:],
    )
    if old is not None and (old.branch, old.role) != (change.branch, change.role):
        raise ConfigurationError(
            f"environment {change.name} belongs to branch {old.branch}",
            hint=f"take it down first: `dataops env down {change.name}`",
        )
    return registry.save(record)


def _parameters(change: Change, checkout: Checkout) -> EnvironmentParameters:
    return EnvironmentParameters(
        environment=change.name,
        role=change.role,
        repository=checkout.repository.common,
        commit=change.commit,
        home=checkout.layout.home,
        directory=checkout.layout.directory,
        target=change.target,
        branch=change.branch,
        subdirectory=checkout.subdirectory,
        snapshot=change.snapshot,
        developer=change.developer,
        production_hosts=change.production_hosts,
    )


def _extract(parameters: EnvironmentParameters) -> None:
    """The worktree is a resource of the program that lies in it, so it is made before; the resource adopts it."""
    from dataops.infra.providers.local.git_worktree import ensure_worktree

    ensure_worktree(parameters.repository, parameters.commit, parameters.worktree)


def _deploy(
    change: Change, parameters: EnvironmentParameters, checkout: Checkout, stack: EnvironmentStack, clock: PhaseClock
) -> Mapping[str, int]:
    from dataops.infra.engine.deployer import UpdateOptions
    from dataops.infra.state.project import load_project

    file = parameters.root / "Pulumi.yaml"
    if not file.is_file():
        raise ConfigurationError(
            f"commit {change.commit[:12]} has no Pulumi.yaml beside dataops.yaml",
            hint="write one on that branch with `dataops init` and commit it",
        )
    project = load_project(file)
    options = UpdateOptions(
        refresh=True,
        message=change.command,
        adopted=OUR_TYPES,
        metadata={"git.head": change.commit, "git.headName": f"refs/heads/{change.branch}", "git.dirty": "false"},
    )
    config = {**project.defaults, **parameters.to_config()}
    with clock.phase("deployment", "running the branch's program"):
        program = program_of(project, checkout.platform.name)
        result = stack.deployer.up(stack.reference, program, config, options, clock.on_engine_event)
        if result.failed:
            raise failure(clock, change.name)
    return result.changes


def program_of(project: ProjectFile, name: str) -> Program:
    """The program that a Pulumi.yaml describes, as the engine runs it."""
    from dataops.infra.engine.deployer import Program

    python = project.virtualenv / "bin" / "python" if project.virtualenv else Path(sys.executable)
    return Program(project=name, root=project.root, main=project.main, python=python)


def failure(clock: PhaseClock, name: str, hint: str = "") -> DataopsError:
    """The error for an operation that ended with failed steps: which, and what was said about them."""
    failures = clock.failures()
    lines = [
        line
        for failed in failures
        for line in (failed.messages or ("failed",))
        for line in [f"{_short(failed.urn)}{line}"]
    ]
    codes = {f.exit_code for f in failures}
    kinds = (k for k in (PolicyError, VerificationError, AuthenticationError, NotFoundError) if k.exit_code in codes)
    kind: type[DataopsError] = next(kinds, ResourceError)
    hint = hint or next((f.hint for f in failures if f.exit_code == kind.exit_code and f.hint), "")
    named = ", ".join(_short(f.urn).removesuffix(": ") for f in failures if f.urn)
    return kind(
        f"{named or 'the deployment'} failed",
        where=f"environment {name}",
        details="\n".join(lines) or None,
        hint=hint
        or f"mend the cause and run the command again, it continues from here; `dataops env down {name}` removes it",
    )


def _short(urn: str) -> str:
    from dataops.infra.resources.urn import name_of, type_of

    return f"{type_of(urn).rpartition(':')[2]} {name_of(urn)}: " if urn else ""


def _note_takeover(lease: Lease, clock: PhaseClock) -> list[str]:
    if lease.taken_over is None:
        return []
    note = f"took over the lock of {lease.taken_over.describe()}, who died during `{lease.taken_over.command}`"
    clock.note("lock", note)
    return [note]
