"""FF1 (NIST SP 800-38G) for many texts of one length at once.

A text is two numbers, left and right half. The arithmetic of a round is done by Arrow on whole columns and its one AES
block per text by one call, so that a text costs a fraction of what a call for each would. The results are those of
`fastfpe`, which serves the texts that do not fit here: those whose halves are too large to be reduced in eight bytes.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any

from dataops.snapshots.masking.texts import Texts, byte_numbers, numbers_below, of_length, taken_apart

ROUNDS = 10
_SMALL = 32
"""Bits of a half up to which a round needs eight bytes of the cipher, and beyond it twelve."""
_LARGEST = 60
"""Bits of a half at most: more leave no room to reduce in, and to add."""
WORKED_OUT = 1 << 20
"""Of how many values of halves the rounds are worked out, at most, in all: these take four megabytes."""


def _bits(radix: int, length: int) -> int:
    """Of the larger half of texts of a length."""
    return int(radix ** (length - length // 2) - 1).bit_length()


def fits(radix: int, length: int) -> bool:
    """Whether texts of a length over so many characters can be encrypted here."""
    return length >= 2 and _bits(radix, length) <= _LARGEST


class Ff1:
    """FF1 without a tweak.

    What a round adds to one half depends on the other half alone. Where that has few values, the round is worked out
    for all of them once, and then looked up.

    Args:
        key: 16, 24 or 32 bytes.
        radix: how many characters the alphabet has, at most 256.
    """

    def __init__(self, key: bytes, radix: int) -> None:
        self._key = key
        self._radix = radix
        self._first: dict[int, tuple[int, int]] = {}
        self._encrypted: dict[int, int] = {}
        self._tables: dict[int, list[Any]] = {}
        self._room = WORKED_OUT

    def encrypt(self, left: Any, right: Any, length: int) -> tuple[Any, Any]:
        """Encrypts pairs of halves: the first `length // 2` digits and the rest, as numbers in arrays of uint64."""
        import pyarrow as pa
        import pyarrow.compute as pc

        tables, kind = self._worked_out(length, len(left)), left.type
        if tables:
            left, right = left.cast(pa.uint32()), right.cast(pa.uint32())
        for turn in range(ROUNDS):
            modulus = pa.scalar(self._sizes(length)[turn % 2], left.type)
            total = pc.add(left, tables[turn].take(right) if tables else self._round(right, length, turn))
            # less than twice the modulus, and nothing is less than 0: that is very much
            left, right = right, pc.min_element_wise(total, pc.subtract(total, modulus), skip_nulls=False)
        return left.cast(kind), right.cast(kind)

    def _sizes(self, length: int) -> tuple[int, int]:
        """How many values the left half has, and the right one."""
        return self._radix ** (length // 2), self._radix ** (length - length // 2)

    def _worked_out(self, length: int, count: int) -> list[Any]:
        """The rounds worked out for all values, if they are few and that pays with so many more texts."""
        import pyarrow as pa

        if length not in self._tables:
            left, right = self._sizes(length)
            values = ROUNDS // 2 * (left + right)
            self._encrypted[length] = self._encrypted.get(length, 0) + count
            if values > self._room or values > ROUNDS * self._encrypted[length]:
                return []
            self._room -= values
            every = [numbers_below(size).cast(pa.uint64()) for size in (right, left)]
            rounds = (self._round(every[turn % 2], length, turn) for turn in range(ROUNDS))
            self._tables[length] = [added.cast(pa.uint32()) for added in rounds]
        return self._tables[length]

    def _round(self, right: Any, length: int, turn: int) -> Any:
        """What a round adds to the left half."""
        import pyarrow.compute as pc

        high, low = self._first_block(length)
        bits, modulus = _bits(self._radix, length), self._sizes(length)[turn % 2]
        beside = turn << 8 * ((bits + 7) // 8)  # the place of the round's number beside the half
        block = pc.bit_wise_xor(right, number(low ^ (beside & (1 << 64) - 1)))
        encrypted = self._aes(high ^ (beside >> 64), block)
        first = numbers(encrypted[0::2])
        reduced = _modulo(first, modulus)
        return _with_more(first, reduced, numbers(encrypted[1::2]), modulus) if bits > _SMALL else reduced

    def _first_block(self, length: int) -> tuple[int, int]:
        """The encrypted first block, which is the same for all texts, as two numbers of eight bytes."""
        if length not in self._first:
            block = bytes([1, 2, 1]) + self._radix.to_bytes(3, "big") + bytes([ROUNDS, length // 2 % 256])
            encrypted = self._cipher().update(block + length.to_bytes(4, "big") + bytes(4))
            self._first[length] = int.from_bytes(encrypted[:8], "big"), int.from_bytes(encrypted[8:], "big")
        return self._first[length]

    def _aes(self, high: int, lows: Any) -> array[int]:
        """The encrypted blocks that begin with the same eight bytes, each as two numbers."""
        count = len(lows)
        low = array("Q")
        low.frombytes(lows.buffers()[1][8 * lows.offset : 8 * (lows.offset + count)])
        blocks = array("Q", [high]) * (2 * count)
        blocks[1::2] = low
        _swap(blocks)
        encrypted = array("Q")
        encrypted.frombytes(self._cipher().update(memoryview(blocks).cast("B")))
        _swap(encrypted)
        return encrypted

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._key), modes.ECB()).encryptor()  # FF1 is built on single blocks


def _modulo(values: Any, modulus: int) -> Any:
    import pyarrow.compute as pc

    if modulus & (modulus - 1) == 0:
        return pc.bit_wise_and(values, number(modulus - 1))
    return pc.subtract(values, pc.multiply(pc.divide(values, number(modulus)), number(modulus)))


def _with_more(first: Any, reduced: Any, rest: Any, modulus: int) -> Any:
    """The remainder of numbers of twelve bytes, from the first eight, their remainder, and what follows them."""
    import pyarrow.compute as pc

    if modulus & (modulus - 1) == 0:
        more = pc.shift_right(rest, number(32))
        return _modulo(pc.bit_wise_or(pc.shift_left(first, number(32)), more), modulus)
    left, step = 32, 64 - (modulus - 1).bit_length()
    while left:
        taken = min(left, step)
        digit = pc.bit_wise_and(pc.shift_right(rest, number(32 + left - taken)), number((1 << taken) - 1))
        reduced = _modulo(pc.bit_wise_or(pc.shift_left(reduced, number(taken)), digit), modulus)
        left -= taken
    return reduced


def numbers(values: array[int]) -> Any:
    """An array of eight-byte numbers as one of Arrow's."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.uint64(), len(values), [None, pa.py_buffer(values)])


