"""Snapshots taken away, kept, shredded: nothing in use goes, and no chunk that somebody needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dataops.infra.errors import LockedError, NotFoundError, PolicyError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.chunks import ChunkKeys
from dataops.snapshots.contents import ShreddedError
from dataops.snapshots.manifest import FILE
from dataops.snapshots.publishing import new_snapshot
from dataops.snapshots.references import References
from dataops.snapshots.removal import Bounds, check_free, decide, pin, pinned, remove, shred, shredded, unpin
from dataops.snapshots.store import keeping, list_snapshots, locked, newest, reading
from dataops.snapshots.sweep import REMOVED, sweep
from dataops.snapshots.writer import DataWriter
from support.made_snapshots import BEGIN, changed, layout_in, make_snapshot, some_rows
from support.stored_snapshots import all_chunks, check, chunks_of, opened, texts

ROWS = some_rows(12_000)


@pytest.fixture
def layout(tmp_path: Path) -> PlatformLayout:
    return layout_in(tmp_path)


def several(layout: PlatformLayout, count: int = 5) -> list[str]:
    """Ids of snapshots, taken on days one after the other, each a little different."""
    days = [{"raw.a": b"".join(changed(ROWS, 0.01, seed=day)), "raw.own": b"%d\n" % day} for day in range(count)]
    return [make_snapshot(layout, tables, day=day).id for day, tables in enumerate(days)]


def ids(layout: PlatformLayout) -> list[str]:
    return [manifest.id for manifest in list_snapshots(layout)]


def whole(layout: PlatformLayout) -> None:
    """Every snapshot can be read, and nothing else is stored."""
    for manifest in list_snapshots(layout):
        check(layout, manifest)
    assert all_chunks(layout) == chunks_of(layout)
    assert {path.name for path in layout.snapshots.glob("2*")} == set(ids(layout))
    assert [
        path.name for path in layout.snapshots.rglob(".*") if path.name not in (".lock", ".references.sqlite")
    ] == []


def test_a_removed_snapshot_is_gone_with_what_only_it_had_and_the_others_stay_whole(layout: PlatformLayout) -> None:
    made = several(layout)
    before = sum(path.stat().st_size for path in all_chunks(layout))
    done = remove(layout, [made[0], made[2]])
    assert done.snapshots == (made[0], made[2]) and done.left == () and done.freed
    assert ids(layout) == [made[1], made[3], made[4]]
    whole(layout)
    assert sum(path.stat().st_size for path in all_chunks(layout)) < before
    with pytest.raises(NotFoundError):
        check_free(layout, made[0], {})
    remove(layout, ids(layout))
    assert all_chunks(layout) == set() and [p.name for p in layout.snapshots.glob("[!.]*")] == []


def test_what_is_pinned_or_used_or_does_not_exist_is_not_removed(layout: PlatformLayout) -> None:
    first, second = several(layout, 2)
    pin(layout, first, "audit of March")
    with pytest.raises(PolicyError, match=r"stays: it is pinned \(audit of March\)") as refused:
        check_free(layout, first, {})
    assert refused.value.hint == f"`dataops snapshot unpin {first}`"
    with pytest.raises(PolicyError, match="stays: feature-x, feature-y are made of it"):
        check_free(layout, second, {second: ["feature-x", "feature-y"]})
    unpin(layout, first)
    unpin(layout, first)
    assert pinned(layout, first) is None
    check_free(layout, first, {second: ["feature-x"]})
    for missing in ("20200101T000000Z-000000000000", "../x", ""):
        with pytest.raises(NotFoundError):
            check_free(layout, missing, {})
        with pytest.raises(NotFoundError):
            pin(layout, missing)
    check(layout, list_snapshots(layout)[0])


def test_prune_removes_what_is_beyond_both_bounds_and_says_why_the_rest_stays(layout: PlatformLayout) -> None:
    made = several(layout, 6)
    now = BEGIN + timedelta(days=6)
    pin(layout, made[0])

    def going(keep: int, older_than: timedelta | None = None) -> list[int]:
        decided = decide(layout, {made[2]: ["feature-x"]}, Bounds(keep, older_than, now))
        assert sorted([*decided.going, *(kept.snapshot for kept in decided.staying)]) == made
        return [made.index(snapshot) for snapshot in decided.going]

    assert going(keep=1) == [1, 3, 4]
    assert going(keep=3) == [1]
    assert going(keep=1, older_than=timedelta(days=4)) == [1]
    assert going(keep=1, older_than=timedelta(days=2, hours=1)) == [1, 3]
    assert going(keep=10) == []
    decided = decide(layout, {made[2]: ["feature-x"]}, Bounds(2, timedelta(days=4), now))
    assert [kept.why for kept in decided.staying] == [
        "it is pinned",
        "feature-x is made of it",
        "it is not that old",
        "it is among the newest",
        "it is among the newest",
    ]
    remove(layout, decided.going)
    assert ids(layout) == [made[0], *made[2:]]
    whole(layout)


def test_a_prune_that_was_killed_before_it_swept_is_finished_by_the_next_one(layout: PlatformLayout) -> None:
    first, second = several(layout, 2)
    (layout.snapshots / REMOVED).touch()
    (layout.snapshots / first / FILE).unlink()
    assert decide(layout, {}, Bounds(keep=1)).going == ()
    done = remove(layout, ())
    assert (done.snapshots, bool(done.freed)) == ((), True)
    assert ids(layout) == [second] and not (layout.snapshots / REMOVED).exists()
    whole(layout)
    assert remove(layout, ()).freed == 0


def test_a_snapshot_that_somebody_restores_is_left(layout: PlatformLayout) -> None:
    first, second = list_snapshots(layout) if several(layout, 2) else []
    with reading(layout.snapshots, first, layout.keys) as snapshot:
        with reading(layout.snapshots, first, layout.keys):
            done = remove(layout, [first.id, second.id])
        assert done.snapshots == (second.id,)
        assert [kept.why for kept in done.left] == [f"somebody is restoring the snapshot {first.id}"]
        with pytest.raises(LockedError, match="restoring"):
            shred(layout, first.id)
        snapshot.check()
    assert remove(layout, [first.id]).snapshots == (first.id,)
    with pytest.raises(NotFoundError):
        with reading(layout.snapshots, first, layout.keys):
            pass


def test_a_snapshot_that_somebody_began_to_use_after_it_was_decided_on_is_left(layout: PlatformLayout) -> None:
    first, second, third = several(layout, 3)
    going = decide(layout, {}, Bounds(keep=1)).going
    assert going == (first, second)
    done = remove(layout, going, lambda: {second: ["feature-x"]})  # its `env up` was faster
    assert done.snapshots == (first,)
    assert [(kept.snapshot, kept.why) for kept in done.left] == [(second, "feature-x is made of it")]
    with pytest.raises(PolicyError, match="feature-x is made of it"):
        shred(layout, second, lambda: {second: ["feature-x"]})
    assert ids(layout) == [second, third]
    whole(layout)


def test_a_snapshot_that_an_environment_is_about_to_be_made_of_is_left(layout: PlatformLayout) -> None:
    first, _ = several(layout, 2)
    with keeping(layout.snapshots, first):
        assert remove(layout, [first]).snapshots == ()
        with pytest.raises(LockedError):
            shred(layout, first)
    assert remove(layout, [first]).snapshots == (first,)
    with pytest.raises(NotFoundError), keeping(layout.snapshots, first):
        pass


def test_a_capture_keeps_what_it_uses_again_although_its_snapshot_is_removed_meanwhile(layout: PlatformLayout) -> None:
    rows = b"".join(ROWS)
    old = make_snapshot(layout, {"raw.a": rows, "raw.b": b"only here\n"})
    with new_snapshot(layout.snapshots, layout.keys) as draft:
        with DataWriter(draft.place, rows=True, before=draft.before.within("tables/raw.a")) as writer:
            writer.write(rows)
            used_again = writer.finish()
        keys = ChunkKeys(draft.place.store_key)
        done = remove(layout, [old.id])
        assert done.snapshots == (old.id,) and done.freed is None
        assert ids(layout) == []
        assert all((layout.snapshots / keys.name(*ref.identity)).exists() for ref in used_again.chunks)
    assert all_chunks(layout) == set()


def test_at_the_end_of_a_capture_goes_what_was_removed_meanwhile_and_no_more(layout: PlatformLayout) -> None:
    rows = b"".join(ROWS)
    old = make_snapshot(layout, {"raw.a": rows, "raw.b": b"only here\n"})
    gone: list[int | None] = []

    class Tables(dict[str, bytes]):
        """Tables that, when they have been listed, see the snapshot removed that they are stored in."""

        def __iter__(self) -> Iterator[str]:
            if not gone:
                gone.append(remove(layout, [old.id]).freed)
            return super().__iter__()

    new = make_snapshot(layout, Tables({"raw.a": rows}), day=1)
    assert gone == [None]
    assert ids(layout) == [new.id]
    assert texts(layout, new)["tables/raw.a"] == rows
    whole(layout)


def test_two_captures_and_a_capture_and_a_sweep_exclude_one_another(layout: PlatformLayout) -> None:
    with new_snapshot(layout.snapshots, layout.keys):
        for other in (new_snapshot(layout.snapshots, layout.keys), locked(layout.snapshots)):
            with pytest.raises(LockedError, match=rf"process {os.getpid()}"), other:
                pass


def test_nothing_is_swept_while_it_cannot_be_told_what_a_snapshot_consists_of(layout: PlatformLayout) -> None:
    first, second, third = several(layout, 3)
    (layout.snapshots / ".references.sqlite").unlink()
    index = layout.snapshots / first / "index"
    whole_index = index.read_bytes()
    index.write_bytes(whole_index[:-1])
    before = all_chunks(layout)
    with pytest.raises(VerificationError, match=f"cannot be told what the snapshot {first} consists of") as refused:
        remove(layout, [second])
    assert f"dataops snapshot rm {first}" in (refused.value.hint or "")
    assert all_chunks(layout) == before and ids(layout) == [first, third]
    newer = make_snapshot(layout, {"raw.a": b"".join(ROWS)}, day=9).id
    index.write_bytes(whole_index)
    with locked(layout.snapshots):
        assert sweep(layout.snapshots, layout.keys) > 0
    assert ids(layout) == [first, third, newer]
    whole(layout)


def test_a_snapshot_that_is_damaged_beyond_reading_can_be_removed(layout: PlatformLayout) -> None:
    first, second = several(layout, 2)
    (layout.snapshots / ".references.sqlite").unlink()
    (layout.snapshots / first / "index").unlink()
    remove(layout, [first])
    assert ids(layout) == [second]
    whole(layout)


def test_a_shredded_snapshot_cannot_be_read_by_who_has_every_key_and_every_file_that_is_left(
    layout: PlatformLayout, tmp_path: Path
) -> None:
    own = b"only in this one, and long enough: %s\n" % os.urandom(16).hex().encode()
    first = make_snapshot(layout, {"raw.a": b"".join(ROWS), "raw.own": own})
    second = make_snapshot(layout, {"raw.a": b"".join(ROWS)}, day=1)
    key = (layout.snapshots / first.id / "key").read_bytes()
    assert own in texts(layout, first).values()
    shred(layout, first.id)
    assert shredded(layout, first.id) and not shredded(layout, second.id)
    with pytest.raises(ShreddedError, match="its key was destroyed"):
        opened(layout, first)
    with pytest.raises(ShreddedError), reading(layout.snapshots, first, layout.keys):
        pass
    assert key not in b"".join(path.read_bytes() for path in layout.root.rglob("*") if path.is_file())
    assert ids(layout) == [first.id, second.id] and newest(layout) == second
    check(layout, second)
    left = opened(layout, second)
    assert all_chunks(layout) == {layout.snapshots / left.keys.name(*chunk) for chunk in left.contents.chunks()}
    assert References(layout.snapshots).shares(second.id).shared == 0.0
    third = make_snapshot(layout, {"raw.a": b"".join(ROWS)}, day=2)
    check(layout, third)
    remove(layout, [first.id])
    assert ids(layout) == [second.id, third.id]


def test_the_golden_directory_goes_with_its_snapshot(layout: PlatformLayout) -> None:
    first, second = several(layout, 2)
    golden = [layout.golden / f"{snapshot}_18_c-utf8" for snapshot in (first, second)]
    for place in golden:
        (place / "postgres").mkdir(parents=True)
    shred(layout, first)
    assert not golden[0].exists() and golden[1].exists()
    remove(layout, [second])
    assert not golden[1].exists()
