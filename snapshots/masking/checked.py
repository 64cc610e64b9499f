"""Numbers with check digits: payment cards, bank accounts, national identity numbers. All rules are injective.

A number is what is kept of it, a body and its check. The body is encrypted; the check becomes the right one for the
new body if it was right before, else it is as wrong as before, so that different values stay different. Blanks, dashes,
dots and slashes stay where they are. What has not the form of such a number has its ASCII letters and digits encrypted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dataops.snapshots.masking.base import ColumnMasker, Family, UnmaskableError, derive_key
from dataops.snapshots.masking.encrypted import Words, walk

_SEPARATORS = re.compile(r"[ ./-]")
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_SINGLE = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
_NO_NINO = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of number.

    Args:
        form: matches one without separators; groups `kept`, `body` and `check`.
        check: the right check for what is kept and a body, as an index; None when no number has such a body.
        symbols: the checks that can be written, by index.
        partial: whether there are bodies that no number has.
    """

    form: re.Pattern[str]
    check: Callable[[str, str], int | None]
    symbols: tuple[str, ...]
    partial: bool = False


def luhn(digits: str) -> int:
    """The check digit that follows some digits."""
    backwards = digits.encode("ascii")[::-1]
    return -(sum(backwards[::2].translate(_DOUBLED)) + sum(backwards[1::2].translate(_SINGLE))) % 10


def _brazil(digits: str) -> int:
    """Both check digits of a CPF as one number."""
    for _ in range(2):
        weights = range(len(digits) + 1, 1, -1)
        rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) * 10 % 11
        digits += str(rest % 10)
    return int(digits[-2:])


def _netherlands(digits: str) -> int | None:
    rest = sum(int(digit) * weight for digit, weight in zip(digits, range(9, 1, -1), strict=True)) % 11
    return rest if rest < 10 else None


def _spain(kept: str, body: str) -> int:
    return int({"X": "0", "Y": "1", "Z": "2"}.get(kept, "") + body) % 23


def _social_security(digits: str) -> int | None:
    usable = digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    return 0 if usable else None


def _nino(letters: str) -> int | None:
    usable = letters[0] not in "DFIQUV" and letters[1] not in "DFIQUVO" and letters[:2] not in _NO_NINO
    return 0 if usable else None


def _iban(country: str, account: str) -> int:
    moved = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return 98 - int(moved) % 97


_DIGITS = tuple("0123456789")
_HUNDRED = tuple(f"{number:02}" for number in range(100))
CARD = Scheme(
    re.compile(r"(?P<kept>[1-9])(?P<body>[0-9]{10,17})(?P<check>[0-9])"),
    lambda kept, body: luhn(kept + body),
    _DIGITS,
)
IBAN = Scheme(
    re.compile(r"(?P<kept>[A-Z]{2})(?P<check>[0-9]{2})(?P<body>[A-Z0-9]{11,30})"),
    _iban,
    _HUNDRED,
)
NATIONAL = {
    "br_cpf": Scheme(
        re.compile(r"(?P<kept>)(?P<body>[0-9]{9})(?P<check>[0-9]{2})"), lambda kept, body: _brazil(body), _HUNDRED
    ),
    "ca_sin": Scheme(
        re.compile(r"(?P<kept>[0-9])(?P<body>[0-9]{7})(?P<check>[0-9])"),
        lambda kept, body: luhn(kept + body),
        _DIGITS,
    ),
    "es_dni": Scheme(re.compile(rf"(?P<kept>[XYZ]?)(?P<body>[0-9]{{7,8}})(?P<check>[{_DNI}])"), _spain, tuple(_DNI)),
    "fr_nir": Scheme(
        re.compile(r"(?P<kept>[12])(?P<body>[0-9]{12})(?P<check>[0-9]{2})"),
        lambda kept, body: 97 - int(kept + body) % 97,
        _HUNDRED,
    ),
    "gb_nino": Scheme(
        re.compile(r"(?P<body>[A-Z]{2}[0-9]{6})(?P<check>)(?P<kept>[A-D])"), lambda kept, body: _nino(body), ("",), True
    ),
    "nl_bsn": Scheme(
        re.compile(r"(?P<kept>)(?P<body>[0-9]{8})(?P<check>[0-9])"),
        lambda kept, body: _netherlands(body),
        _DIGITS,
        True,
    ),
    "us_ssn": Scheme(
        re.compile(r"(?P<kept>)(?P<body>[0-9]{9})(?P<check>)"), lambda kept, body: _social_security(body), ("",), True
    ),
}
"""By country and name; what a body could tell beside its check, such as a date of birth, does not survive."""
SCHEMES: Mapping[str, Scheme] = {"card": CARD, "iban": IBAN, **NATIONAL}


def is_valid(scheme: Scheme, value: str) -> bool:
    """Whether a value has the form of such a number and the right check."""
    found = scheme.form.fullmatch(_SEPARATORS.sub("", value))
    return found is not None and scheme.check(found["kept"], found["body"]) == scheme.symbols.index(found["check"])


class CheckedMasker(ColumnMasker):
    """Encrypts numbers of a scheme.

    Args:
        key: 32 bytes.
        name: `card`, `iban` or a national number's, see `SCHEMES`.
    """

    injective = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes, name: str) -> None:
        self._name = name
        self._words = Words(derive_key(key, "body"))
        self._others = Words(derive_key(key, "others"))

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        masked: list[str | None] = list(values)
        found = [self._match(value) for value in values]
        others = [place for place, match in enumerate(found) if match is None]
        if any(not values[place].isascii() for place in others):
            raise UnmaskableError("a value is no such number and has characters beyond ASCII")
        images = walk(self._others.apply_all, [values[i] for i in others], lambda image: self._match(image) is not None)
        for place, image in zip(others, images, strict=True):
            masked[place] = image
        matches = [(place, match) for place, match in enumerate(found) if match is not None]
        bodies = self._bodies([(match["kept"], match["body"]) for _, match in matches])
        for (place, match), body in zip(matches, bodies, strict=True):
            masked[place] = _with_separators(values[place], self._number(match, body))
        return masked

    @property
    def _scheme(self) -> Scheme:
        """Looked up, since it cannot go to the processes that mask."""
        return SCHEMES[self._name]

    def _match(self, value: str) -> re.Match[str] | None:
        return self._scheme.form.fullmatch(_SEPARATORS.sub("", value))

    def _bodies(self, parts: list[tuple[str, str]]) -> list[str]:
        """The images of bodies: such that a number can have stay such, and the others others."""
        check = self._scheme.check
        images = self._words.apply_all([body for _, body in parts])
        if not self._scheme.partial:
            return images
        usable = [check(*part) is not None for part in parts]
        while wrong := [i for i, image in enumerate(images) if (check(parts[i][0], image) is not None) != usable[i]]:
            for i, image in zip(wrong, self._words.apply_all([images[i] for i in wrong]), strict=True):
                images[i] = image
        return images

    def _number(self, match: re.Match[str], body: str) -> str:
        kept, symbols = match["kept"], self._scheme.symbols
        distance = symbols.index(match["check"]) - (self._scheme.check(kept, match["body"]) or 0)
        check = symbols[((self._scheme.check(kept, body) or 0) + distance) % len(symbols)]
        parts = [(match.span("kept"), kept), (match.span("check"), check), (match.span("body"), body)]
        return "".join(part for _, part in sorted(parts))


def _with_separators(value: str, plain: str) -> str:
    characters = iter(plain)
    return "".join(c if _SEPARATORS.match(c) else next(characters) for c in value)
