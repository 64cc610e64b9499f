"""Where data are cut into chunks: by their content, so that what is inserted or taken away shifts no later boundary.

FastCDC looks for places whose last 64 bytes have a certain hash; rows of COPY text are cut at the end of the row in
which such a place lies. So a chunk of rows can be loaded by itself, and one that has not changed is the same chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SMALLEST, USUAL, LARGEST = 1 << 18, 1 << 20, 1 << 22
"""Bytes of a chunk before it is compressed."""


class Cutter:
    """Cuts a stream. A chunk is passed on as soon as no more data could change where it ends.

    Args:
        seed: decides where; the same data with the same seed are cut at the same places.
        rows: cut at the end of rows only.
    """

    def __init__(self, seed: int, *, rows: bool) -> None:
        from pyfastcdc import FastCDC

        self._cdc = FastCDC(USUAL, min_size=SMALLEST, max_size=LARGEST, seed=seed)
        self._rows = rows
        self._rest = bytearray()

    def cut(self, data: Any) -> Iterator[bytes]:
        """The chunks that are finished by some more data."""
        self._rest += data
        yield from self._chunks(final=False)

    def finish(self) -> Iterator[bytes]:
        """The chunks that are left at the end."""
        yield from self._chunks(final=True)

    def _chunks(self, *, final: bool) -> Iterator[bytes]:
        rest, begin = memoryview(self._rest), 0
        try:
            while begin < len(rest):
                end = self._end(rest, begin, final=final)
                if not end:
                    break
                yield bytes(rest[begin:end])
                begin = end
        finally:
            rest.release()
        del self._rest[:begin]

    def _end(self, rest: memoryview, begin: int, *, final: bool) -> int:
        """Where the chunk ends that begins there; 0 when more data could tell."""
        if not final and len(rest) - begin < LARGEST:
            return 0
        end = begin + next(iter(self._cdc.cut_buf(rest[begin : begin + LARGEST]))).length
        if not self._rows:
            return end
        newline = self._rest.find(b"\n", end - 1)
        return newline + 1 if newline >= 0 else len(rest) if final else 0
