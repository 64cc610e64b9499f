"""Capture: a masked, signed snapshot of an environment's warehouse and lake, at one point in time.

One snapshot of the database is seen by all workers; the lake is listed after it was taken. Every column has found its
rule before the first row is read. Rows are masked on their way, in memory; what is written is masked already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.users import server_user
from dataops.snapshots import keys
from dataops.snapshots.chunks import ChunkKeys
from dataops.snapshots.gathered import Gathered
from dataops.snapshots.grounds import grounds_of
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.lake import ObjectPlan
from dataops.snapshots.large_objects import PAGES
from dataops.snapshots.left_out import left_out
from dataops.snapshots.manifest import (
    POST_DATA,
    PRE_DATA,
    SCHEMA,
    IndexEntry,
    Manifest,
    StoredData,
    SubsetEntry,
    blake3_hex,
)
from dataops.snapshots.memory import Shares
from dataops.snapshots.pace import Pace
from dataops.snapshots.plan_lake import plan_objects
from dataops.snapshots.plans import TablePlan
from dataops.snapshots.policy import plan_tables, policy_hash
from dataops.snapshots.problems import Problems
from dataops.snapshots.publishing import Draft, new_snapshot
from dataops.snapshots.quotations import quotations
from dataops.snapshots.ranges import usual_size
from dataops.snapshots.reader import LOCK_SECONDS
from dataops.snapshots.source import Source, open_source
from dataops.snapshots.subsets.choose import choose
from dataops.snapshots.subsets.objects import choose_objects
from dataops.snapshots.subsets.rules import SubsetRule
from dataops.snapshots.tasks import Task, group_tasks
from dataops.snapshots.unfinished import Unfinished
from dataops.snapshots.worker import Answer, Assignment
from dataops.snapshots.workers import Workers, usual_jobs
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
        jobs: processes that read and mask at the same time; 0 for as many as there are processors.
        range_bytes: how much of a table one of them reads at a time; 0 for what suits the database.
        production_hosts: addresses to search the data for, beside those that `dataops.yaml` names.
        progress: called with a line for each thing that is done; from several threads.
        document: the `dataops.yaml` that the rules stand in, to say where one is missing.
        subset: which rows are taken; none for all of them.
        lock_seconds: how long to wait for whoever changes a table, or waits to.
    """

    jobs: int = 0
    range_bytes: int = 0
    production_hosts: tuple[str, ...] = ()
    progress: Callable[[str], None] = _silent
    document: Document | None = None
    subset: tuple[SubsetRule, ...] = ()
    lock_seconds: float = LOCK_SECONDS


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
    with ExitStack() as stack:
        draft = stack.enter_context(new_snapshot(layout.snapshots, layout.keys, whole=not options.subset))
        workers = stack.enter_context(Workers(options.jobs or usual_jobs()))
        source = stack.enter_context(open_source(connection, database, binaries, options.lock_seconds))
        dumping = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="dump"))
        sections = [dumping.submit(source.dump, section) for section in ("pre-data", "post-data")]
        problems = Problems(options.document)
        tables = plan_tables(source.catalogue, platform.policy, masking_key, problems)
        objects = plan_objects(lake, platform.policy, masking_key, problems)
        problems.raise_any()
        if search.hosts and any(plan.table.label == PAGES and not plan.masked for plan in tables):
            search.pass_over(PAGES, "large objects are bytes, in which a host may be written in any way")
        missing = left_out(source.leader)
        for what in missing:
            options.progress(f"left out: {what}")
        subset = None
        if options.subset:
            tables, objects, subset = take_subset(source, tables, objects, options)
        gathered = Gathered(ChunkKeys(draft.place.store_key))
        schema = Schema(*(section.result() for section in sections))
        policy = policy_hash(platform.policy)
        others = (*search.hosts, *(f"subset {rule.text}" for rule in options.subset))
        grounds = grounds_of(source, schema.hash, policy, masking_key, others)
        record = stack.enter_context(Unfinished(draft.place, environment, grounds, source.since))
        parts = _Parts(source, lake, draft, search, options, gathered, record)
        manifest = Manifest(
            id="",
            platform=platform.name,
            environment=environment,
            created=source.created,
            git_commit=git_commit,
            policy_hash=policy,
            lsn=source.lsn,
            server_version=source.server_version,
            database=database,
            index=IndexEntry(0, ""),
            materialized_views=tuple(f"{schema}.{name}" for schema, name in source.catalogue.materialized_views),
            **parts.write(schema, tables, objects, workers),
            production_hosts=search.hosts,
            production_references=search.references(),
            unsearched=search.unsearched(),
            subset=subset,
            left_out=missing,
        )
        source.check_unchanged()
        published = draft.publish(manifest, gathered.contents())
        record.remove()
        return published


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema as SQL: what precedes the rows, and what follows."""

    pre_data: bytes
    post_data: bytes

    @property
    def hash(self) -> str:
        """Equal for equal schemas."""
        hashes = (blake3_hex(_NOT_SCHEMA.sub(b"", text)) for text in (self.pre_data, self.post_data))
        return blake3_hex("".join(hashes).encode())


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
    """The data of a snapshot in the making."""

    source: Source
    lake: Path
    draft: Draft
    search: HostSearch
    options: CaptureOptions
    gathered: Gathered
    record: Unfinished

    def write(
        self, schema: Schema, tables: tuple[TablePlan, ...], objects: tuple[ObjectPlan, ...], workers: Workers
    ) -> dict[str, Any]:
        """Writes all data and returns the fields of the manifest that describe them; the first failure ends it."""
        masked = [*(plan.masked for plan in tables), *(plan.masked for plan in objects)]
        assignment = Assignment(
            self.source.reader.shared(workers.count),
            self.lake,
            self.draft.place,
            self.search.hosts,
            quotations((schema.pre_data + schema.post_data).decode()),
            shares=Shares.of(workers.count, masked),
        )
        size = self.options.range_bytes or usual_size(plan.table for plan in tables)
        groups = group_tasks(tables, objects, self.draft.before, size, self.source.server_version)
        lock, pace = Lock(), Pace(task for group in groups for task in group)

        def done(task: Task, answer: Answer) -> None:
            with lock:
                found = self.record.take(task, answer)
                if found.captured:
                    self.gathered.add(task, found.captured)
                self.search.add(found.references, found.unsearched)
                said = pace.after(task, found, again=answer.unchanged)
            self.options.progress(said)

        try:
            workers.perform(assignment, [list(map(self.record.expect, group)) for group in groups], done)
        except ResourceError as error:
            # what a worker says of a snapshot that is gone, or of a lock, is not the reason
            self.source.check_alive()
            self.source.check_unhindered(error)
            raise
        return {
            "pre_data": self._schema(PRE_DATA, schema.pre_data),
            "post_data": self._schema(POST_DATA, schema.post_data),
            "schema_hash": schema.hash,
            "sequences": self.source.sequences(),
            "tables": self.gathered.tables(),
            "objects": self.gathered.objects(),
            "masking": self.gathered.masking(),
        }

    def _schema(self, label: str, text: bytes) -> StoredData:
        self.search.look(SCHEMA, text)
        with DataWriter(self.draft.place, rows=False, before=self.draft.before.within(label)) as writer:
            writer.write(text)
            return self.gathered.add_schema(label, writer.finish())
