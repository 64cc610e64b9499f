"""Rules that encrypt and keep the format: digits, fpe, phone, email, uuid. All are injective.

Each permutes some characters among themselves and leaves the others in place, so the pattern of a value survives and
values of different patterns cannot meet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from dataops.snapshots.masking.base import ColumnMasker, Family, UnmaskableError, VectorMasker, derive_key
from dataops.snapshots.masking.permutation import AlphabetPermutation, IntegerPermutation
from dataops.snapshots.masking.texts import (
    Texts,
    joined,
    lowered,
    numbers_below,
    one_by_one,
    permuted,
    piecewise,
    strings,
    taken_apart,
    text,
    with_case,
)

DIGITS, HEX = "0123456789", "0123456789abcdef"
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Permute = Callable[[Sequence[str]], list[str]]


class IntegerMasker(VectorMasker):
    """Permutes whole numbers; those that fit into four bytes still do."""

    injective = True
    families = frozenset({Family.INTEGER})

    def __init__(self, key: bytes) -> None:
        self._permutation = IntegerPermutation(key)

    def masks(self, values: Texts) -> Texts:
        import pyarrow as pa

        try:
            integers = values.cast(pa.int64())
        except pa.ArrowInvalid:
            raise UnmaskableError("a number does not fit into eight bytes") from None
        return self._permutation.apply_column(integers).cast(pa.large_string())


class FpeMasker(VectorMasker):
    """Encrypts the characters of an alphabet; punctuation and blanks stay where they are.

    Args:
        key: 32 bytes.
        alphabet: the characters that are encrypted.
        tolerant: let letters and digits outside the alphabet stay, too; otherwise they stop the capture, since what
            the alphabet does not name would leave production unmasked.
    """

    injective = True
    families = frozenset({Family.TEXT, Family.UUID})

    def __init__(self, key: bytes, alphabet: str, *, tolerant: bool = False) -> None:
        self._permutation = AlphabetPermutation(key, alphabet)
        self._alphabet = alphabet
        self._tolerant = tolerant

    def masks(self, values: Texts) -> Texts:
        alphabet = self._alphabet
        known = "".join(filter(str.isascii, alphabet)).encode()
        others = taken_apart(values)[1].translate(None, known).decode("utf-8", "surrogatepass")
        if any(_tells(character, self._tolerant) for character in {*others}.difference(alphabet)):
            raise UnmaskableError("a value has letters or digits outside the alphabet of its rule")
        if alphabet.isascii():
            return permuted(values, known, self._permutation.apply_column)
        return one_by_one(self._permute)(values)

    def _permute(self, value: str) -> str:
        image = iter(self._permutation.apply("".join(c for c in value if c in self._alphabet)))
        return "".join(next(image) if character in self._alphabet else character for character in value)


def _tells(character: str, tolerant: bool) -> bool:
    if tolerant:
        return character.isdecimal() and not character.isascii()
    return character.isalnum() or not character.isascii()


class Words:
    """Encrypts ASCII letters as letters, each keeping its case, and digits as digits.

    Since case has no part in it, texts that differ without regard to case still do afterwards: a unique index on
    `lower(column)` holds.
    """

    def __init__(self, key: bytes) -> None:
        self._letters = AlphabetPermutation(derive_key(key, "letters"), LETTERS)
        self._digits = AlphabetPermutation(derive_key(key, "digits"), DIGITS)

    def apply_all(self, texts: Sequence[str]) -> list[str]:
        """The images of some ASCII texts, in their order."""
        return list(self.apply_column(strings(texts)).to_pylist())

    def apply_column(self, texts: Texts) -> Texts:
        """The images of a column of ASCII texts."""
        images = permuted(lowered(texts), LETTERS.encode(), self._letters.apply_column)
        return with_case(permuted(images, DIGITS.encode(), self._digits.apply_column), like=texts)


class PhoneMasker(VectorMasker):
    """Encrypts the digits (and letters, should there be any) of a telephone number.

    A country code stays if something that is not a digit sets it apart: `+49 30 …`.
    """

    injective = True
    remembered = True
    families = frozenset({Family.TEXT})
    _with_country = r"(?s)^(?P<country>\+[0-9]{1,3})(?P<rest>[^0-9].*)$"

    def __init__(self, key: bytes) -> None:
        self._words = Words(key)

    def masks(self, values: Texts) -> Texts:
        import pyarrow.compute as pc

        if not taken_apart(values)[1].isascii():
            raise UnmaskableError("a telephone number has characters beyond ASCII")
        parts = pc.extract_regex(values, self._with_country)
        country, rest = (pc.struct_field(parts, [place]) for place in (0, 1))
        plain = parts.is_null()
        rest = pc.if_else(plain, values, rest)
        return joined(pc.if_else(plain, text(""), country), self._words.apply_column(rest))


class EmailMasker(VectorMasker):
    """Encrypts local part and domain and puts the result below a domain that delivers nowhere.

    What is not an ASCII address is encrypted as a whole, into an address directly at that domain, where no other is.
    """

    injective = True
    remembered = True
    families = frozenset({Family.TEXT})
    _printable = bytes(range(0x20, 0x7F))

    def __init__(self, key: bytes, domain: str) -> None:
        self._local = Words(derive_key(key, "local part"))
        self._domain = Words(derive_key(key, "domain"))
        self._whole = AlphabetPermutation(derive_key(key, "whole"), HEX)
        self._below = domain

    def masks(self, values: Texts) -> Texts:
        return piecewise(values, self._addresses(values), self._of_addresses, self._of_others)

    def _addresses(self, values: Texts) -> Any:
        """For each value whether it is a local part and a domain of printable ASCII characters."""
        import pyarrow.compute as pc

        if taken_apart(values)[1].translate(None, self._printable):
            return pc.match_substring_regex(values, "^[ -?A-~]+@[ -?A-~]+$")
        single = pc.equal(pc.count_substring(values, "@"), 1)
        edge = pc.or_(pc.starts_with(values, "@"), pc.ends_with(values, "@"))
        return pc.and_not(single, edge)

    def _of_addresses(self, values: Texts) -> Texts:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts = pc.split_pattern(values, "@").values
        places = pc.multiply(numbers_below(len(values)), pa.scalar(2, pa.int64()))
        domains = parts.take(pc.add(places, pa.scalar(1, pa.int64()))).dictionary_encode()
        images = joined(text("@"), self._domain.apply_column(domains.dictionary), text(f".{self._below}"))
        return joined(self._local.apply_column(parts.take(places)), images.take(domains.indices))

    def _of_others(self, values: Texts) -> Texts:
        import pyarrow.compute as pc

        wholes = self._whole.apply_column(one_by_one(lambda value: value.encode().hex())(values))
        return pc.if_else(pc.equal(values, text("")), values, joined(text("x"), wholes, text(f"@{self._below}")))


class UuidMasker(ColumnMasker):
    """Encrypts the digits of a UUID but those that tell its version and variant; whatever case it is written in stays.

    Digits without a letter among them stay so: else two that differ by case could meet. What is no UUID in one case
    has its ASCII letters and digits encrypted and stays none.
    """

    injective = True
    families = frozenset({Family.TEXT, Family.UUID})
    _form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

    def __init__(self, key: bytes) -> None:
        self._hexadecimal = AlphabetPermutation(derive_key(key, "uuid"), HEX)
        self._decimal = AlphabetPermutation(derive_key(key, "uuid of digits"), DIGITS)
        self._others = Words(derive_key(key, "others"))

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        masked: list[str | None] = list(values)
        kinds: dict[str, list[int]] = {"letters": [], "digits": [], "others": []}
        plain = [value.lower().replace("-", "") for value in values]
        own = [digits[:12] + digits[13:16] + digits[17:] for digits in plain]
        for place, value in enumerate(values):
            kind = ("digits" if own[place].isdigit() else "letters") if self._is_one(value) else "others"
            kinds[kind].append(place)
        if any(not values[place].isascii() for place in kinds["others"]):
            raise UnmaskableError("a value is no UUID and has characters beyond ASCII")
        images = {
            "letters": walk(self._hexadecimal.apply_all, [own[i] for i in kinds["letters"]], str.isdigit),
            "digits": self._decimal.apply_all([own[i] for i in kinds["digits"]]),
            "others": walk(self._others.apply_all, [values[i] for i in kinds["others"]], self._is_one),
        }
        for kind, places in kinds.items():
            for place, image in zip(places, images[kind], strict=True):
                masked[place] = image if kind == "others" else _uuid(values[place], plain[place], image)
        return masked

    def _is_one(self, value: str) -> bool:
        return value in (value.lower(), value.upper()) and bool(self._form.fullmatch(value.lower()))


def _uuid(value: str, plain: str, image: str) -> str:
    """A UUID of other digits, with version, variant and case of `value`."""
    text = f"{image[:8]}-{image[8:12]}-{plain[12]}{image[12:15]}-{plain[16]}{image[15:18]}-{image[18:]}"
    return text if value == value.lower() else text.upper()


def walk(permute: Permute, texts: Sequence[str], taken: Callable[[str], bool]) -> list[str]:
    """The images of texts, led on along the permutation until none is one of those that are `taken`."""
    images = permute(texts)
    while wrong := [place for place, image in enumerate(images) if taken(image)]:
        for place, image in zip(wrong, permute([images[place] for place in wrong]), strict=True):
            images[place] = image
    return images
