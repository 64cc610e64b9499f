"""`env deploy`: production or staging, from the branch that is configured for it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dataops.envs.change import Change, UpdateReport
from dataops.envs.checkout import Checkout
from dataops.envs.lock import hold
from dataops.envs.naming import FIXED
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import Registry
from dataops.envs.stack import Tools
from dataops.envs.update import make_it_so
from dataops.infra.errors import ConfigurationError


def plan(
    name: str, checkout: Checkout, variables: Mapping[str, str] = MappingProxyType({}), target: str = ""
) -> Change:
    """Decides which commit is deployed, without changing anything and without asking whether it may be.

    Args:
        name: `production` or `staging`.
        checkout: the platform.
        variables: variables that override the declared ones.
        target: where it runs; "" for what the commit's `dataops.yaml` says, else where it is, else this machine's
            processes. What a developer prefers for replicas does not move it.

    Raises:
        ConfigurationError: the name is not that of a deployed environment, or the commit's `dataops.yaml` is not valid.
    """
    if name not in FIXED:
        raise ConfigurationError(
            f"{name} is not deployed; only {' and '.join(FIXED)} are",
            hint="a branch's replica comes up with `dataops env up --branch BRANCH`",
        )
    settings = getattr(checkout.platform.environments, name)
    commit = checkout.repository.commit_of(settings.branch)
    platform = checkout.branch_platform(commit)
    record = Registry(checkout.layout.registry).load(name)
    declared = getattr(platform.environments, name).target or ""
    target = target or declared or (record.target if record else "") or "local"
    checkout.require_program(commit, target)
    return Change(
        command=f"env deploy {name}",
        name=name,
        role=name,
        branch=settings.branch,
        commit=commit,
        target=target,
        configuration=platform.configuration(name),
        variables=variables,
        generations=dict(record.generations) if record else {},
    )


def refuse(change: Change, checkout: Checkout) -> None:
    """Refuses to deploy anything but the configured branch in a clean work tree.

    Raises:
        PolicyError: another branch is checked out, or there is uncommitted work.
    """
    checkout.repository.require_release_state(change.branch, change.name)


def deploy(change: Change, checkout: Checkout, tools: Tools, clock: PhaseClock) -> UpdateReport:
    """Deploys what `plan` decided.

    Raises:
        PolicyError: as `refuse`.
        LockedError: somebody else is at work on it.
        DataopsError: as `make_it_so`.
    """
    refuse(change, checkout)
    with hold(checkout.layout.registry, change.name, change.command) as lease:
        return make_it_so(change, checkout, tools, clock, lease)
