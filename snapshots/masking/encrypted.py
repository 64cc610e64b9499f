"""Rules that encrypt and keep the format: digits, fpe, phone, email. All are injective.

Each permutes some characters among themselves and leaves the others in place, so the pattern of a value survives and
values of different patterns cannot meet.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dataops.snapshots.masking.base import Family, Masker, UnmaskableError, derive_key
from dataops.snapshots.masking.permutation import AlphabetPermutation, IntegerPermutation

DIGITS = "0123456789"
DOMAINS = 65536
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class IntegerMasker(Masker):
    """Permutes whole numbers; those that fit into four bytes still do."""

    injective = True
    families = frozenset({Family.INTEGER})

    def __init__(self, key: bytes) -> None:
        self._permutation = IntegerPermutation(key)

    def mask(self, value: str) -> str:
        return str(self._permutation.apply(int(value)))


class FpeMasker(Masker):
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
        self._characters = alphabet
        self._alphabet = frozenset(alphabet)
        self._runs = _runs(alphabet)
        self._tolerant = tolerant

    def mask(self, value: str) -> str:
        if not value.strip(self._characters):  # nothing but characters of the alphabet
            return self._permutation.apply(value)
        for character in value:
            if character not in self._alphabet and _tells(character, self._tolerant):
                raise UnmaskableError("a value has letters or digits outside the alphabet of its rule")
        return _replace(value, self._runs, self._permutation.apply)


def _tells(character: str, tolerant: bool) -> bool:
    if tolerant:
        return character.isdecimal() and not character.isascii()
    return character.isalnum() or not character.isascii()


def _runs(alphabet: str) -> re.Pattern[str]:
    """Matches runs of characters of an alphabet."""
    return re.compile("[" + "".join(map(re.escape, alphabet)) + "]+")


def _replace(text: str, runs: re.Pattern[str], permute: Callable[[str], str]) -> str:
    """Permutes the characters that `runs` matches, all together, and puts them back where they were."""
    found = runs.findall(text)
    if not found:
        return text
    permuted, begin = permute("".join(found)), 0
    if len(found) == 1:
        return text.replace(found[0], permuted, 1)
    pieces, last = [], 0
    for match in runs.finditer(text):
        start, end = match.span()
        pieces += [text[last:start], permuted[begin : begin + end - start]]
        begin, last = begin + end - start, end
    return "".join(pieces) + text[last:]


_LETTER_RUNS, _DIGIT_RUNS = _runs(LETTERS), _runs(DIGITS)


class _Words:
    """Encrypts ASCII letters as letters, each keeping its case, and digits as digits.

    Since case has no part in it, texts that differ without regard to case still do afterwards: a unique index on
    `lower(column)` holds.
    """

    def __init__(self, key: bytes) -> None:
        self._letters = AlphabetPermutation(derive_key(key, "letters"), LETTERS)
        self._digits = AlphabetPermutation(derive_key(key, "digits"), DIGITS)

    def apply(self, text: str) -> str:
        lower = text.lower()
        permuted = _replace(lower, _LETTER_RUNS, self._letters.apply)
        permuted = _replace(permuted, _DIGIT_RUNS, self._digits.apply)
        if lower == text:
            return permuted
        return "".join(p.upper() if t.isupper() else p for t, p in zip(text, permuted, strict=True))


class PhoneMasker(Masker):
    """Encrypts the digits (and letters, should there be any) of a telephone number.

    A country code stays if something that is not a digit sets it apart: `+49 30 …`.
    """

    injective = True
    families = frozenset({Family.TEXT})
    _country = re.compile(r"^\+\d{1,3}(?=[^\d])", re.ASCII)

    def __init__(self, key: bytes) -> None:
        self._words = _Words(key)

    def mask(self, value: str) -> str:
        if not value.isascii():
            raise UnmaskableError("a telephone number has characters beyond ASCII")
        country = match[0] if (match := self._country.match(value)) else ""
        return country + self._words.apply(value[len(country) :])


class EmailMasker(Masker):
    """Encrypts local part and domain and puts the result below a domain that delivers nowhere.

    What is not an ASCII address is encrypted as a whole, into an address directly at that domain, where no other is.
    """

    injective = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes, domain: str) -> None:
        self._local = _Words(derive_key(key, "local part"))
        self._domain = _Words(derive_key(key, "domain"))
        self._domains: dict[str, str] = {}
        self._whole = AlphabetPermutation(derive_key(key, "whole"), "0123456789abcdef")
        self._below = domain

    def mask(self, value: str) -> str:
        local, _, domain = value.partition("@")
        if local and domain and "@" not in domain and value.isascii() and value.isprintable():
            return f"{self._local.apply(local)}@{self._mask_domain(domain)}.{self._below}"
        if not value:
            return value
        return f"x{self._whole.apply(value.encode().hex())}@{self._below}"

    def _mask_domain(self, domain: str) -> str:
        """Remembers some: there are many addresses and few domains."""
        known = self._domains
        if domain not in known:
            if len(known) >= DOMAINS:
                known.clear()
            known[domain] = self._domain.apply(domain)
        return known[domain]