def number(value: int) -> Any:
    """A number as one of Arrow's, of eight bytes."""
    import pyarrow as pa

    return pa.scalar(value, pa.uint64())


def _swap(values: array[int]) -> None:
    """Between the machine's order of bytes and the standard's."""
    if sys.byteorder == "little":
        values.byteswap()


def to_halves(texts: Texts, alphabet: bytes, length: int) -> tuple[Any, Any]:
    """Texts of one length over an ASCII alphabet as the numbers of their halves."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = taken_apart(texts)[1].translate(_translation(alphabet, bytes(range(len(alphabet)))))
    radix = number(len(alphabet))

    def value(places: range) -> Any:
        total = None
        for place in places:
            digit = byte_numbers(digits[place::length]).cast(pa.uint64())
            total = digit if total is None else pc.add(pc.multiply(total, radix), digit)
        return total

    return value(range(length // 2)), value(range(length // 2, length))


def from_halves(left: Any, right: Any, alphabet: bytes, length: int) -> Texts:
    """The texts of halves; the inverse of `to_halves`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count, digits = len(left), bytearray(len(left) * length)
    narrow = _bits(len(alphabet), length) <= _SMALL  # where division takes less
    radix = pa.scalar(len(alphabet), pa.uint32()) if narrow else number(len(alphabet))
    for half, places in ((left, range(length // 2)), (right, range(length // 2, length))):
        half = half.cast(radix.type)
        for place in reversed(places):
            rest = pc.divide(half, radix)
            digit = pc.subtract(half, pc.multiply(rest, radix)).cast(pa.uint8())
            digits[place::length] = digit.buffers()[1][digit.offset : digit.offset + count]
            half = rest
    return of_length(digits.translate(_translation(bytes(range(len(alphabet))), alphabet)), length)


def _translation(source: bytes, target: bytes) -> bytes:
    return bytes.maketrans(source, target)
