"""What is said of a snapshot is the same on this machine and in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.cli.commands.snapshot_options import count_references
from dataops.cli.commands.snapshot_summary import print_summaries, summary, summary_here
from dataops.snapshots.bucket import list_held
from dataops.snapshots.storage.memory import MemoryStorage
from dataops.snapshots.transfer import push
from support.made_snapshots import layout_in, make_snapshot


def test_a_snapshot_in_a_bucket_is_told_as_it_is_on_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, storage = layout_in(tmp_path), MemoryStorage()
    made = [
        make_snapshot(layout, {"raw.a": b"1\n2\n"}, {"x": b"1"}, day=0),
        make_snapshot(layout, {"raw.a": b"1\n"}, day=1, rules=("raw.a:50%", "raw.b:all")),
    ]
    print_summaries([], "There is none.", as_json=False)
    assert "There is none." in capsys.readouterr().err
    count_references(layout)
    for manifest in made:
        push(layout, manifest.id, storage)
    there = [summary(held.manifest, held.stored) for held in list_held(storage, layout.keys)]
    here = [summary_here(held.manifest, layout) for held in list_held(storage, layout.keys)]
    assert there == [{name: value for name, value in one.items() if name in there[0]} for one in here]
    print_summaries(there, "", as_json=False)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ID", "ENVIRONMENT", "COMMIT", "TABLES", "ROWS", "OBJECTS", "BYTES", "STORED", "SUBSET"]
    assert lines[-1].rstrip().endswith("raw.a:50%; raw.b:all")
