"""Capture: a masked, signed snapshot of an environment's warehouse and lake, at one point in time.

One snapshot of the database is seen by all workers; the lake is listed after it was taken. Every column has found its
rule before the first row is read. Rows are masked on their way, in memory; what is written is masked already.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.users import server_user
from dataops.snapshots import keys
from dataops.snapshots.chunks import ChunkRef
from dataops.snapshots.contents import Contents
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.lake import ObjectPlan, plan_objects
from dataops.snapshots.manifest import (
    POST_DATA,
    PRE_DATA,
    SCHEMA,
    IndexEntry,
    Manifest,
    MaskedColumn,
    StoredData,
    SubsetEntry,
    blake3_hex,
    object_label,
    table_label,
)
from dataops.snapshots.policy import TablePlan, plan_tables, policy_hash
from dataops.snapshots.problems import Problems
from dataops.snapshots.publishing import Draft, new_snapshot
from dataops.snapshots.quotations import quotations
from dataops.snapshots.rows import CapturedTable
from dataops.snapshots.source import Source, open_source
from dataops.snapshots.subsets.choose import choose
from dataops.snapshots.subsets.objects import choose_objects
from dataops.snapshots.subsets.rules import SubsetRule
from dataops.snapshots.worker import Answer, Assignment, Task
from dataops.snapshots.workers import Workers
from dataops.snapshots.writer import DataWriter

if TYPE_CHECKING:
    from dataops.infra.platform.document import Document

_NOT_SCHEMA = re.compile(rb"^(--.*|\\(un)?restrict .*|\s*)\n", re.MULTILINE)


def _silent(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What can be chosen about a capture.

    Args:
        workers: processes that read and mask at the same time; 0 for as many as there are processors, at most 4.
        production_hosts: addresses to search the data for, beside those that `dataops.yaml` names.
        progress: called with a line for each thing that is done; from several threads.
        document: the `dataops.yaml` that the rules stand in, to say where one is missing.
        subset: which rows are taken; none for all of them.
    """

    workers: int = 0
    production_hosts: tuple[str, ...] = ()
    progress: Callable[[str], None] = _silent
    document: Document | None = None
    subset: tuple[SubsetRule, ...] = ()


_DEFAULT = CaptureOptions()


def capture(
    platform: Platform,
    connection: Mapping[str, Any],
    database: str,
    lake: Path,
    layout: PlatformLayout,
    git_commit: str,
    environment: str,
    options: CaptureOptions = _DEFAULT,
) -> Manifest:
    """Takes a snapshot; it exists, whole, when this returns, or not at all.

    Args:
        platform: its masking rules decide what leaves the environment.
        connection: how a role that may read everything connects: `host`, `port`, `user`, perhaps `password`.
        database: the warehouse's database.
        lake: the directory of the lake.
        layout: where the snapshot and the keys belong.
        git_commit: the commit that the environment runs.
        environment: the environment's name.
        options: see there.

    Raises:
        VerificationError: a column has no rule or one that cannot stand there, or a value cannot be masked.
        LockedError: another capture is under way.
        ResourceError: the server cannot be reached, or refuses.
    """
    binaries = install_binaries(layout.home, server_user())
    masking_key = keys.masking_key(layout.keys)
    keys.signing_key(layout.keys)
    search = HostSearch((*platform.production_hosts, *options.production_hosts))
    count = options.workers or min(4, os.cpu_count() or 1)
    with (
        new_snapshot(layout.snapshots, layout.keys, whole=not options.subset) as draft,
        Workers(count) as workers,
        open_source(connection, database, binaries) as source,
    ):
        problems = Problems(options.document)
        tables = plan_tables(source.catalogue, platform.policy, masking_key, problems)
        objects = plan_objects(lake, platform.policy, masking_key, problems)
        problems.raise_any()
        for what in source.left_out():
            options.progress(f"left out: {what}")
        subset = None
        if options.subset:
            tables, objects, subset = take_subset(source, tables, objects, options)
        parts = _Parts(source, lake, draft, search, options)
        manifest = Manifest(
            id="",
            platform=platform.name,
            environment=environment,
            created=source.created,
            git_commit=git_commit,
            policy_hash=policy_hash(platform.policy),
            lsn=source.lsn,
            server_version=source.server_version,
            database=database,
            index=IndexEntry(0, ""),
            materialized_views=tuple(f"{schema}.{name}" for schema, name in source.catalogue.materialized_views),
            **parts.write(tables, objects, workers),
            production_hosts=search.hosts,
            production_references=search.references(),
            unsearched=search.unsearched(),
            subset=subset,
        )
        source.check_unchanged()
        return draft.publish(manifest, Contents(parts.chunks))


def take_subset(
    source: Source, tables: tuple[TablePlan, ...], objects: tuple[ObjectPlan, ...], options: CaptureOptions
) -> tuple[tuple[TablePlan, ...], tuple[ObjectPlan, ...], SubsetEntry]:
    """What is taken of a database and its lake, by the rules of the options; raises as `subsets.choose`."""
    rules = [rule for rule in options.subset if not rule.lake]
    chosen = choose(source.leader, source.catalogue, rules, options.progress) if rules else None
    lake_rules = [rule for rule in options.subset if rule.lake]
    some = choose_objects(objects, lake_rules)
    if lake_rules:
        options.progress(f"{len(some):,} of {len(objects):,} objects")
    texts = sorted({*(rule.text for rule in lake_rules), *(rule.text for rule in (chosen.rules if chosen else ()))})
    entry = SubsetEntry(tuple(texts), chosen.portions if chosen else {}, len(objects))
    if chosen:
        tables = tuple(replace(plan, selection=chosen.selections.get(plan.table.oid)) for plan in tables)
    return tables, some, entry


