"""Keyed permutations of fixed-length text over an alphabet, and of integers.

FF1 (NIST SP 800-38G) where the domain has at least a million members, as the standard asks; a keyed shuffle of the
whole domain below that. Both are permutations: no two inputs have the same output.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from fastfpe import ff1

from dataops.snapshots.masking.base import UnmaskableError
from dataops.snapshots.masking.ff1 import Ff1, fits, from_halves, number, numbers, to_halves

SMALLEST_FF1_DOMAIN = 1_000_000
LARGEST_ALPHABET = 256
LONGEST = 4096
FEW = 16
"""So many texts of a length are encrypted one by one: that takes less than to set up columns."""


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
        """The images of some texts, in their order; the same ones as `apply` gives.

        Raises:
            UnmaskableError: a text is too long.
        """
        images = list(texts)
        lengths: dict[int, list[int]] = {}
        for place, text in enumerate(texts):
            lengths.setdefault(len(text), []).append(place)
        for length, places in lengths.items():
            some = [texts[place] for place in places]
            if len(some) <= FEW or length > LONGEST or not (self._columns and fits(len(self._alphabet), length)):
                own = list(map(self.apply, some))
            else:
                own = self._apply_columns(some, length)
            for place, image in zip(places, own, strict=True):
                images[place] = image
        return images

    def _apply_columns(self, texts: list[str], length: int) -> list[str]:
        """The images of texts of one length, all at once."""
        import pyarrow.compute as pc

        assert self._columns
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

    def apply_all(self, integers: Sequence[int]) -> list[int]:
        """The images of some numbers, in their order.

        Raises:
            UnmaskableError: one does not fit into eight bytes.
        """
        if len(integers) <= FEW:
            return [self.apply(number) for number in integers]
        import pyarrow as pa
        import pyarrow.compute as pc

        images = list(integers)
        if not -1 << 63 <= min(integers) <= max(integers) < 1 << 63:
            raise UnmaskableError("a number does not fit into eight bytes")
        for width, low, high in ((31, 0, 1 << 31), (63, 1 << 31, 1 << 63)):
            places = [i for i, number in enumerate(integers) if low <= (number if number >= 0 else ~number) < high]
            if not places:
                continue
            sizes = array("Q", [number if number >= 0 else ~number for number in (integers[i] for i in places)])
            whole, half = numbers(sizes), pa.scalar(width - width // 2, pa.uint64())
            left = pc.shift_right(whole, half)
            left, right = self._columns.encrypt(left, pc.subtract(whole, pc.shift_left(left, half)), width)
            for place, image in zip(places, pc.add(pc.shift_left(left, half), right).to_pylist(), strict=True):
                image = image if image >= low else self._walk(image, width)
                images[place] = image if integers[place] >= 0 else ~image
        return images
