"""Rules that pick from dictionaries by a keyed hash: name, company, address, dictionary. Different values may meet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from dataops.snapshots.masking.base import Family, VectorMasker
from dataops.snapshots.masking.choices import Choices
from dataops.snapshots.masking.ff1 import number
from dataops.snapshots.masking.texts import Texts, joined, strings, text

_FORMS = (
    (" & ", "Sons"),
    (" ", "Ltd"),
    (" ", "Group"),
    (" ", "Partners"),
    (" ", "Works"),
    (" ", "Trading"),
    (" and ", "{}"),
    (" ", "Brothers"),
)
"""What follows the name of a company, `{}` another name."""
_WAYS = ("Street", "Road", "Avenue", "Lane", "Way", "Court", "Drive", "Place", "Square", "Hill")
_TOWN_BEGIN = "Ash Birch Clay Dun East Fern Glen Hazel Iron Kings Lang Mill North Oak Pine Red Stone Thorn West Wood"
_TOWN_END = "bridge brook burn bury combe dale field ford ham haven hurst leigh mere minster mouth port stead ton wick"
TOWNS = tuple(begin + end for begin in _TOWN_BEGIN.split() for end in _TOWN_END.split())
"""Towns that are made up."""


@cache
def dictionary(name: str) -> Texts:
    """The words of one of the dictionaries beside this file; they were made once, with Faker."""
    path = files("dataops.snapshots.masking") / "dictionaries" / f"{name}.txt"
    return strings(path.read_text(encoding="utf-8").split())


class ChoiceMasker(VectorMasker):
    """Writes something for a value that depends on its hash alone; the empty text stays.

    Args:
        key: 32 bytes.
    """

    remembered = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        self._key = key

    def masks(self, values: Texts) -> Texts:
        import pyarrow.compute as pc

        written = self.write(Choices(self._key, map(str.strip, values.to_pylist())))
        return pc.if_else(pc.equal(values, text("")), text(""), written)

    def write(self, choices: Choices) -> Texts:
        """What choices make."""
        raise NotImplementedError


class NameMasker(ChoiceMasker):
    """A name of a person.

    Args:
        key: 32 bytes.
        part: `full`, `first` or `last`.
    """

    def __init__(self, key: bytes, part: str) -> None:
        super().__init__(key)
        self._names = {"first": ("first_names",), "last": ("last_names",)}.get(part, ("first_names", "last_names"))

    def write(self, choices: Choices) -> Texts:
        first, *others = [choices.of(dictionary(name)) for name in self._names]
        return joined(first, text(" "), *others) if others else first


class CompanyMasker(ChoiceMasker):
    """A name of a company, made of names of people."""

    def write(self, choices: Choices) -> Texts:
        import pyarrow.compute as pc

        forms, names = choices.below(len(_FORMS)), dictionary("last_names")
        first, second = choices.of(names), choices.of(names)
        between, ends = (strings(form[place] for form in _FORMS).take(forms) for place in (0, 1))
        partners = pc.equal(ends, text("{}"))
        return joined(first, between, pc.if_else(partners, second, ends))


class AddressMasker(ChoiceMasker):
    """An address that is made up.

    Args:
        key: 32 bytes.
        part: `full`, `street` (with a number), `city` or `postcode`.
    """

    def __init__(self, key: bytes, part: str) -> None:
        super().__init__(key)
        self._part = part

    def write(self, choices: Choices) -> Texts:
        import pyarrow as pa
        import pyarrow.compute as pc

        house = pc.add(choices.below(199), number(1)).cast(pa.large_string())
        street = joined(house, text(" "), choices.of(dictionary("last_names")), text(" "), choices.of(strings(_WAYS)))
        postcode = pc.utf8_lpad(choices.below(100_000).cast(pa.large_string()), 5, "0")
        parts = {"street": street, "postcode": postcode, "city": choices.of(strings(TOWNS))}
        return parts.get(self._part, joined(street, text(", "), postcode, text(" "), parts["city"]))


class DictionaryMasker(ChoiceMasker):
    """One of the words that the rule lists.

    Args:
        key: 32 bytes.
        words: what is picked from.
    """

    def __init__(self, key: bytes, words: Sequence[str]) -> None:
        super().__init__(key)
        self._words = words

    def write(self, choices: Choices) -> Texts:
        return choices.of(strings(self._words))
