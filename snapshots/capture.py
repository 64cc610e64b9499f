"""Capture: a masked, signed snapshot of an environment's warehouse and lake, at one point in time.

One snapshot of the database is seen by all workers; the lake is listed after it was taken. Every column has found its
rule before the first row is read. Rows are masked on their way, in memory; what is written is masked already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process.postgres_binaries import PostgresBinaries, install_binaries
from dataops.infra.process.users import server_user
from dataops.snapshots import keys, store
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.lake import CapturedObject, ObjectPlan, capture_object, plan_objects
from dataops.snapshots.manifest import Manifest, MaskedColumn, StoredFile, blake3_hex, seal
from dataops.snapshots.policy import TablePlan, plan_tables, policy_hash
from dataops.snapshots.rows import CapturedTable, DataWriter, capture_table
from dataops.snapshots.source import Source, open_source

_NOT_SCHEMA = re.compile(rb"^(--.*|\\(un)?restrict .*|\s*)\n", re.MULTILINE)


def _silent(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What can be chosen about a capture.

    Args:
        workers: connections that read at the same time.
        production_hosts: addresses to search the data for, beside those that `dataops.yaml` names.
        progress: called with a line for each thing that is done; from several threads.
    """

    workers: int = 2
    production_hosts: tuple[str, ...] = ()
    progress: Callable[[str], None] = _silent


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
    signing_key = keys.signing_key(layout.keys)
    search = HostSearch((*platform.production_hosts, *options.production_hosts))
    with store.new_snapshot(layout.snapshots) as directory, open_source(connection, database) as source:
        tables = plan_tables(source.catalogue, platform.masking, masking_key)
        objects = plan_objects(lake, platform.masking, masking_key)
        parts = _Parts(source, lake, directory, binaries, search, options)
        manifest = Manifest(
            id="",
            platform=platform.name,
            environment=environment,
            created=source.created,
            git_commit=git_commit,
            policy_hash=policy_hash(platform.masking),
            lsn=source.lsn,
            server_version=source.server_version,
            database=database,
            materialized_views=tuple(f"{schema}.{name}" for schema, name in source.catalogue.materialized_views),
            **parts.write(tables, objects),
            production_hosts=search.hosts,
            production_references=search.references(),
        ).named()
        store.publish(directory, manifest, seal(manifest, signing_key))
    return manifest


@dataclass(frozen=True, slots=True)
class _Parts:
    """The files of a snapshot in the making."""

    source: Source
    lake: Path
    directory: Path
    binaries: PostgresBinaries
    search: HostSearch
    options: CaptureOptions

    def write(self, tables: tuple[TablePlan, ...], objects: tuple[ObjectPlan, ...]) -> dict[str, Any]:
        """Writes all files and returns the fields of the manifest that describe them; the first failure ends it."""
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="capture") as pool:
            schema = [pool.submit(self._schema, section) for section in ("pre-data", "post-data")]
            # the largest first, so that none is left alone at the end
            order = sorted(range(len(tables)), key=lambda i: -tables[i].table.bytes)
            rows = {tables[i].table.label: pool.submit(self._table, i, tables[i]) for i in order}
            copies = {plan.path: pool.submit(self._object, plan) for plan in objects}
            futures: list[Future[Any]] = [*schema, *rows.values(), *copies.values()]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)
            sequences = self.source.sequences()
        done = {name: future.result() for name, future in sorted(rows.items())}
        copied = {name: future.result() for name, future in sorted(copies.items())}
        (pre_data, pre_hash), (post_data, post_hash) = (future.result() for future in schema)
        return {
            "pre_data": pre_data,
            "post_data": post_data,
            "schema_hash": blake3_hex((pre_hash + post_hash).encode()),
            "sequences": sequences,
            "tables": {name: captured.entry for name, captured in done.items()},
            "objects": {name: captured.entry for name, captured in copied.items()},
            "masking": _merge([*(table.masking for table in done.values()), *(o.masking for o in copied.values())]),
        }

    def _schema(self, section: str) -> tuple[StoredFile, str]:
        text = self.source.dump(section, self.binaries)
        self.search.look("schema", text)
        with DataWriter(self.directory / "schema" / f"{section}.sql.zst") as writer:
            writer.write(text)
            return writer.finish(), blake3_hex(_NOT_SCHEMA.sub(b"", text))

    def _table(self, number: int, plan: TablePlan) -> CapturedTable:
        path = self.directory / "tables" / f"{number:05}.copy.zst"
        captured = capture_table(self.source, self.binaries, plan, path, self.search)
        self.options.progress(f"{plan.table.label}: {captured.entry.rows:,} rows")
        return captured

    def _object(self, plan: ObjectPlan) -> CapturedObject:
        captured = capture_object(self.lake, plan, self.directory, self.search)
        self.options.progress(f"lake:{plan.path}: {captured.entry.bytes:,} bytes")
        return captured


def _merge(parts: list[dict[str, MaskedColumn]]) -> dict[str, MaskedColumn]:
    """Adds up what was done to the partitions of a table; their distinct values may overlap, so the most counts."""
    merged: dict[str, MaskedColumn] = {}
    for part in parts:
        for label, column in part.items():
            known = merged.get(label, MaskedColumn(column.rule, 0, 0))
            changed = known.changed + column.changed
            merged[label] = MaskedColumn(column.rule, max(known.distinct, column.distinct), changed)
    return merged
