"""Keyed permutations of fixed-length text over an alphabet, and of integers.

FF1 (NIST SP 800-38G) where the domain has at least a million members, as the standard asks; a keyed shuffle of the
whole domain below that. Both are permutations: no two inputs have the same output.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from fastfpe import ff1

from dataops.snapshots.masking.base import UnmaskableError
from dataops.snapshots.masking.ff1 import Ff1, fits, from_halves, number, numbers, to_halves
from dataops.snapshots.masking.texts import Texts, one_by_one, strings

SMALLEST_FF1_DOMAIN = 1_000_000
LARGEST_ALPHABET = 256
LONGEST = 4096
FEW = 16
"""So many texts of a length are encrypted one by one: that takes less than to set up columns."""
SAMPLE = 1024
DIFFERENT = 0.95
"""Where no more of the first texts than that are different, it pays to tell the same ones first."""


class AlphabetPermutation:
    """Permutes the texts of each length over an alphabet.

    Args:
        key: 32 bytes.
        alphabet: 2 to 256 different characters. FF1 as implemented here panics on larger ones.

    Raises:
        ValueError: the alphabet is too small, too large or names a character twice.
    """

    def __init__(self, key: bytes, alphabet: str) -> None:
        if not 2 <= len(alphabet) <= LARGEST_ALPHABET or len(set(alphabet)) != len(alphabet):
            raise ValueError("an alphabet has 2 to 256 different characters")
        self._key = key
        self._hex = key.hex()
        self._alphabet = alphabet
        self._index = {character: i for i, character in enumerate(alphabet)}
        self._small: dict[int, array[int] | None] = {}
        self._columns = Ff1(key, len(alphabet)) if alphabet.isascii() else None

    def apply(self, text: str) -> str:
        """The image of a text all of whose characters are of the alphabet; it has the same length.

        Raises:
            UnmaskableError: the text is too long.
        """
        if not text:
            return text
        length = len(text)
        if length > LONGEST:
            raise UnmaskableError(f"a value has more than {LONGEST} characters to encrypt")
        shuffled = self._shuffled(length)
        if shuffled is None:
            return str(ff1.encrypt(self._hex, "", self._alphabet, text))
        radix, place = len(self._alphabet), 0
        for character in text:
            place = place * radix + self._index[character]
        place, characters = shuffled[place], []
        for _ in range(length):
            place, digit = divmod(place, radix)
            characters.append(self._alphabet[digit])
        return "".join(reversed(characters))

    def apply_all(self, texts: Sequence[str]) -> list[str]:
        """The images of some texts, in their order; raises as `apply`."""
        return list(self.apply_column(strings(texts)).to_pylist())

    def apply_column(self, texts: Texts) -> Texts:
        """The images of a column of texts; the same ones as `apply` gives.

        Raises:
            UnmaskableError: a text is too long.
        """
        if not self._columns:
            return one_by_one(self.apply)(texts)
        if len(texts) >= SAMPLE and len(texts[:SAMPLE].unique()) <= DIFFERENT * SAMPLE:
            different = texts.dictionary_encode()
            return self._of_different(different.dictionary).take(different.indices)
        return self._of_different(texts)

    def _of_different(self, texts: Texts) -> Texts:
        import pyarrow as pa
        import pyarrow.compute as pc

        lengths = pc.binary_length(texts)
        order = pc.array_sort_indices(lengths).cast(pa.int64())
        runs = pc.run_end_encode(lengths.take(order))
        if len(runs.values) <= 1:
            return self._of_length(texts, runs.values[0].as_py()) if len(texts) else texts
        ordered, start, images = texts.take(order), 0, []
        for length, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            images.append(self._of_length(ordered.slice(start, end - start), length))
            start = end
        return pa.concat_arrays(images).take(pc.inverse_permutation(order))

    def _of_length(self, texts: Texts, length: int) -> Texts:
        """The images of texts of one length."""
        import pyarrow.compute as pc

        if len(texts) <= FEW or length > LONGEST or not (self._columns and fits(len(self._alphabet), length)):
            return one_by_one(self.apply)(texts)
        alphabet = self._alphabet.encode("ascii")
        left, right = to_halves(texts, alphabet, length)
        shuffled = self._shuffled(length)
        if shuffled is None:
            left, right = self._columns.encrypt(left, right, length)
        else:
            below = number(len(alphabet) ** (length - length // 2))
            image = numbers(shuffled).take(pc.add(pc.multiply(left, below), right))
            left = pc.divide(image, below)
            right = pc.subtract(image, pc.multiply(left, below))
        return from_halves(left, right, alphabet, length)

    def _shuffled(self, length: int) -> array[int] | None:
        if length not in self._small:
            self._small[length] = self._shuffle(length)
        return self._small[length]

    def _shuffle(self, length: int) -> array[int] | None:
        """The shuffled domain of texts of one length, None where it is large enough for FF1."""
        import pyarrow as pa
        import pyarrow.compute as pc
        from blake3 import blake3

        size = len(self._alphabet) ** length
        if size >= SMALLEST_FF1_DOMAIN:
            return None
        stream = blake3(length.to_bytes(4, "big"), key=self._key).digest(length=8 * size)
        weights = pa.Array.from_buffers(pa.uint64(), size, [None, pa.py_buffer(stream)])
        order = array("Q")
        order.frombytes(pc.array_sort_indices(weights).buffers()[1])
        return order[:size]


class IntegerPermutation:
    """Permutes integers of up to eight bytes so that those of four bytes stay such.

    The result does not depend on the width of the column, so that an `integer` still joins a `bigint`.
    """

    def __init__(self, key: bytes) -> None:
        self._bits = AlphabetPermutation(key, "01")
        self._columns = Ff1(key, 2)

    def apply(self, number: int) -> int:
        """The image of a number.

        Raises:
            UnmaskableError: it does not fit into eight bytes.
        """
        if number < 0:
            return ~self.apply(~number)
        if number >= 1 << 63:
            raise UnmaskableError("a number does not fit into eight bytes")
        return self._walk(number, 31 if number < 1 << 31 else 63)

    def _walk(self, number: int, width: int) -> int:
        while True:
            number = int(self._bits.apply(f"{number:0{width}b}"), 2)
            # the wide permutation may lead into the narrow range, which is taken: walk on along the cycle
            if width == 31 or number >= 1 << 31:
                return number

    def apply_column(self, integers: Any) -> Any:
        """The images of a column of numbers of eight bytes; the same ones as `apply` gives."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if len(integers) <= FEW:
            return pa.array(map(self.apply, integers.to_pylist()), pa.int64())
        negative = pc.less(integers, pa.scalar(0, pa.int64()))
        sizes = pc.if_else(negative, pc.bit_wise_not(integers), integers).cast(pa.uint64())
        images = sizes
        for width, low, high in ((31, 0, 1 << 31), (63, 1 << 31, 1 << 63)):
            here = pc.and_(pc.greater_equal(sizes, number(low)), pc.less(sizes, number(high)))
            if pc.any(here).as_py():
                images = pc.replace_with_mask(images, here, self._narrow(sizes.filter(here), width, low))
        images = images.cast(pa.int64())
        return pc.if_else(negative, pc.bit_wise_not(images), images)

    def _narrow(self, sizes: Any, width: int, low: int) -> Any:
        """The images of numbers of so many bits, none of them less than `low`."""
        import pyarrow.compute as pc

        half = number(width - width // 2)
        left = pc.shift_right(sizes, half)
        left, right = self._columns.encrypt(left, pc.subtract(sizes, pc.shift_left(left, half)), width)
        images = pc.bit_wise_or(pc.shift_left(left, half), right)
        astray = pc.less(images, number(low))  # into the narrow range, which is taken
        if pc.any(astray).as_py():
            back = array("Q", (self._walk(image, width) for image in images.filter(astray).to_pylist()))
            images = pc.replace_with_mask(images, astray, numbers(back))
        return images
