"""Which rows of each table a subset takes, and why: rules set against a database, then closed over its keys.

A table that no rule names and no key reaches is taken whole when it is small and refers, directly or by way of others,
to nothing of which only a part is taken: that is what tables of codes, units and countries are like. Others are empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dataops.infra.errors import ConfigurationError, InternalError, NotFoundError
from dataops.snapshots.catalogue import Catalogue, SourceTable
from dataops.snapshots.large_objects import PAGES
from dataops.snapshots.manifest import Portion
from dataops.snapshots.subsets.closure import Closure, fetching_by_number, read_rows
from dataops.snapshots.subsets.keys import Key, read_keys
from dataops.snapshots.subsets.rules import OPTION, SubsetRule
from dataops.snapshots.subsets.seeds import Relation, query_of, run
from dataops.snapshots.subsets.selection import RowSet, Selection

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

SMALL = 8 << 20
"""Bytes up to which a table that nothing leads to is taken whole."""
COUNTED = 1 << 30
"""Bytes up to which the rows of a table are counted; of larger ones the server's estimate is told."""


@dataclass(frozen=True, slots=True)
class Subset:
    """What is taken of a database.

    Args:
        selections: the rows, by table; a table that is not among them is taken whole.
        portions: what the manifest says of each table.
        rules: those that were given, tables with their schemas.
    """

    selections: Mapping[int, Selection] = field(repr=False)
    portions: Mapping[str, Portion]
    rules: tuple[SubsetRule, ...]


def choose(
    connection: Connection, catalogue: Catalogue, rules: Sequence[SubsetRule], progress: Callable[[str], None]
) -> Subset:
    """Chooses the rows of a subset.

    Args:
        connection: sees the snapshot, in a read-only transaction.
        catalogue: of the same snapshot.
        rules: those for tables.
        progress: called with a line for what is worth telling.

    Raises:
        NotFoundError: a rule names a table that is not there.
        ConfigurationError: a table's name is ambiguous, or a rule chooses nothing or is not understood by Postgres.
        PolicyError: a predicate writes.
        ResourceError: a predicate fails on a row.
    """
    choice = _Choice(connection, catalogue, [(rule, resolve(rule, catalogue)) for rule in rules])
    chosen = choice.seed()
    along = choice.along()
    with fetching_by_number(connection):
        choice.closure.go_along(chosen, along)
        choice.closure.complete(chosen)
    lookups = choice.lookups(chosen)
    portions, selections = {}, {}
    for table in catalogue.tables:
        rows = chosen[table.oid]
        if rows.whole or table.oid in lookups:
            portions[table.label] = Portion("small" if table.oid in lookups else "all", None, False)
            continue
        selections[table.oid] = rows.selection()
        total, estimated = choice.total(table)
        portions[table.label] = Portion(choice.reason(table, len(rows)), total, estimated)
    for line in _told(catalogue, portions, selections):
        progress(line)
    settled = tuple(SubsetRule(relation.label, r.kind, r.value) for r, relation in choice.rules)
    return Subset(selections, portions, settled)


def resolve(rule: SubsetRule, catalogue: Catalogue) -> Relation:
    """The table, or partitioned table, that a rule names."""
    relations: dict[str, list[SourceTable]] = defaultdict(list)
    for table in catalogue.tables:
        for label in {table.label, table.root}:
            relations[label].append(table)
    found = [n for n in relations if rule.table in (n, n.partition(".")[2])]
    if not found:
        near = get_close_matches(rule.table, [*relations, *(name.partition(".")[2] for name in relations)], n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(relations)[:8])}"
        raise NotFoundError(f"there is no table {rule.table}", where=rule.where, hint=hint)
    if len(found) > 1:
        raise ConfigurationError(
            f"there are several tables {rule.table}", where=rule.where, hint=f"write one of {', '.join(sorted(found))}"
        )
    leaves = relations[found[0]]
    return Relation(found[0], tuple(table.oid for table in leaves), all(t.label != found[0] for t in leaves))


