"""The table of kills that a run of the tests prints at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Victim(StrEnum):
    """Who is killed."""

    COMMAND = "command line"
    SUPERVISOR = "supervisor"
    POSTGRES = "Postgres"
    ENGINE = "engine"
    PROGRAM = "program"
    DYNAMIC = "dynamic"
    PLUGIN = "plugin"


@dataclass
class KillTable:
    """How many kills hit, by command, victim and phase."""

    hits: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, command: str, victim: str, phases: Iterable[str]) -> None:
        """Counts a kill for the phases that ran; one that found none was too late, and counts for nothing."""
        running = tuple(phases)
        if not running:
            self.missed[command, victim] += 1
        for phase in running:
            self.hits[command, victim, phase] += 1

    def lines(self) -> Iterable[str]:
        """For each command a line for each phase, with a column for each victim that there was."""
        known = {victim for _, victim, _ in self.hits} | {victim for _, victim in self.missed}
        victims = [victim for victim in Victim if victim in known]
        for command in sorted({command for command, _, _ in self.hits}):
            yield f"{f'kills that hit during {command}':<44}" + "".join(f"{victim:>14}" for victim in victims)
            for phase in dict.fromkeys(phase for c, _, phase in self.hits if c == command):
                counts = [self.hits[command, victim, phase] for victim in victims]
                yield f"  {phase:<42}" + "".join(f"{count or '-':>14}" for count in counts)
            late = [self.missed[command, victim] for victim in victims]
            if any(late):
                yield f"  {'(too late, not counted)':<42}" + "".join(f"{count or '-':>14}" for count in late)
