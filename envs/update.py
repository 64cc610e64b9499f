"""Making an environment what a commit declares: the part that `env up`, `env deploy` and `env reset` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.change import Change, UpdateReport
from dataops.envs.checkout import Checkout
from dataops.envs.facts import facts_of
from dataops.envs.failure import failure, noting_failure
from dataops.envs.lock import Lease
from dataops.envs.passphrase import find_passphrase, keep_out_of_git
from dataops.envs.phases import PhaseClock
from dataops.envs.place import claim_place
from dataops.envs.registry import EnvironmentRecord, Registry, State, now
from dataops.envs.request import EngineRequest, parameters_of, request_for
from dataops.envs.running import refuse_running
from dataops.envs.stack import EnvironmentStack, Tools, open_stack
from dataops.infra.errors import ConfigurationError, PolicyError
from dataops.infra.platform.addresses import remember_addresses
from dataops.infra.process.identity import user_name

if TYPE_CHECKING:
    from dataops.infra.platform.parameters import EnvironmentParameters

KEPT_NOTES = 50


def make_it_so(change: Change, checkout: Checkout, tools: Tools, clock: PhaseClock, lease: Lease) -> UpdateReport:
    """Brings an environment to the state that a commit declares. The caller holds its lease.

    Raises:
        AuthenticationError: the passphrase is wrong or missing; nothing was changed.
        ProgramError: the branch's own program failed.
        ResourceError, VerificationError: parts of the environment could not be made; another run continues from there.
    """
    registry = Registry(checkout.layout.registry)
    checkout.layout.require_pool(checkout.layout.environment(change.name).root)
    notes = _note_takeover(lease, clock)
    refuse_update(registry.load(change.name), change)
    with clock.phase("passphrase", "opening the state"):
        stack = _open(change, checkout, tools)
        claim_place(stack, checkout.layout.environment(change.name).root)
    if stack.passphrase_made and not change.purpose:
        notes.append(f"made a passphrase for the state's secrets: {stack.passphrase_made} (mode 0600; keep it safe)")
        clock.note("passphrase", notes[-1])
    record = _remember(change, checkout, registry, stack, notes)
    with noting_failure(registry, change.name):
        if change.role == "replica":
            remember_addresses(Path(record.root), change.production_hosts)
        parameters = parameters_of(change, checkout)
        with clock.phase("code", f"commit {change.commit[:12]} of {change.branch}"):
            _extract(parameters)
        changes = _deploy(change.name, request_for(change, checkout, parameters.root), stack, clock)
        with clock.phase("record"):
            facts = facts_of(stack.backend.load(stack.reference, stack.secrets), checkout.subdirectory)
            record = registry.save(record, state=State.READY, failure="", facts=facts, phases=clock.seconds())
    return UpdateReport(record, changes, clock.seconds(), clock.total(), tuple(notes))


def refuse_update(record: EnvironmentRecord | None, change: Change) -> None:
    """Refuses an update that would destroy what somebody needs.

    Raises:
        ConfigurationError: the name belongs to another branch.
        PolicyError: the environment's code was edited in place; a pipeline runs while all of it is to be done again.
    """
    if record is None:
        return
    if (record.branch, record.role) != (change.branch, change.role):
        raise ConfigurationError(
            f"environment {change.name} belongs to branch {record.branch}",
            hint=f"take it down first: `dataops env down {change.name}`",
        )
    if record.target != change.target:
        raise ConfigurationError(
            f"environment {change.name} runs on the target {record.target}",
            hint=_to_move(record, change.target),
        )
    refuse_lost_work(record, change)
    if change.from_phase:
        refuse_running(record)


def _to_move(record: EnvironmentRecord, target: str) -> str:
    """How an environment gets to another target."""
    down = f"`dataops env down {record.name}`"
    if record.role == "replica":
        return f"to have it on {target}, take it down first: {down}"
    return (
        f"leave it on {record.target}; to have it on {target}, save its data, which nothing else has (a dump of the "
        f"warehouse that `dataops env connect {record.name}` names, and the objects of its lake), then {down}, deploy "
        "it anew and load them"
    )


def refuse_lost_work(record: EnvironmentRecord, change: Change) -> None:
    """Refuses to replace the code of an environment in which somebody has edited it without committing."""
    if "worktree" not in record.facts:
        return
    if record.commit == change.commit and change.from_phase != "code":
        return
    from dataops.infra.providers.local.git_worktree import unsaved_work

    worktree = Path(record.facts["worktree"])
    if changed := unsaved_work(worktree):
        raise PolicyError(
            f"the code of {record.name} was edited in place, and that is in no commit: {len(changed)} "
            f"{'path' if len(changed) == 1 else 'paths'}",
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
        generations=dict(change.generations),
        purpose=change.purpose,
        notes=[*(old.notes if old else []), *({"at": now(), "what": note} for note in notes)][-KEPT_NOTES:],
    )
    return registry.save(record)


def _extract(parameters: EnvironmentParameters) -> None:
    """The worktree is a resource of the program that lies in it, so it is made before; the resource adopts it."""
    from dataops.infra.providers.local.git_worktree import ensure_worktree

    ensure_worktree(parameters.repository, parameters.commit, parameters.worktree)


def _deploy(name: str, request: EngineRequest, stack: EnvironmentStack, clock: PhaseClock) -> Mapping[str, int]:
    with clock.phase("deployment", "running the branch's program"):
        result = stack.deployer.up(
            stack.reference, request.program, request.config, request.options, clock.on_engine_event
        )
        if result.failed:
            raise failure(clock, name)
    return result.changes


def _note_takeover(lease: Lease, clock: PhaseClock) -> list[str]:
    if lease.taken_over is None:
        return []
    note = f"took over the lock of {lease.taken_over.describe()}, who died during `{lease.taken_over.command}`"
    clock.note("lock", note)
    return [note]
