"""Snapshots made of given data, without any database: for tests of the store alone."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots import keys
from dataops.snapshots.contents import Contents
from dataops.snapshots.manifest import (
    POST_DATA,
    PRE_DATA,
    IndexEntry,
    Manifest,
    ObjectEntry,
    SubsetEntry,
    TableEntry,
    object_label,
    table_label,
)
from dataops.snapshots.publishing import new_snapshot
from dataops.snapshots.writer import DataWriter, Written

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def layout_in(folder: Path) -> PlatformLayout:
    """A platform without snapshots, whose store key is always the same: the key decides where data are cut."""
    layout = PlatformLayout(folder, "made-00000000")
    key = layout.keys / keys.STORE
    if not key.exists():
        layout.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_text(f"{bytes(range(32)).hex()}\n")
    return layout


def other_machine(layout: PlatformLayout) -> PlatformLayout:
    """A platform on another machine, with what it needs to open snapshots and nothing else."""
    other = PlatformLayout(layout.home, "other-00000000")
    other.keys.mkdir(parents=True)
    for name in ("store.key", "signing.pub"):
        shutil.copy(layout.keys / name, other.keys / name)
    return other


def make_snapshot(
    layout: PlatformLayout,
    tables: Mapping[str, bytes],
    objects: Mapping[str, bytes] | None = None,
    *,
    day: int = 0,
    rules: Sequence[str] = (),
) -> Manifest:
    """Makes a snapshot of tables, given as COPY text, and objects; taken `day` days after `BEGIN`.

    With rules it is a subset by those.
    """
    keys.signing_key(layout.keys)
    with new_snapshot(layout.snapshots, layout.keys) as draft:
        written: dict[str, Written] = {}
        sizes: dict[str, int] = {}
        parts = {
            PRE_DATA: b"CREATE SCHEMA raw;\n",
            POST_DATA: b"-- nothing follows\n",
            **{table_label(name): rows for name, rows in tables.items()},
            **{object_label(path): data for path, data in (objects or {}).items()},
        }
        for label, data in parts.items():
            before = draft.before.within(label)
            with DataWriter(draft.place, rows=label.startswith("tables/"), before=before) as writer:
                for start in range(0, len(data), 300_000):
                    writer.write(data[start : start + 300_000])
                written[label], sizes[label] = writer.finish(), writer.bytes
        labels = {name: table_label(name) for name in tables}
        paths = {path: object_label(path) for path in objects or {}}
        manifest = Manifest(
            id="",
            platform="made",
            environment="production",
            created=(BEGIN + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            git_commit="c0ffee",
            policy_hash="",
            schema_hash="",
            lsn="0/0",
            server_version=180006,
            database="made",
            index=IndexEntry(0, ""),
            pre_data=written[PRE_DATA].data,
            post_data=written[POST_DATA].data,
            sequences={},
            materialized_views=(),
            tables={
                name: TableEntry(("a",), tables[name].count(b"\n"), sizes[label], written[label].data)
                for name, label in labels.items()
            },
            objects={path: ObjectEntry(sizes[label], None, written[label].data) for path, label in paths.items()},
            masking={},
            production_hosts=(),
            production_references=(),
            subset=SubsetEntry(tuple(rules), {}, len(paths)) if rules else None,
        )
        return draft.publish(manifest, Contents({label: one.chunks for label, one in written.items()}))


def some_rows(count: int, seed: int = 0) -> list[bytes]:
    """Rows of COPY text, about a hundred bytes each."""
    draw = random.Random(seed)
    return [
        f"{number}\t{draw.randbytes(9).hex()}\t2026-0{draw.randrange(1, 10)}-1{draw.randrange(10)}\t"
        f"{draw.random()}\t{draw.choice(('new', 'paid', 'sent'))}\t{draw.randrange(10**9)}\tas it was\n".encode()
        for number in range(count)
    ]


def changed(rows: list[bytes], part: float, seed: int = 1) -> list[bytes]:
    """The rows with that part of them, all over the table, having other values."""
    draw, after = random.Random(seed), list(rows)
    for place in draw.sample(range(len(rows)), round(len(rows) * part)):
        number = rows[place].partition(b"\t")[0]
        after[place] = b"%s\t%s\tchanged\t%d\n" % (number, draw.randbytes(9).hex().encode(), draw.randrange(10**9))
    return after
