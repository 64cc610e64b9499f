"""Which objects of the lake a subset takes: all that no rule matches by its pattern, of the others those chosen."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from dataops.infra.errors import ConfigurationError
from dataops.snapshots.lake import ObjectPlan
from dataops.snapshots.manifest import blake3_hex
from dataops.snapshots.subsets.rules import SubsetRule


def choose_objects(plans: Sequence[ObjectPlan], rules: Sequence[SubsetRule]) -> tuple[ObjectPlan, ...]:
    """The objects that are taken. Objects are whole or absent: what is in them is not looked at.

    Args:
        plans: all objects.
        rules: those for the lake.

    Raises:
        ConfigurationError: a pattern matches no object.
    """
    left_out: set[str] = set()
    chosen: set[str] = set()
    for rule in rules:
        paths = [plan.path for plan in plans if fnmatchcase(plan.path, rule.table)]
        if not paths:
            raise ConfigurationError(
                "the pattern matches no object", where=rule.where, hint="`*` stands for any characters, slashes too"
            )
        left_out |= {*paths}
        chosen |= {*_some(rule, sorted(paths, key=_number))}
    return tuple(plan for plan in plans if plan.path not in left_out - chosen)


def _some(rule: SubsetRule, paths: Sequence[str]) -> Sequence[str]:
    if rule.kind == "percent":
        return [path for path in paths if _number(path) <= int(rule.part * 2**63)]
    if rule.kind == "count":
        return paths[: int(rule.value)]
    return paths if rule.kind == "all" else ()


def _number(path: str) -> int:
    """A number below 2 to the power of 63 that depends on the path alone."""
    return int(blake3_hex(path.encode())[:16], 16) >> 1
