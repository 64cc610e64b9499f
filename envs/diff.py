"""`env diff`: how two environments differ, in code, variables, resources, data and rights. Nothing is changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.envs.diff_code import CodeDifference, compare_code
from dataops.envs.diff_resources import SECRET, declared_resources, differing
from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools
from dataops.envs.variables import read_variables
from dataops.envs.warehouse_facts import TableFacts, WarehouseFacts, warehouse_facts
from dataops.infra.errors import DataopsError
from dataops.infra.platform.lake_objects import objects_of
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.process.lake_volume import lake_at_hand
from dataops.infra.process.redaction import Redactor

SECRETS = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|KEY|PRIVATE|CREDENTIAL", re.IGNORECASE)
"""Names of variables whose values are not shown."""

HASHED = 64 * 2**20
"""Bytes of objects of equal size that are compared by content; of more than that the sizes alone."""

ONLY_A, ONLY_B, DIFFERENT = "only in a", "only in b", "different"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two environments do not have alike.

    Args:
        kind: `variable`, `resource`, `table`, `object`, `role` or `grant`.
        name: which.
        how: `only in a`, `only in b` or `different`.
        a, b: what each has, for people; "" for nothing. Of resources, the properties that differ.
    """

    kind: str
    name: str
    how: str
    a: str = ""
    b: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentDifference:
    """How two environments differ.

    Args:
        a, b: the environments.
        code: their commits and files.
        differences: everything else, by kind.
        unknown: what could not be compared, and why.
        counted: what was alike, by kind.
    """

    a: EnvironmentRecord
    b: EnvironmentRecord
    code: CodeDifference
    differences: tuple[Difference, ...]
    alike: Mapping[str, int]
    unknown: Mapping[str, str]

    @property
    def same(self) -> bool:
        """Whether nothing differs, as far as it could be compared."""
        return not self.differences and self.code.same and self.a.snapshot == self.b.snapshot

    def to_json(self) -> dict[str, Any]:
        """The differences as `-o json` prints them."""
        kinds = ("variable", "resource", "table", "object", "role", "grant")
        return {
            "a": self.a.name,
            "b": self.b.name,
            "same": self.same,
            "code": self.code.to_json(),
            "snapshot": {"a": self.a.snapshot, "b": self.b.snapshot},
            **{
                f"{kind}s": [
                    {"name": d.name, "how": d.how, "a": d.a, "b": d.b} for d in self.differences if d.kind == kind
                ]
                for kind in kinds
            },
            "alike": dict(self.alike),
            "unknown": dict(self.unknown),
        }


def diff(a: EnvironmentRecord, b: EnvironmentRecord, tools: Tools) -> EnvironmentDifference:
    """Compares two environments; what cannot be read of one is told as unknown.

    Raises:
        DataopsError: only for what is wrong with the question itself.
    """
    comparisons: dict[str, Callable[[EnvironmentRecord], Mapping[str, Mapping[str, Any]]]] = {
        "variables": lambda record: {"variable": read_variables(record)},
        "resources": lambda record: {"resource": declared_resources(record, tools)},
        "warehouse": _warehouse,
        "lake": lambda record: {"object": _objects(record)},
    }
    found: list[Difference] = []
    alike: dict[str, int] = {}
    unknown: dict[str, str] = {}
    with ThreadPoolExecutor(2) as pool:
        for subject, look in comparisons.items():
            try:
                one, other = pool.map(look, (a, b))
            except DataopsError as error:
                unknown[subject] = str(error)
                continue
            for kind in one:
                differences = _compare(kind, one[kind], other[kind])
                found += differences
                alike[kind] = len({*one[kind], *other[kind]}) - len(differences)
    return EnvironmentDifference(a, b, compare_code(a, b), tuple(found), alike, unknown)


def _compare(kind: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    found = []
    for name in sorted({*a, *b}):
        one, other = a.get(name), b.get(name)
        if one == other:
            continue
        how = ONLY_B if name not in a else ONLY_A if name not in b else DIFFERENT
        found.append(Difference(kind, name, how, *_shown(kind, name, one, other)))
    return found


def _shown(kind: str, name: str, a: Any, b: Any) -> tuple[str, str]:
    if kind == "variable" and SECRETS.search(name):
        return (SECRET if a is not None else ""), (SECRET if b is not None else "")
    if kind == "table" and isinstance(a, TableFacts) and isinstance(b, TableFacts) and a.columns != b.columns:
        gone, come = set(a.columns) - set(b.columns), set(b.columns) - set(a.columns)
        return _table(a, gone), _table(b, come)
    if kind == "resource":
        return differing(a, b)
    if kind == "table":
        return _table(a, ()), _table(b, ())
    if kind == "variable":
        # A URL may hold a password.
        hide = Redactor({})
        return hide(_text(a)), hide(_text(b))
    return _text(a), _text(b)


def _table(table: TableFacts | None, columns: Any) -> str:
    if table is None:
        return ""
    rows = "view" if table.rows is None else f"{'~' if table.estimated else ''}{table.rows} rows"
    return ", ".join([rows, *sorted(columns)])


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]} bytes{'' if value[1] else ' ~'}"
    return "" if value is None else str(value)


def _warehouse(record: EnvironmentRecord) -> dict[str, Mapping[str, Any]]:
    facts: WarehouseFacts = warehouse_facts(record)
    return {"table": facts.tables, "role": facts.roles, "grant": facts.grants}


def _objects(record: EnvironmentRecord) -> dict[str, tuple[int, str]]:
    """Size and hash of each object; the hash is "" once so much was read that the rest is compared by size."""
    left = HASHED
    found: dict[str, tuple[int, str]] = {}
    with lake_at_hand(EnvironmentLayout(Path(record.root)).lake) as lake:
        for path in objects_of(lake):
            size = path.stat().st_size
            digest = ""
            if size <= left:
                left -= size
                with path.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found[path.relative_to(lake).as_posix()] = (size, digest)
    return found
