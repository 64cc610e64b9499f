"""Rules that encrypt and keep the format: digits, fpe, phone, email, uuid. All are injective.

Each permutes some characters among themselves and leaves the others in place, so the pattern of a value survives and
values of different patterns cannot meet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate, chain

from dataops.infra.platform.masking_rules import ALPHABETS
from dataops.snapshots.masking.base import ColumnMasker, Family, UnmaskableError, derive_key
from dataops.snapshots.masking.permutation import AlphabetPermutation, IntegerPermutation

DIGITS, HEX = ALPHABETS["digits"], ALPHABETS["hex"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NUL = "\0"

Permute = Callable[[Sequence[str]], list[str]]


class IntegerMasker(ColumnMasker):
    """Permutes whole numbers; those that fit into four bytes still do."""

    injective = True
    families = frozenset({Family.INTEGER})

    def __init__(self, key: bytes) -> None:
        self._permutation = IntegerPermutation(key)

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        return list(map(str, self._permutation.apply_all(list(map(int, values)))))


class FpeMasker(ColumnMasker):
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

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        for value in values:
            for character in value.strip(self._characters):
                if character not in self._alphabet and _tells(character, self._tolerant):
                    raise UnmaskableError("a value has letters or digits outside the alphabet of its rule")
        return _replace(values, self._runs, self._permutation.apply_all)


def _tells(character: str, tolerant: bool) -> bool:
    if tolerant:
        return character.isdecimal() and not character.isascii()
    return character.isalnum() or not character.isascii()


def _runs(alphabet: str) -> re.Pattern[str]:
    """Matches runs of characters of an alphabet."""
    return re.compile("[" + "".join(map(re.escape, alphabet)) + "]+")


def _replace(texts: Sequence[str], runs: re.Pattern[str], permute: Permute) -> list[str]:
    """In each text, permutes the characters that `runs` matches, all together, and puts them back where they were.

    All texts are looked at as one, with NUL between them, which Postgres has in no text: a call for each would take
    several times as long.
    """
    if not texts:
        return []
    joined = NUL.join(texts)
    if len(texts) > 1 and joined.count(NUL) != len(texts) - 1:  # an object of the lake may have it
        return [new for text in texts for new in _replace([text], runs, permute)]
    found = runs.findall(joined)
    between = runs.split(joined)
    # of each text the runs alone: what is between two runs either ends a text, or several, or does not
    ends = (NUL * gap.count(NUL) for gap in between)
    own = "".join(chain.from_iterable(zip(ends, [*found, ""], strict=True)))
    permuted = "".join(permute(own.split(NUL) if len(texts) > 1 else [own.replace(NUL, "")]))
    stops = list(accumulate(map(len, found)))
    pieces = [""] * (2 * len(found) + 1)
    pieces[::2] = between
    pieces[1::2] = [permuted[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]
    whole = "".join(pieces)
    return whole.split(NUL) if len(texts) > 1 else [whole]


_LETTER_RUNS, _DIGIT_RUNS = _runs(LETTERS), _runs(DIGITS)


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
        lowered = [text.lower() for text in texts]
        permuted = _replace(lowered, _LETTER_RUNS, self._letters.apply_all)
        permuted = _replace(permuted, _DIGIT_RUNS, self._digits.apply_all)
        return [
            new if lower == text else "".join(p.upper() if t.isupper() else p for t, p in zip(text, new, strict=True))
            for text, lower, new in zip(texts, lowered, permuted, strict=True)
        ]


class PhoneMasker(ColumnMasker):
    """Encrypts the digits (and letters, should there be any) of a telephone number.

    A country code stays if something that is not a digit sets it apart: `+49 30 …`.
    """

    injective = True
    families = frozenset({Family.TEXT})
    _country = re.compile(r"^\+\d{1,3}(?=[^\d])", re.ASCII)

    def __init__(self, key: bytes) -> None:
        self._words = Words(key)

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        countries = []
        for value in values:
            if not value.isascii():
                raise UnmaskableError("a telephone number has characters beyond ASCII")
            countries.append(match[0] if (match := self._country.match(value)) else "")
        rest = [value[len(country) :] for value, country in zip(values, countries, strict=True)]
        return [country + own for country, own in zip(countries, self._words.apply_all(rest), strict=True)]


class EmailMasker(ColumnMasker):
    """Encrypts local part and domain and puts the result below a domain that delivers nowhere.

    What is not an ASCII address is encrypted as a whole, into an address directly at that domain, where no other is.
    """

    injective = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes, domain: str) -> None:
        self._local = Words(derive_key(key, "local part"))
        self._domain = Words(derive_key(key, "domain"))
        self._whole = AlphabetPermutation(derive_key(key, "whole"), HEX)
        self._below = domain

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        found = [_address(value) for value in values]
        addresses = [parts for parts in found if parts]
        others = [value for value, parts in zip(values, found, strict=True) if not parts]
        domains = list({domain: None for _, domain in addresses})
        known = dict(zip(domains, self._domain.apply_all(domains), strict=True))
        locals_ = iter(self._local.apply_all([local for local, _ in addresses]))
        wholes = iter(self._whole.apply_all([value.encode().hex() for value in others]))
        masked = []
        for value, parts in zip(values, found, strict=True):
            if parts:
                masked.append(f"{next(locals_)}@{known[parts[1]]}.{self._below}")
            else:
                whole = next(wholes)
                masked.append(f"x{whole}@{self._below}" if value else value)
        return masked


def _address(value: str) -> tuple[str, str] | None:
    """The local part and the domain of a printable ASCII address."""
    local, _, domain = value.partition("@")
    usable = local and domain and "@" not in domain and value.isascii() and value.isprintable()
    return (local, domain) if usable else None


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
