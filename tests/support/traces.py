"""Looks for a planted value in bytes, in every form in which a program may have written it."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote


def forms(text: str) -> set[bytes]:
    """The text raw, JSON-escaped once and twice, in hexadecimal, percent-encoded, UTF-16 and base64 at any offset."""
    raw = text.encode()
    escaped = json.dumps(text)[1:-1]
    found = {
        raw,
        escaped.encode(),
        json.dumps(escaped)[1:-1].encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode(),
    }
    found |= {text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode(), quote(text, safe="").encode()}
    for plain in (raw, escaped.encode()):
        for shift in range(3):
            # Three bytes are four letters: those that the neighbours have a part in are left out.
            whole = base64.b64encode(b"\0" * shift + plain)
            inner = whole[4 if shift else 0 : len(whole) - (4 if (len(plain) + shift) % 3 else 0)]
            found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def unpacked(data: bytes) -> Iterator[bytes]:
    """The bytes, and what is in them where they, or a part of them, are compressed or base64."""
    yield data
    for at in _positions(data, b"\x1f\x8b\x08"):
        try:
            yield zlib.decompressobj(31).decompress(data[at:])
        except zlib.error:
            continue
    for at in _positions(data, b"\x28\xb5\x2f\xfd"):
        import zstandard

        try:
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])
        except zstandard.ZstdError:
            continue
    for at in _positions(data, base64.b64encode(b"\x1f\x8b\x08")[:4]):
        letters = data[at:].split(b'"')[0].split()[0]
        try:
            yield gzip.decompress(base64.b64decode(letters))
        except (ValueError, OSError, EOFError, zlib.error):
            continue


def holders(pieces: Mapping[str, bytes] | Iterable[tuple[str, bytes]], text: str) -> set[str]:
    """The names of the pieces that hold the text in any form."""
    wanted = forms(text)
    named = pieces.items() if isinstance(pieces, Mapping) else pieces
    return {name for name, data in named if any(form in inner for inner in unpacked(data) for form in wanted)}


def _positions(data: bytes, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)
