"""How often the data of a replica were laid anew: what makes `env reset` and starting over survive a crash.

The numbers are in the environment's record, written before anything is done, and reach the warehouse and the lake as an
input of their resources. Whoever finds data of another number lays them anew; so whatever dies half-way is finished by
the next update, and an update that has nothing to do leaves them alone.
"""

from __future__ import annotations

from dataops.envs.phases import PHASES
from dataops.envs.registry import EnvironmentRecord

STORES = ("warehouse", "lake")
"""The stores that can be laid anew, each the phase in which that is done."""


def next_generations(record: EnvironmentRecord | None, from_phase: str) -> dict[str, str]:
    """The generations that a replica's data are to have.

    Args:
        record: what is known of it, None for a new one.
        from_phase: the phase from which on everything is done again; "" leaves all data as they are.
    """
    known = dict(record.generations) if record else {}
    if not from_phase:
        return known
    later = PHASES[PHASES.index(from_phase) :]
    return known | {store: str(int(known.get(store) or 0) + 1) for store in STORES if store in later}
