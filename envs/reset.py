"""`env reset`: a replica's data back to its snapshot, or to another; code, ports and passwords stay as they are.

The data are laid anew by the engine, as a change of the warehouse's and the lake's generation (`envs.generations`), so
a reset that was killed is finished by whoever comes next, `env reset` or `env up`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from dataops.envs.change import Change, UpdateReport
from dataops.envs.checkout import Checkout
from dataops.envs.generations import next_generations
from dataops.envs.lock import Lease, hold
from dataops.envs.passphrase import find_passphrase
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.running import refuse_running
from dataops.envs.stack import Tools, open_stack, state_is_there
from dataops.envs.up import UpRequest, held_snapshot, plan, refuse
from dataops.envs.update import make_it_so
from dataops.infra.errors import ConfigurationError, PolicyError


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """What the user asked for.

    Args:
        name: the replica.
        snapshot: where its data come from, see `dataops.snapshots.choosing`; "" for the one it has.
        force: also while a pipeline runs in it.
    """

    name: str
    snapshot: str = ""
    force: bool = False


def reset(
    request: ResetRequest, registry: Registry, checkout: Checkout, tools: Tools, clock: PhaseClock
) -> UpdateReport:
    """Lays a replica's data anew.

    Raises:
        NotFoundError: there is no such environment, or no such snapshot.
        PolicyError: it is no replica, or a pipeline runs in it; nothing was changed.
        ConfigurationError: it was never completed.
        LockedError: somebody else is at work on it.
        DataopsError: as `make_it_so`.
    """
    refuse_reset(registry.get(request.name), request.force)
    with hold(registry.folder, request.name, f"env reset {request.name}") as lease:
        return reset_held(request, registry, checkout, tools, clock, lease)


def reset_held(
    request: ResetRequest, registry: Registry, checkout: Checkout, tools: Tools, clock: PhaseClock, lease: Lease
) -> UpdateReport:
    """As `reset`, for whoever holds the environment's lease."""
    record = registry.get(request.name)
    refuse_reset(record, request.force)
    variables = recorded_variables(record, tools)
    with held_snapshot(lambda: plan_reset(request, record, checkout, variables), checkout.layout) as change:
        refuse(change, checkout)
        return make_it_so(change, checkout, tools, clock, lease)


def plan_reset(
    request: ResetRequest, record: EnvironmentRecord, checkout: Checkout, variables: dict[str, str]
) -> Change:
    """Decides what the replica will be: as it is, with data of the next generation."""
    bare = not record.snapshot and not request.snapshot
    asked = UpRequest(record.branch, request.snapshot, record.target, variables, bare=bare)
    change = plan(asked, record.name, record.commit, checkout)
    return replace(change, command=f"env reset {record.name}", generations=next_generations(record, "warehouse"))


def refuse_reset(record: EnvironmentRecord, force: bool) -> None:
    """Refuses to replace data that exist nowhere else, or that somebody is working on.

    Raises:
        PolicyError: it is production or staging, or a pipeline runs in it.
        ConfigurationError: it was never completed, so there is nothing to reset.
    """
    if record.role != "replica":
        raise PolicyError(
            f"{record.name} is not a replica: its data exist nowhere else",
            where=f"environment {record.name}",
            hint="only replicas are reset",
        )
    if "worktree" not in record.facts:
        raise ConfigurationError(
            f"environment {record.name} was never completed",
            hint=f"complete it with `dataops env up --branch {record.branch}`",
        )
    if not force:
        refuse_running(record)


def recorded_variables(record: EnvironmentRecord, tools: Tools) -> dict[str, str]:
    """The variables that the last update was given with `--var`, from its encrypted history. Must not be logged."""
    if not state_is_there(record.backend):
        return {}
    stack = open_stack(
        tools, record.backend, record.project, record.stack, lambda _: find_passphrase(record.passphrase)
    )
    for update in stack.backend.history(stack.reference):
        value = update.config.get("dataops:variables")
        if not isinstance(value, dict) or "secure" not in value:
            return {}
        found: dict[str, str] = json.loads(stack.secrets.decrypt(str(value["secure"])))
        return found
    return {}


def checkout_of(record: EnvironmentRecord, here: Path) -> Checkout:
    """The platform of an environment: the one at hand when it is that, else as the environment's own code has it.

    Raises:
        DataopsError: neither can be had; the environment's repository may be gone.
    """
    from dataops.envs.checkout import find_layout

    layout = find_layout(here)
    if layout is not None and layout.environment(record.name).root == Path(record.root):
        return Checkout.find(here)
    return Checkout.find(Path(str(record.facts.get("directory") or record.repository)))