class _Choice:
    """The rules of a subset, each with the table that it names."""

    def __init__(
        self, connection: Connection, catalogue: Catalogue, rules: Sequence[tuple[SubsetRule, Relation]]
    ) -> None:
        self.rules = rules
        self._connection = connection
        self._tables = {table.oid: table for table in catalogue.tables}
        self._keys: tuple[Key, ...] = read_keys(connection, catalogue)
        self.closure = Closure(connection, self._tables, self._keys)

    def seed(self) -> dict[int, RowSet]:
        """The rows that rules name by themselves."""
        whole = {oid for rule, relation in self.rules if rule.kind == "all" for oid in relation.leaves}
        rows = {oid: RowSet(oid in whole) for oid in self._tables}
        for rule, relation in self.rules:
            if rule.kind in ("percent", "count") and relation.label == PAGES:
                raise ConfigurationError(
                    "it would take parts of large objects",
                    where=rule.where,
                    hint=f'choose them by who refers to them: "{PAGES}: loid IN (SELECT photo FROM people WHERE …)"',
                )
            query = query_of(rule, relation, self._connection)
            if query is None:
                continue
            found = run(self._connection, rule, relation, query, read_rows)
            if not any(found.values()):
                raise ConfigurationError(
                    f"it chooses no row of {relation.label}",
                    where=rule.where,
                    hint="choose more; for no rows but those that others refer to, write TABLE:none",
                )
            for oid, numbers in found.items():
                if oid not in relation.leaves:
                    raise InternalError(f"the rule {rule.text} chose rows of other tables")
                rows[oid].add(numbers)
        return rows

    def along(self) -> frozenset[int]:
        """The tables whose rows go along.

        Raises:
            ConfigurationError: a table refers to nothing of which a rule chooses rows.
        """
        choosing = {oid for rule, r in self.rules if rule.kind not in ("none", "down") for oid in r.leaves}
        waiting = [(rule, relation) for rule, relation in self.rules if rule.kind == "down"]
        along: set[int] = set()
        while waiting:
            later = []
            for rule, relation in waiting:
                own = [key for key in self._keys if not {*key.children}.isdisjoint(relation.leaves)]
                if any(not choosing.isdisjoint(key.parents) for key in own):
                    along |= {*relation.leaves}
                else:
                    later.append((rule, relation))
            if len(later) == len(waiting):
                rule, relation = later[0]
                referred = sorted({k.referenced for k in self._keys if not {*k.children}.isdisjoint(relation.leaves)})
                raise ConfigurationError(
                    f"no key of {relation.label} leads to a table of which a rule chooses rows",
                    where=rule.where,
                    hint=f"it refers to {', '.join(referred) or 'nothing'}; choose rows there, or write a predicate",
                )
            waiting, choosing = later, choosing | along
        return frozenset(along)

    def lookups(self, chosen: Mapping[int, RowSet]) -> frozenset[int]:
        """The tables that are taken whole although no rule says so."""
        named = {oid for _, relation in self.rules for oid in relation.leaves}
        sizes: dict[str, int] = defaultdict(int)
        reached = {self._tables[oid].root for oid, rows in chosen.items() if rows.whole or len(rows) or oid in named}
        for table in self._tables.values():
            sizes[table.root] += table.bytes
        found = {oid for oid, t in self._tables.items() if t.root not in reached and sizes[t.root] <= SMALL}
        while True:
            whole = found | {oid for oid, rows in chosen.items() if rows.whole}
            partial = [key for key in self._keys if not whole.issuperset(key.parents)]
            gone = {oid for key in partial for oid in key.children}
            roots = {self._tables[oid].root for oid in gone & found}
            if not roots:
                return frozenset(found)
            found = {oid for oid in found if self._tables[oid].root not in roots}

    def reason(self, table: SourceTable, rows: int) -> str:
        """Why that much of a table is taken."""
        kinds = [rule.kind for rule, relation in self.rules if table.oid in relation.leaves]
        if any(kind not in ("none", "down") for kind in kinds):
            return "rule"
        if "down" in kinds:
            return "down"
        return "needed" if rows else "empty"

    def total(self, table: SourceTable) -> tuple[int, bool]:
        """How many rows a table has, and whether that is an estimate."""
        from psycopg import sql

        if table.bytes > COUNTED:
            row = self._connection.execute(
                "SELECT reltuples::int8 FROM pg_class WHERE oid = %s", (table.oid,)
            ).fetchone()
            if row and row[0] >= 0:
                return int(row[0]), True
        name = sql.Identifier(table.schema, table.name)
        row = self._connection.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(name)).fetchone()
        return int(row[0]) if row else 0, False


def _told(catalogue: Catalogue, portions: Mapping[str, Portion], selections: Mapping[int, Selection]) -> Sequence[str]:
    lines = []
    for table in catalogue.tables:
        portion = portions[table.label]
        if table.oid in selections and portion.why != "empty":
            about = "about " if portion.estimated else ""
            lines.append(f"{table.label}: {selections[table.oid].rows:,} of {about}{portion.of:,} rows ({portion.why})")
    small = [label for label, portion in portions.items() if portion.why == "small"]
    if small:
        lines.append(f"whole, since they are small and neither a rule nor a row leads to them: {', '.join(small)}")
    empty = [label for label, portion in portions.items() if portion.why == "empty" and portion.of]
    if empty:
        hint = f"{OPTION} TABLE:down takes what refers to chosen rows, TABLE:5% a part, TABLE:all everything"
        lines.append(f"empty, since neither a rule nor a row leads to them: {', '.join(empty)} ({hint})")
    return lines
