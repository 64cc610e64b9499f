"""`env deploy`: production or staging, from the branch that is configured for it and from nothing else."""

from __future__ import annotations

from dataops.envs.checkout import Checkout
from dataops.envs.lock import hold
from dataops.envs.naming import FIXED
from dataops.envs.phases import PhaseClock
from dataops.envs.stack import Tools
from dataops.envs.update import Change, UpdateReport, make_it_so
from dataops.infra.errors import ConfigurationError


def plan(name: str, checkout: Checkout) -> Change:
    """Decides which commit is deployed, and refuses anything but the configured branch in a clean work tree.

    Raises:
        ConfigurationError: the name is not that of a deployed environment, or the commit's `dataops.yaml` is not valid.
        PolicyError: another branch is checked out, or there is uncommitted work.
    """
    if name not in FIXED:
        raise ConfigurationError(
            f"{name} is not deployed; only {' and '.join(FIXED)} are",
            hint="a branch's replica comes up with `dataops env up --branch BRANCH`",
        )
    settings = getattr(checkout.platform.environments, name)
    checkout.repository.require_release_state(settings.branch, name)
    commit = checkout.repository.commit_of(settings.branch)
    checkout.branch_platform(commit)
    return Change(command=f"env deploy {name}", name=name, role=name, branch=settings.branch, commit=commit)


def deploy(change: Change, checkout: Checkout, tools: Tools, clock: PhaseClock) -> UpdateReport:
    """Deploys what `plan` decided.

    Raises:
        LockedError: somebody else is at work on it.
        DataopsError: as `make_it_so`.
    """
    with hold(checkout.layout.registry, change.name, change.command) as lease:
        return make_it_so(change, checkout, tools, clock, lease)
