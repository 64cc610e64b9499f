"""FF1 (NIST SP 800-38G) for many texts of one length at once.

A text is two numbers, left and right half. The arithmetic of a round is done by Arrow on whole columns and its one AES
block per text by one call, so that a text costs a fraction of what a call for each would. The results are those of
`fastfpe`, which serves the texts that do not fit here: those whose halves need more than four bytes.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any

ROUNDS = 10
_LARGEST_HALF = 1 << 32


def fits(radix: int, length: int) -> bool:
    """Whether texts of a length over so many characters can be encrypted here."""
    return length >= 2 and radix ** (length - length // 2) <= _LARGEST_HALF


class Ff1:
    """FF1 without a tweak.

    Args:
        key: 16, 24 or 32 bytes.
        radix: how many characters the alphabet has, at most 256.
    """

    def __init__(self, key: bytes, radix: int) -> None:
        self._key = key
        self._radix = radix

    def encrypt(self, left: Any, right: Any, length: int) -> tuple[Any, Any]:
        """Encrypts pairs of halves: the first `length // 2` digits and the rest, as numbers in arrays of uint64."""
        import pyarrow.compute as pc

        radix, half = self._radix, length - length // 2
        high, low = self._first_block(length)
        shift = 8 * ((((radix**half) - 1).bit_length() + 7) // 8)  # the place of the round's number beside the half
        for turn in range(ROUNDS):
            modulus = number(radix ** (length // 2 if turn % 2 == 0 else half))
            block = pc.bit_wise_xor(right, number(low ^ (turn << shift)))
            pseudorandom = self._aes(high, block)
            reduced = pc.subtract(pseudorandom, pc.multiply(pc.divide(pseudorandom, modulus), modulus))
            total = pc.add(left, reduced)
            total = pc.subtract(total, pc.multiply(pc.divide(total, modulus), modulus))
            left, right = right, total
        return left, right

    def _first_block(self, length: int) -> tuple[int, int]:
        """The encrypted first block, which is the same for all texts, as two numbers of eight bytes."""
        block = bytes([1, 2, 1]) + self._radix.to_bytes(3, "big") + bytes([ROUNDS, length // 2 % 256])
        encrypted = self._cipher().update(block + length.to_bytes(4, "big") + bytes(4))
        return int.from_bytes(encrypted[:8], "big"), int.from_bytes(encrypted[8:], "big")

    def _aes(self, high: int, lows: Any) -> Any:
        """The first eight bytes of the encrypted blocks that begin with the same eight bytes."""
        count = len(lows)
        low = array("Q")
        low.frombytes(lows.buffers()[1][8 * lows.offset : 8 * (lows.offset + count)])
        blocks = array("Q", [high]) * (2 * count)
        blocks[1::2] = low
        _swap(blocks)
        encrypted = array("Q")
        encrypted.frombytes(self._cipher().update(memoryview(blocks).cast("B")))
        first = encrypted[0::2]
        _swap(first)
        return numbers(first)

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._key), modes.ECB()).encryptor()  # FF1 is built on single blocks


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


def to_halves(texts: list[str], alphabet: bytes, length: int) -> tuple[Any, Any]:
    """Texts of one length over an ASCII alphabet as the numbers of their halves."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = "".join(texts).encode("ascii").translate(_translation(alphabet, bytes(range(len(alphabet)))))
    radix = number(len(alphabet))

    def value(places: range) -> Any:
        total = None
        for place in places:
            column = pa.py_buffer(digits[place::length])
            digit = pa.Array.from_buffers(pa.uint8(), len(texts), [None, column]).cast(pa.uint64())
            total = digit if total is None else pc.add(pc.multiply(total, radix), digit)
        return total

    return value(range(length // 2)), value(range(length // 2, length))


def from_halves(left: Any, right: Any, alphabet: bytes, length: int) -> list[str]:
    """The texts of halves; the inverse of `to_halves`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count, radix = len(left), number(len(alphabet))
    digits = bytearray(count * length)
    for half, places in ((left, range(length // 2)), (right, range(length // 2, length))):
        for place in reversed(places):
            rest = pc.divide(half, radix)
            digit = pc.subtract(half, pc.multiply(rest, radix)).cast(pa.uint8())
            digits[place::length] = digit.buffers()[1][digit.offset : digit.offset + count]
            half = rest
    text = digits.translate(_translation(bytes(range(len(alphabet))), alphabet)).decode("ascii")
    return [text[start : start + length] for start in range(0, count * length, length)]


def _translation(source: bytes, target: bytes) -> bytes:
    return bytes.maketrans(source, target)
