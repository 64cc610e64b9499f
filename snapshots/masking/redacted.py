"""The rule redact: in free text, what a pattern tells for personal is replaced by a word that says what it was."""

from __future__ import annotations

import re

from dataops.snapshots.masking.base import Family, Masker, Row
from dataops.snapshots.masking.checked import CARD, IBAN, is_valid

SHORTEST_NAME = 2
_ADDRESS = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_NUMBER = re.compile(r"(?<![\w])\+?\(?\d(?:[\d\s()./-]*\d)?|\d+(?:[./-]\d+)*")
_PHONE_DIGITS = range(7, 16)


class RedactMasker(Masker):
    """Replaces e-mail addresses, bank accounts, cards, telephone and other numbers, and the names in the same row.

    What no pattern tells stays: a name that no other column holds is not recognised.
    """

    families = frozenset({Family.TEXT})

    def mask(self, value: str) -> str:
        return self.mask_beside(value, ())

    def mask_beside(self, value: str, beside: Row) -> str:
        text = _ADDRESS.sub("[email]", value)
        text = _ACCOUNT.sub(lambda match: "[account]" if is_valid(IBAN, match[0]) else match[0], text)
        if names := _names(beside):
            text = names.sub("[name]", text)
        return _NUMBER.sub(lambda match: _kind(match[0]), text)


def _kind(number: str) -> str:
    if is_valid(CARD, re.sub(r"\D", "", number)):
        return "[card]"
    return "[phone]" if sum(map(str.isdigit, number)) in _PHONE_DIGITS else "[number]"


def _names(beside: Row) -> re.Pattern[str] | None:
    """Matches the texts beside a value, and each word of theirs, whatever their case."""
    found = {text.strip() for text in beside if text}
    found |= {word for text in found for word in re.split(r"\W+", text)}
    usable = sorted((text for text in found if len(text) >= SHORTEST_NAME), key=lambda text: (-len(text), text))
    if not usable:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, usable))})(?!\w)", re.IGNORECASE)
