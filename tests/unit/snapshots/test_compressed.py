"""What is compressed is searched for production hosts as well, and what is not searched is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from dataops.snapshots.compressed import MOST, search_compressed
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.parquet import look_into

HOST = "db.prod.example.com"
TEXT = b"id,url\n" + b"1,https://example.com/\n" * 200_000 + f"2,postgresql://{HOST}/sales\n".encode()


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.csv", b"nothing")
        archive.writestr("folder/second.csv", data)
    return buffer.getvalue()


def searched(path: Path, data: bytes, most: int = MOST) -> tuple[dict[str, int], dict[str, str]]:
    path.write_bytes(data)
    search = HostSearch([HOST])
    with open(path, "rb") as file:
        search_compressed(file, "lake:x", search, most)
    found = {reference.host: reference.count for reference in search.references()}
    return found, {part.where: part.why for part in search.unsearched()}


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip in two pieces": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "zstd": zstandard.compress,
    "zstd in two frames": lambda data: zstandard.compress(data[:100]) + zstandard.compress(data[100:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
}


@pytest.mark.parametrize("form", PACK)
def test_an_address_in_a_compressed_object_is_found(tmp_path: Path, form: str) -> None:
    assert searched(tmp_path / "x", PACK[form](TEXT)) == ({HOST: 1}, {})
    assert searched(tmp_path / "x", PACK[form](b"harmless\n" * 1000)) == ({}, {})


@pytest.mark.parametrize("form", ["gzip", "zstd", "bzip2", "xz"])
def test_what_is_cut_off_is_searched_as_far_as_it_goes_and_told(tmp_path: Path, form: str) -> None:
    whole = PACK[form](TEXT + b"3,end\n" * 1000)
    found, passed_over = searched(tmp_path / "x", whole[:-20])
    assert list(passed_over) == ["lake:x"] and "cut off" in passed_over["lake:x"]


def test_what_cannot_be_unpacked_is_told(tmp_path: Path) -> None:
    assert "lz4" in searched(tmp_path / "x", b"\x04\x22\x4d\x18...")[1]["lake:x"]
    assert "ORC" in searched(tmp_path / "x", b"ORC...")[1]["lake:x"]
    assert "damaged" in searched(tmp_path / "x", b"PK\x03\x04 no archive")[1]["lake:x"]
    assert searched(tmp_path / "x", b"plain text") == ({}, {})
    assert searched(tmp_path / "x", b"") == ({}, {})


def test_of_what_unpacks_to_more_than_the_bound_the_rest_is_told(tmp_path: Path) -> None:
    found, passed_over = searched(tmp_path / "x", gzip.compress(TEXT), 1 << 20)
    assert found == {} and "more than the 1.0 MiB" in passed_over["lake:x"]


def test_bytes_in_parquet_are_searched_as_texts_are() -> None:
    search = HostSearch([HOST])
    look_into(pa.table({"raw": [f"https://{HOST}/".encode(), b"\xff", None], "n": [1, 2, 3]}), "lake:x", search)
    assert [asdict(r) for r in search.references()] == [{"where": "lake:x.raw", "host": HOST, "count": 1}]
