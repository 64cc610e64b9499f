"""What is to be made of an environment, decided before anything is done, and what was done in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataops.envs.registry import EnvironmentRecord

UNCHANGED = frozenset({"same", "refresh", "read"})
"""Kinds of step that leave everything as it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be made of which commit.

    Args:
        command: the command, for the lock and the history.
        name, role, branch, commit, target: the environment.
        snapshot: where a replica's data comes from.
        developer: whose replica it is.
        production_hosts: where production answers on this machine; a replica must not point there.
        configuration: values for the team's own program, as the stack's configuration.
        variables: variables that override the declared ones; may be secret, so not to be logged.
        generations: how often the data of `warehouse` and `lake` were laid anew, as text; none for never.
        from_phase: the phase from which on everything is done again, "" for none.
        purpose: "" for what somebody works with; what a command made it for that removes it again: `verify`.
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
    configuration: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    generations: Mapping[str, str] = field(default_factory=dict)
    from_phase: str = ""
    purpose: str = ""


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
