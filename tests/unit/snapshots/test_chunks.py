"""Chunks: where data are cut, what is stored again and what is not, and what the store tells to who has no key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.errors import AuthenticationError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.boundaries import LARGEST, SMALLEST, Cutter
from dataops.snapshots.chunks import ChunkKeys, ChunkRef, Packer, hash_of, split, unpack
from dataops.snapshots.contents import Contents, decode, encode
from dataops.snapshots.references import References
from support.made_snapshots import changed, layout_in, make_snapshot, some_rows
from support.stored_snapshots import all_chunks, check, chunk_files, chunks_of, opened, texts


@pytest.fixture
def layout(tmp_path: Path) -> PlatformLayout:
    return layout_in(tmp_path)


def cut(data: bytes, *, rows: bool, step: int = 300_000, seed: int = 7) -> list[bytes]:
    cutter = Cutter(seed, rows=rows)
    found = [piece for start in range(0, len(data), step) for piece in cutter.cut(data[start : start + step])]
    return found + list(cutter.finish())


def test_chunks_of_rows_end_with_rows_and_have_the_sizes_they_should() -> None:
    data = b"".join(some_rows(120_000))
    pieces = cut(data, rows=True)
    assert b"".join(pieces) == data and len(pieces) > 4
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert all(SMALLEST <= len(piece) <= LARGEST + 200 for piece in pieces[:-1])


@pytest.mark.parametrize("rows", [True, False])
def test_where_data_are_cut_does_not_depend_on_how_they_arrive(rows: bool) -> None:
    data = b"".join(some_rows(60_000))
    assert cut(data, rows=rows, step=77_777) == cut(data, rows=rows, step=5_000_000)
    assert cut(data, rows=rows) != cut(data, rows=rows, seed=8)
    assert cut(b"", rows=rows) == []


@pytest.mark.parametrize("rows", [True, False])
def test_rows_that_come_and_go_shift_no_later_boundary(rows: bool) -> None:
    lines = some_rows(150_000)
    before = cut(b"".join(lines), rows=rows)
    after = cut(b"".join([*lines[:40_000], b"one more\tx\n", *lines[40_000:90_000], *lines[90_003:]]), rows=rows)
    assert len(set(after) - set(before)) <= 4 < len(before)


def test_a_row_larger_than_any_chunk_is_one() -> None:
    large = b"x" * (3 * LARGEST) + b"\n"
    pieces = cut(large + b"small\n", rows=True)
    assert pieces[0].startswith(large[:-1]) and b"".join(pieces) == large + b"small\n"
    assert cut(b"no newline", rows=True) == [b"no newline"]


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(deadline=None)
def test_what_is_sealed_is_opened_again_and_nothing_else(text: bytes, base: bytes) -> None:
    keys, packer = ChunkKeys(bytes(32)), Packer()
    full, difference = packer.pack(text), packer.pack_difference(text, base)
    for packed, under in ((full, b""), (difference, hash_of(base))):
        stored = keys.seal(hash_of(text), under, packed)
        back = keys.unseal(hash_of(text), under, stored)
        assert unpack(back, base if under else None) == text
        for place in (0, len(stored) // 2, len(stored) - 1):
            spoiled = stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]
            with pytest.raises(InvalidTag):
                keys.unseal(hash_of(text), under, spoiled)


def test_equal_texts_are_stored_equally_and_neither_name_nor_bytes_tell_what_they_are() -> None:
    text = b"ada@example.com\n" * 1000
    packed = Packer().pack(text)
    one, other = ChunkKeys(bytes(32)), ChunkKeys(bytes(31) + b"\1")
    chunk = hash_of(text)
    assert one.seal(chunk, b"", packed) == one.seal(chunk, b"", packed)
    assert one.seal(chunk, b"", packed)[12:] != other.seal(chunk, b"", packed)[12:]
    assert one.name(chunk) != other.name(chunk) and chunk.hex()[:8] not in one.name(chunk)
    assert one.seed != other.seed and one.digest([chunk]) != other.digest([chunk])
    assert "0" * 32 not in repr(one)


def test_a_text_compressed_otherwise_is_not_encrypted_under_the_same_nonce() -> None:
    keys, chunk = ChunkKeys(bytes(32)), hash_of(b"x")
    assert keys.seal(chunk, b"", b"packed one way")[:12] != keys.seal(chunk, b"", b"packed another")[:12]


def test_an_index_comes_back_as_it_was() -> None:
    contents = Contents(
        {
            "tables/raw.a": (ChunkRef(bytes(32), 5, 9), ChunkRef(b"\2" * 32, 1 << 22, 70, b"\3" * 64)),
            "lake/ä b": (),
        }
    )
    assert decode(encode(contents)) == contents
    assert contents.chunks() == {(bytes(32), b""), (b"\2" * 32, b"\3" * 64), (b"\3" * 32, b"")}


def test_the_same_data_are_stored_once(layout: PlatformLayout) -> None:
    rows = b"".join(some_rows(30_000))
    first = make_snapshot(layout, {"raw.a": rows, "raw.copy": rows}, {"x.bin": rows})
    files = all_chunks(layout)
    assert chunk_files(layout, first, "tables/raw.a") == chunk_files(layout, first, "tables/raw.copy")
    second = make_snapshot(layout, {"raw.a": rows, "raw.copy": rows}, {"x.bin": rows}, day=1)
    assert all_chunks(layout) == files == chunks_of(layout)
    assert second.tables == first.tables and second.objects == first.objects and second.id != first.id
    shares = References(layout.snapshots).shares(second.id)
    assert shares.own == shares.own_chunks == 0 < shares.stored and shares.shared == 1.0
    assert texts(layout, second)["lake/x.bin"] == rows


@pytest.mark.parametrize("how", ["all over", "in one place", "added", "taken away"])
def test_one_row_in_a_hundred_changed_adds_at_most_three_hundredths(layout: PlatformLayout, how: str) -> None:
    before = some_rows(60_000)
    after = {
        "all over": changed(before, 0.01),
        "in one place": [*before[:30_000], *changed(before[30_000:30_600], 1.0), *before[30_600:]],
        "added": [*before[:20_000], *some_rows(600, seed=9), *before[20_000:]],
        "taken away": [row for number, row in enumerate(before) if number % 100],
    }[how]
    first = make_snapshot(layout, {"raw.a": b"".join(before)})
    second = make_snapshot(layout, {"raw.a": b"".join(after)}, day=1)
    references = References(layout.snapshots)
    assert references.shares(second.id).own <= 0.03 * references.shares(first.id).stored
    assert texts(layout, second)["tables/raw.a"] == b"".join(after)
    check(layout, second)


def test_differences_are_never_to_differences_and_are_given_up_when_they_grow(layout: PlatformLayout) -> None:
    rows, bases, refs = some_rows(20_000), [], list[ChunkRef]()
    for day in range(8):
        manifest = make_snapshot(layout, {"raw.a": b"".join(rows)}, day=day)
        snapshot = opened(layout, manifest)
        held = snapshot.contents.chunks()
        assert all((base, b"") in held for ref in snapshot.contents.parts["tables/raw.a"] for base in split(ref.bases))
        assert b"".join(snapshot.read("tables/raw.a")) == b"".join(rows)
        refs += snapshot.contents.parts["tables/raw.a"]
        bases.append({ref.bases for ref in snapshot.contents.parts["tables/raw.a"]})
        rows = changed(rows, 0.02, seed=day) if day % 4 < 3 else some_rows(20_000, seed=day)
    assert bases[0] == {b""}
    assert all(b"" not in bases[day] for day in (1, 2, 3))
    assert b"" in bases[4]
    assert all(ref.stored < 0.15 * ref.size for ref in refs if ref.bases)


def test_a_chunk_that_a_crash_left_damaged_is_not_used_again(layout: PlatformLayout) -> None:
    rows = b"".join(some_rows(60_000))
    first = make_snapshot(layout, {"raw.a": rows})
    files = chunk_files(layout, first, "tables/raw.a")
    (layout.snapshots / first.id / "manifest.json").unlink()
    files[0].write_bytes(b"")
    files[1].write_bytes(bytes(files[1].stat().st_size))
    second = make_snapshot(layout, {"raw.a": rows}, day=1)
    check(layout, second)


def test_a_chunk_that_is_missing_is_written_again(layout: PlatformLayout) -> None:
    rows = b"".join(some_rows(30_000))
    first = make_snapshot(layout, {"raw.a": rows})
    chunk_files(layout, first, "tables/raw.a")[0].unlink()
    make_snapshot(layout, {"raw.a": rows}, day=1)
    check(layout, first)


def test_a_count_of_references_that_is_lost_or_torn_is_made_again(layout: PlatformLayout) -> None:
    rows = b"".join(some_rows(30_000))
    first = make_snapshot(layout, {"raw.a": rows})
    database = layout.snapshots / ".references.sqlite"
    for spoil in (database.unlink, lambda: database.write_bytes(b"torn" * 1000), lambda: os.truncate(database, 3000)):
        spoil()
        before = all_chunks(layout)
        second = make_snapshot(layout, {"raw.a": rows}, day=1)
        assert all_chunks(layout) == before
        assert References(layout.snapshots).shares(first.id).own == 0
        (layout.snapshots / second.id / "manifest.json").unlink()


def test_the_store_key_opens_snapshots_and_another_does_not(layout: PlatformLayout, tmp_path: Path) -> None:
    manifest = make_snapshot(layout, {"raw.a": b"1\n"})
    key = layout.keys / "store.key"
    whole = key.read_text()
    key.write_text("0" * 64)
    with pytest.raises(AuthenticationError, match="cannot be opened with the store key of this machine"):
        opened(layout, manifest)
    key.unlink()
    with pytest.raises(AuthenticationError, match="store key is not on this machine"):
        opened(layout, manifest)
    key.write_text(whole)
    key.chmod(0o600)
    (layout.keys / "masking.key").unlink(missing_ok=True)
    (layout.keys / "signing.key").unlink()
    assert texts(layout, manifest)["tables/raw.a"] == b"1\n"


def test_a_snapshot_that_is_removed_while_it_is_read_is_told_so(layout: PlatformLayout) -> None:
    manifest = make_snapshot(layout, {"raw.a": b"".join(some_rows(60_000))})
    reading = opened(layout, manifest).read("tables/raw.a")
    next(reading)
    for path in (layout.snapshots / manifest.id / "manifest.json", *all_chunks(layout)):
        path.unlink()
    with pytest.raises(NotFoundError, match="was removed while it was read"):
        list(reading)


def test_a_snapshot_of_the_former_format_is_refused_with_what_to_do(layout: PlatformLayout) -> None:
    import base64
    import json

    from dataops.snapshots import keys
    from dataops.snapshots.manifest import canonical_json
    from dataops.snapshots.store import list_snapshots

    body = {"format": "dataops-snapshot/1", "id": "20250101T000000Z-000000000000"}
    signature = base64.b64encode(keys.signing_key(layout.keys).sign(canonical_json(body))).decode()
    folder = layout.snapshots / str(body["id"])
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "00001.copy.zst").write_bytes(b"x")
    (folder / "manifest.json").write_text(json.dumps({"manifest": body, "signature": signature}))
    with pytest.raises(VerificationError, match=r"in the format 'dataops-snapshot/1'") as raised:
        list_snapshots(layout)
    assert "capture anew" in (raised.value.hint or "")
    manifest = make_snapshot(layout, {"raw.a": b"1\n"})
    check(layout, manifest)
    assert (folder / "tables" / "00001.copy.zst").exists()
