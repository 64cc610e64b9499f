"""Which snapshot is meant: an id, the newest, one by its rules, or a schema alone; and what is said if none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.choosing import choose_snapshot
from dataops.snapshots.contents import ShreddedError
from dataops.snapshots.removal import remove, shred
from dataops.snapshots.store import load_manifest, reading
from dataops.snapshots.without_rows import base_of
from support.made_snapshots import layout_in, make_snapshot
from support.stored_snapshots import chunk_files

ROWS = {"raw.flights": b"1\n2\n"}


@pytest.fixture
def layout(tmp_path: Path) -> PlatformLayout:
    return layout_in(tmp_path)


def test_the_newest_is_the_newest_with_all_rows_that_can_be_read(layout: PlatformLayout) -> None:
    first, second = (make_snapshot(layout, ROWS, day=day).id for day in (0, 1))
    make_snapshot(layout, ROWS, day=2, rules=["raw.flights:5%"])
    assert choose_snapshot("newest", layout).id == choose_snapshot("latest", layout).id == second
    assert choose_snapshot(first, layout).id == first
    shred(layout, second)
    assert choose_snapshot("newest", layout).id == first
    with pytest.raises(ShreddedError) as caught:
        choose_snapshot(second, layout)
    assert "--snapshot newest" in str(caught.value.hint)


def test_a_subset_is_found_by_its_rules_with_or_without_schemas(layout: PlatformLayout) -> None:
    old, new, other = (
        make_snapshot(layout, ROWS, day=day, rules=rules).id
        for day, rules in enumerate(
            [
                ["raw.flights:5%"],
                ["raw.bookings:down", "raw.flights:5%"],
                ["raw.flights:carrier = 'UA'"],
            ]
        )
    )
    assert choose_snapshot("subset:flights:5%", layout).id == new
    assert choose_snapshot("subset:raw.flights:5.0%; bookings:down", layout).id == new
    assert choose_snapshot("subset:flights:carrier = 'UA'", layout).id == other
    remove(layout, [new])
    assert choose_snapshot("subset:flights:5%", layout).id == old
    with pytest.raises(NotFoundError, match="no snapshot was captured with `flights:6%`") as caught:
        choose_snapshot("subset:flights:6%", layout)
    assert f"raw.flights:5% ({old})" in str(caught.value.hint)
    assert 'dataops snapshot capture --subset "flights:6%"' in str(caught.value.hint)
    with pytest.raises(ConfigurationError, match="no subset rule"):
        choose_snapshot("subset:flights", layout)
    with pytest.raises(NotFoundError):
        choose_snapshot("subset:", layout)


def test_empty_is_the_schema_of_the_newest_snapshot(layout: PlatformLayout) -> None:
    made = make_snapshot(layout, ROWS, {"raw/a.txt": b"something"})
    empty = choose_snapshot("empty", layout)
    assert base_of(empty.id) == made.id != empty.id and empty.hash != made.hash
    assert choose_snapshot(empty.id, layout) == load_manifest(layout, empty.id) == empty
    assert {name: entry.rows for name, entry in empty.tables.items()} == {"raw.flights": 0} and not empty.objects
    chunk_files(layout, made, "tables/raw.flights")[0].unlink()  # rows are not looked at
    with reading(layout.snapshots, empty, layout.keys) as snapshot:
        snapshot.check_present()
        assert b"".join(snapshot.read("schema/pre-data")) == b"CREATE SCHEMA raw;\n"
        assert b"".join(snapshot.read("tables/raw.flights")) == b""
        assert remove(layout, [made.id]).snapshots == ()
    with reading(layout.snapshots, made, layout.keys) as snapshot, pytest.raises(VerificationError):
        snapshot.check_present()
    assert remove(layout, [made.id]).snapshots == (made.id,)
    with pytest.raises(NotFoundError, match="no snapshot `2"):
        choose_snapshot(empty.id, layout)


def test_what_is_not_there_is_told_with_what_is(layout: PlatformLayout) -> None:
    for asked in ("newest", "empty", "20260101T000000Z-000000000000"):
        with pytest.raises(NotFoundError) as caught:
            choose_snapshot(asked, layout)
        assert "dataops snapshot capture" in str(caught.value.hint)
    made = [make_snapshot(layout, ROWS, day=day).id for day in range(7)]
    with pytest.raises(NotFoundError) as caught:
        choose_snapshot("20260101T000000Z-000000000000", layout)
    assert caught.value.hint == f"there are {', '.join(reversed(made[2:]))} and 2 more"
    for snapshot in made:
        shred(layout, snapshot)
    with pytest.raises(NotFoundError, match="every snapshot was shredded"):
        choose_snapshot("newest", layout)
