"""Rules that pick from dictionaries by a keyed hash: name, company, address, dictionary. Different values may meet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from dataops.snapshots.masking.base import Family, Masker

_FORMS = ("{} & Sons", "{} Ltd", "{} Group", "{} Partners", "{} Works", "{} Trading", "{} and {}", "{} Brothers")
_WAYS = ("Street", "Road", "Avenue", "Lane", "Way", "Court", "Drive", "Place", "Square", "Hill")
_TOWN_BEGIN = "Ash Birch Clay Dun East Fern Glen Hazel Iron Kings Lang Mill North Oak Pine Red Stone Thorn West Wood"
_TOWN_END = "bridge brook burn bury combe dale field ford ham haven hurst leigh mere minster mouth port stead ton wick"
TOWNS = tuple(begin + end for begin in _TOWN_BEGIN.split() for end in _TOWN_END.split())
"""Towns that are made up."""


@cache
def dictionary(name: str) -> tuple[str, ...]:
    """The words of one of the dictionaries beside this file; they were made once, with Faker."""
    text = (files("dataops.snapshots.masking") / "dictionaries" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split())


class Choice:
    """Picks, one after the other, what a hash says."""

    def __init__(self, digest: bytes) -> None:
        self._number = int.from_bytes(digest, "big")

    def of(self, some: Sequence[str]) -> str:
        """One of some texts."""
        return some[self.below(len(some))]

    def below(self, bound: int) -> int:
        """A number from 0 up to, not including, a bound."""
        self._number, chosen = divmod(self._number, bound)
        return chosen


class ChoiceMasker(Masker):
    """Writes something for a value that depends on its hash alone; the empty text stays.

    Args:
        key: 32 bytes.
    """

    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        from blake3 import blake3

        self._key, self._hash = key, blake3

    def mask(self, value: str) -> str:
        if not value:
            return value
        return self.write(Choice(self._hash(value.strip().encode(), key=self._key).digest()[:16]))

    def write(self, choice: Choice) -> str:
        """What a choice makes."""
        raise NotImplementedError


class NameMasker(ChoiceMasker):
    """A name of a person.

    Args:
        key: 32 bytes.
        part: `full`, `first` or `last`.
    """

    def __init__(self, key: bytes, part: str) -> None:
        super().__init__(key)
        parts = {"first": ("first_names",), "last": ("last_names",), "full": ("first_names", "last_names")}[part]
        self._words = [dictionary(name) for name in parts]

    def write(self, choice: Choice) -> str:
        return " ".join([choice.of(words) for words in self._words])


class CompanyMasker(ChoiceMasker):
    """A name of a company, made of names of people."""

    def write(self, choice: Choice) -> str:
        names = dictionary("last_names")
        return choice.of(_FORMS).format(choice.of(names), choice.of(names))


class AddressMasker(ChoiceMasker):
    """An address that is made up.

    Args:
        key: 32 bytes.
        part: `full`, `street` (with a number), `city` or `postcode`.
    """

    def __init__(self, key: bytes, part: str) -> None:
        super().__init__(key)
        self._part = part

    def write(self, choice: Choice) -> str:
        street = f"{1 + choice.below(199)} {choice.of(dictionary('last_names'))} {choice.of(_WAYS)}"
        parts = {"street": street, "postcode": f"{choice.below(100_000):05}", "city": choice.of(TOWNS)}
        return parts.get(self._part) or "{street}, {postcode} {city}".format(**parts)


class DictionaryMasker(ChoiceMasker):
    """One of the words that the rule lists.

    Args:
        key: 32 bytes.
        words: what is picked from.
    """

    def __init__(self, key: bytes, words: Sequence[str]) -> None:
        super().__init__(key)
        self._words = words

    def write(self, choice: Choice) -> str:
        return choice.of(self._words)