@dataclass(frozen=True, slots=True)
class _Parts:
    """The data of a snapshot in the making; `chunks` are those of what was written so far, by label."""

    source: Source
    lake: Path
    draft: Draft
    search: HostSearch
    options: CaptureOptions
    chunks: dict[str, tuple[ChunkRef, ...]] = field(default_factory=dict)

    def write(self, tables: tuple[TablePlan, ...], objects: tuple[ObjectPlan, ...], workers: Workers) -> dict[str, Any]:
        """Writes all data and returns the fields of the manifest that describe them; the first failure ends it."""
        pre_data, post_data = (self.source.dump(section) for section in ("pre-data", "post-data"))
        assignment = Assignment(
            self.source.reader,
            self.lake,
            self.draft.place,
            self.search.hosts,
            quotations((pre_data + post_data).decode()),
        )
        answers: dict[str, Answer] = {}

        def done(task: Task, answer: Answer) -> None:
            answers[_label(task)] = answer
            self.chunks[index_label(task.plan)] = answer.captured.chunks if answer.captured else ()
            self.search.add(answer.references, answer.unsearched)
            self.options.progress(_progress(task, answer))

        workers.perform(assignment, group_tasks(tables, objects, self.draft.before), done)
        captured = {label: answer.captured for label, answer in sorted(answers.items()) if answer.captured}
        schema_hash = blake3_hex("".join(_schema_hash(text) for text in (pre_data, post_data)).encode())
        return {
            "pre_data": self._schema(PRE_DATA, pre_data),
            "post_data": self._schema(POST_DATA, post_data),
            "schema_hash": schema_hash,
            "sequences": self.source.sequences(),
            "tables": {name: part.entry for name, part in captured.items() if isinstance(part, CapturedTable)},
            "objects": {
                name.removeprefix("lake:"): part.entry
                for name, part in captured.items()
                if not isinstance(part, CapturedTable)
            },
            "masking": _merge([part.masking for part in captured.values()]),
        }

    def _schema(self, label: str, text: bytes) -> StoredData:
        self.search.look(SCHEMA, text)
        with DataWriter(self.draft.place, rows=False, before=self.draft.before.get(label, ())) as writer:
            writer.write(text)
            written = writer.finish()
        self.chunks[label] = written.chunks
        return written.data


def index_label(plan: TablePlan | ObjectPlan) -> str:
    """The label in the index of what is captured."""
    return table_label(plan.table.label) if isinstance(plan, TablePlan) else object_label(plan.path)


def group_tasks(
    tables: Sequence[TablePlan], objects: Sequence[ObjectPlan], before: Mapping[str, tuple[ChunkRef, ...]]
) -> list[list[Task]]:
    """Tasks that one worker should perform in turn, the most work first, so that none is left alone at the end.

    An object goes with the table whose columns have the same rules: it is likely to hold the same values, whose masks
    are known by then.
    """
    largest_first = sorted(range(len(tables)), key=lambda i: -tables[i].table.bytes * (1 + 4 * len(tables[i].masked)))
    groups = [[Task(tables[i], before.get(index_label(tables[i]), ()))] for i in largest_first]
    homes: dict[frozenset[str], list[Task]] = {}
    for group in groups:
        homes.setdefault(_rules(group[0].plan), group)
    for plan in sorted(objects, key=lambda plan: -plan.identity.size):
        task, rules = Task(plan, before.get(index_label(plan), ())), _rules(plan)
        if rules and rules in homes:
            homes[rules].append(task)
        else:
            groups.append([task])
    return groups


def _rules(plan: TablePlan | ObjectPlan) -> frozenset[str]:
    return frozenset(f"{field.label.rpartition('.')[2]} {field.rule}" for field in plan.masked)


def _label(task: Task) -> str:
    return task.plan.table.label if isinstance(task.plan, TablePlan) else task.plan.label


def _progress(task: Task, answer: Answer) -> str:
    if isinstance(answer.captured, CapturedTable):
        return f"{_label(task)}: {answer.captured.entry.rows:,} rows"
    return f"{_label(task)}: {answer.captured.entry.bytes if answer.captured else 0:,} bytes"


def _schema_hash(text: bytes) -> str:
    return blake3_hex(_NOT_SCHEMA.sub(b"", text))


def _merge(parts: list[dict[str, MaskedColumn]]) -> dict[str, MaskedColumn]:
    """Adds up what was done to the partitions of a table; their distinct values may overlap, so the most counts."""
    merged: dict[str, MaskedColumn] = {}
    for part in parts:
        for label, column in part.items():
            known = merged.get(label, MaskedColumn(column.rule, 0, 0))
            changed = known.changed + column.changed
            merged[label] = MaskedColumn(column.rule, max(known.distinct, column.distinct), changed)
    return merged
