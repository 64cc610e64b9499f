"""`env up`: a developer's private replica of production, with the code of a branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from dataops.envs.change import Change, UpdateReport
from dataops.envs.checkout import Checkout
from dataops.envs.generations import next_generations
from dataops.envs.guard import forbidden, refuse_configuration
from dataops.envs.lock import hold, holder_of
from dataops.envs.naming import name_for, slug
from dataops.envs.phases import PhaseClock, check_phase
from dataops.envs.registry import Registry
from dataops.envs.stack import Tools
from dataops.envs.update import make_it_so
from dataops.infra.errors import NotFoundError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process.identity import user_name


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What the user asked for.

    Args:
        branch: whose code it runs.
        snapshot: where its data comes from, see `dataops.snapshots.choosing`; "" for the one it has, or the newest.
        target: where it runs; "" for where it is, or this machine's processes.
        variables: variables that override the declared ones.
        from_phase: the phase from which on everything is done again; "" for what differs only.
        bare: whether it begins with an empty warehouse and lake, without a snapshot.
    """

    branch: str
    snapshot: str = ""
    target: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    from_phase: str = ""
    bare: bool = False


def up(request: UpRequest, checkout: Checkout, tools: Tools, clock: PhaseClock) -> UpdateReport:
    """Makes the replica of a branch, or brings it up to date; what is there already is left as it is.

    Raises:
        NotFoundError: no such branch; no snapshot yet.
        ConfigurationError: the branch's `dataops.yaml` is not valid; no such phase.
        PolicyError: the replica could reach production.
        LockedError: somebody else is at work on it.
        DataopsError: as `make_it_so`.
    """
    with clock.phase("plan", f"branch {request.branch}"):
        commit = commit_of(request.branch, checkout)
        name = environment_name(request.branch, checkout)
    while True:
        with hold(checkout.layout.registry, name, f"env up --branch {request.branch}") as lease:
            # Another branch of the same slug may have been faster to take the name, which is free no more.
            if (chosen := environment_name(request.branch, checkout)) == name:
                note_rewritten(request.branch, name, checkout, clock)
                with held_snapshot(partial(plan, request, name, commit, checkout), checkout.layout) as change:
                    refuse(change, checkout)
                    return make_it_so(change, checkout, tools, clock, lease)
        name = chosen


def commit_of(branch: str, checkout: Checkout) -> str:
    """The commit that a branch is at.

    Raises:
        NotFoundError: there is no such branch; when it has an environment, that is said, and what can be done with it.
    """
    try:
        return checkout.repository.commit_of(branch)
    except NotFoundError as error:
        for record in Registry(checkout.layout.registry).all():
            if record.branch == branch and record.role == "replica" and not record.purpose:
                raise NotFoundError(
                    f"branch {branch} is gone; its environment {record.name} still runs commit {record.commit[:12]}",
                    where=error.where,
                    hint=f"bring it back with `git branch {branch} {record.commit[:12]}`, "
                    f"or remove the environment with `dataops env down {record.name}`",
                ) from None
        raise


def note_rewritten(branch: str, name: str, checkout: Checkout, clock: PhaseClock) -> None:
    """Says so when the branch no longer holds the commit that its environment runs: it was force-pushed, say."""
    record = Registry(checkout.layout.registry).load(name)
    if record is not None and (became := checkout.repository.standing(branch, record.commit)):
        clock.note("plan", f"{became}: {name} moves to what the branch holds now")


def plan(request: UpRequest, name: str, commit: str, checkout: Checkout) -> Change:
    """Decides what the replica will be, without changing anything and without asking whether it may be."""
    if request.from_phase:
        check_phase(request.from_phase)
    platform = checkout.branch_platform(commit)
    registry = Registry(checkout.layout.registry)
    known = registry.load(name)
    target = request.target or (known.target if known else "") or "local"
    checkout.require_program(commit, target)
    return Change(
        command=f"env up --branch {request.branch}",
        name=name,
        role="replica",
        branch=request.branch,
        commit=commit,
        target=target,
        snapshot="" if request.bare else chosen_snapshot(request.snapshot, registry, name, checkout),
        developer=user_name(),
        production_hosts=forbidden(checkout, platform, registry.all()),
        configuration=platform.configuration("replica"),
        variables=request.variables,
        generations=next_generations(known, request.from_phase),
        from_phase=request.from_phase,
        purpose=known.purpose if known else "",
    )


def refuse(change: Change, checkout: Checkout) -> None:
    """Refuses a replica that must not be.

    Raises:
        PolicyError: something that is configured for it points at production.
    """
    platform, off_limits = checkout.branch_platform(change.commit), change.production_hosts
    refuse_configuration(checkout, platform, change.branch, change.commit, off_limits, change.variables)


def environment_name(branch: str, checkout: Checkout) -> str:
    """The name of a branch's replica among the environments that exist, or that others are just about to make."""
    records = Registry(checkout.layout.registry).all()
    taken = {record.name: record.branch if not record.purpose else "" for record in records}
    plain, command = slug(branch), "env up --branch "
    holder = holder_of(checkout.layout.registry, plain)
    if plain not in taken and holder is not None and holder.alive() and holder.command.startswith(command):
        taken[plain] = holder.command.removeprefix(command)
    return name_for(branch, taken)


def chosen_snapshot(asked: str, registry: Registry, name: str, checkout: Checkout) -> str:
    """The snapshot that was asked for, else the one the replica has already, else the newest.

    Raises:
        NotFoundError: there is no such snapshot, or none at all; says which there are.
    """
    from dataops.snapshots.choosing import NEWEST, choose_snapshot

    record = registry.load(name)
    return choose_snapshot(asked or (record.snapshot if record else "") or NEWEST, checkout.layout).id


@contextmanager
def held_snapshot(decide: Callable[[], Change], layout: PlatformLayout) -> Iterator[Change]:
    """What is decided, with its snapshot kept from being removed until the environment's record says that it is used.

    Args:
        decide: decides; once more when its snapshot was removed in that very moment.
    """
    from dataops.snapshots.store import keeping

    with ExitStack() as stack:
        change = decide()
        if not change.snapshot:
            yield change
            return
        try:
            stack.enter_context(keeping(layout.snapshots, change.snapshot))
        except NotFoundError:
            change = decide()
            stack.enter_context(keeping(layout.snapshots, change.snapshot))
        yield change
