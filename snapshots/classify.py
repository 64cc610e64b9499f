"""Classify: proposes a rule for whatever has none. Reads only, and keeps nothing of what it read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.platform.masking import Json, Masking
from dataops.infra.platform.paths import split_path
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.snapshots.catalogue import Catalogue
from dataops.snapshots.lake import list_objects, open_object
from dataops.snapshots.masking.arrays import elements_of
from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.choose import masker_for
from dataops.snapshots.masking.json_paths import JsonMasker
from dataops.snapshots.nested import part_of
from dataops.snapshots.plan_lake import plan_objects
from dataops.snapshots.policy import plan_tables
from dataops.snapshots.problems import Missing, Problems
from dataops.snapshots.proposals import Proposal, agree, propose, propose_paths
from dataops.snapshots.source import open_source

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

SAMPLE = 1000
LARGE = 64 << 20
NO_KEY = bytes(32)
"""Nothing is masked here, so nothing needs the masking key."""


def classify(
    masking: Masking, connection: Mapping[str, Any], database: str, lake: Path, binaries: PostgresBinaries
) -> list[Proposal]:
    """Proposals for every column, part of a column, path within documents and object that has no rule.

    Args:
        masking: the policy as it is.
        connection: how a role that may read everything connects.
        database: the warehouse's database.
        lake: the directory of the lake.
        binaries: of Postgres.

    Raises:
        ResourceError: the server cannot be reached, or refuses.
        VerificationError: an object of the lake is broken.
    """
    with open_source(connection, database, binaries) as source:
        problems = Problems()
        plan_tables(source.catalogue, masking, NO_KEY, problems)
        columns = list(problems.missing)
        plan_objects(lake, masking, NO_KEY, problems)
        parts = problems.missing[len(columns) :]
        documents = _documents(masking, source.catalogue, list_objects(lake))
        asked = [*columns, *(one for one in documents if one.section == "tables")]
        lacking = [*parts, *(one for one in documents if one.section == "lake")]
        samples = {**_rows(source.leader, source.catalogue, asked), **_objects(lake, lacking)}
        proposals = [propose(missing, samples.get(missing, ())) for missing in (*columns, *parts)]
        further = [
            proposal
            for one, masker in documents.items()
            for proposal in propose_paths(one, samples.get(one, ()), masker.unlisted(samples.get(one, ())))
        ]
        return [*agree(proposals, _pairs(source.catalogue)), *further]


def _documents(masking: Masking, catalogue: Catalogue, objects: Sequence[str]) -> dict[Missing, JsonMasker]:
    """The columns of documents whose other paths stop a capture, each with its rule at work."""
    types = {(table.root, column.name): column for table in catalogue.tables for column in table.columns}
    rules = [("tables", owner, masking.table_rules(owner)) for owner in {table.root for table in catalogue.tables}]
    rules += [("lake", path, masking.object_rules(path)) for path in objects]
    found: dict[Missing, JsonMasker] = {}
    for section, owner, own in sorted(rules, key=lambda rule: rule[:2]):
        for name, rule in (own or {}).items():
            if isinstance(rule, Json) and rule.unlisted == "stop":
                masker = masker_for(rule, Family.JSON, NO_KEY)
                column = types.get((owner, name))
                if isinstance(masker, JsonMasker) and (column or section == "lake"):
                    array, place = column is not None and column.array, masking.place_of(section, owner, name)
                    found[Missing(section, owner, name, Family.JSON, array=array, place=(*place, "paths"))] = masker
    return found


def _pairs(catalogue: Catalogue) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    return [
        ((foreign.table, own), (foreign.referenced, other))
        for foreign in catalogue.foreign_keys
        for own, other in zip(foreign.columns, foreign.referenced_columns, strict=True)
    ]


def _rows(connection: Connection, catalogue: Catalogue, missing: Sequence[Missing]) -> dict[Missing, list[str]]:
    """Some values of columns of tables; of a partitioned one from its first partition that has rows."""
    from psycopg import sql

    wanted: dict[str, list[Missing]] = defaultdict(list)
    for one in missing:
        wanted[one.owner].append(one)
    samples: dict[Missing, list[str]] = {one: [] for one in missing}
    for table in catalogue.tables:
        columns = wanted.get(table.root, [])
        if not columns or any(samples[one] for one in columns):
            continue
        read = {c.name: sql.SQL(c.read_as) if c.read_as else sql.Identifier(c.name) for c in table.columns}
        names = sql.SQL(", ").join(sql.SQL("({})::text").format(read[one.name]) for one in columns)
        part = f" TABLESAMPLE SYSTEM ({max(100 * LARGE / table.bytes, 0.001):f})" if table.bytes > LARGE else ""
        query = sql.SQL("SELECT {} FROM ONLY {}" + part + f" LIMIT {SAMPLE}")
        for row in connection.execute(query.format(names, sql.Identifier(table.schema, table.name))):
            for one, value in zip(columns, row, strict=True):
                if value is not None:
                    samples[one] += elements_of(value) if one.array else [value]
    return samples


def _objects(lake: Path, missing: Sequence[Missing]) -> dict[Missing, list[str]]:
    """Some values of columns of objects, from the first row group that there is."""
    import pyarrow.parquet as pq

    wanted: dict[str, list[Missing]] = defaultdict(list)
    for one in missing:
        if one.family is not None:
            wanted[one.owner].append(one)
    samples: dict[Missing, list[str]] = {}
    for path, columns in wanted.items():
        with open_object(lake, path) as file, pq.ParquetFile(file) as opened:
            if not opened.num_row_groups:
                continue
            table = opened.read_row_group(0, use_threads=False).slice(0, SAMPLE)
        for one in columns:
            name, *rest = (one.name,) if one.name in table.column_names else split_path(one.name)
            part = part_of(table.column(name), tuple(rest)) if rest else table.column(name)
            texts = [value for value in part.to_pylist() if value is not None]
            samples[one] = list(map(str, texts))
    return samples
