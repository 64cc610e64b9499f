"""What makes the values of a column suspicious after masking. Nothing here tells a value, only how many there are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dataops.infra.platform.masking import RULES, name_of
from dataops.snapshots.masking.checked import CARD, IBAN, is_valid
from dataops.snapshots.memory import COUNTED
from dataops.snapshots.proposals import is_token

INJECTIVE = {name_of(kind): kind.injective for kind in RULES}
COARSE = frozenset({"keep", "generalise", "redact", "json", "constant", "text"})
"""Rules that may leave many values as they are."""
CHANGED = 0.9
MANY = 0.5
FEWEST = 5
SHORTEST_CANARY = 4
_ADDRESS = re.compile(r"[^\s@<>\"'(),;:]+@([^\s@<>\"'(),;:\\]+\.[A-Za-z]{2,})")
_NOWHERE = re.compile(r"(^|\.)(example\.(com|net|org)|example|invalid|test|localhost)$", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Canaries:
    """Values that were planted in production and must not be found.

    Args:
        texts: the values; those of fewer than four characters could be chance and are not searched for.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = {text.strip().lower() for text in texts if len(text.strip()) >= SHORTEST_CANARY}
        self._lengths = sorted({len(text) for text in self._texts})

    def __len__(self) -> int:
        return len(self._texts)

    def within(self, value: str) -> bool:
        """Whether a text has one of them in it, whatever its case."""
        low = value.lower()
        return any(
            low[start : start + length] in self._texts
            for length in self._lengths
            for start in range(len(low) - length + 1)
        )


@dataclass(slots=True)
class ColumnCheck:
    """What is known of one column.

    Args:
        label: the column, as `schema.table.column` or `lake:path.column`.
        rule: its rule in words; `keep` where it is not masked.
        before: different values before masking, as far as they were counted; None where it is not masked.
        changed: rows that masking changed.
        rows, nulls: that there are now.
    """

    label: str
    rule: str
    before: int | None
    changed: int
    rows: int = 0
    nulls: int = 0
    findings: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set, repr=False)
    canaries: int = 0

    @property
    def word(self) -> str:
        """The name of the rule."""
        return self.rule.partition("(")[0]

    @property
    def after(self) -> int:
        """Different values now, as far as they are counted."""
        return len(self.seen)

    @property
    def share(self) -> float | None:
        """The share of the rows, NULL left out, that masking changed; None where there is nothing to change."""
        there = self.rows if self.word == "null" else self.rows - self.nulls
        return None if self.before is None or not there else min(self.changed / there, 1)

    @property
    def unique(self) -> str:
        """Whether different values stayed different: `kept`, `lost`, or empty where the rule does not promise it."""
        if self.before is None or not INJECTIVE.get(self.word):
            return ""
        return "kept" if self.after >= min(self.before, COUNTED) else "lost"

    def add(self, values: Collection[str], canaries: Canaries) -> None:
        """Takes some more values of the column, each different."""
        new = [value for value in values if value not in self.seen]
        if canaries:
            self.canaries += sum(map(canaries.within, new))
        if len(self.seen) < COUNTED:
            self.seen.update(new[: COUNTED - len(self.seen)])

    def conclude(self) -> None:
        """Notes what is suspicious."""
        if self.canaries:
            self.findings.append(f"{self.canaries:,} different values hold a canary")
        if self.share is not None and self.share < CHANGED and self.word not in COARSE and self.after >= FEWEST:
            self.findings.append(f"only {self.share:.0%} of the values changed")
        if self.unique == "lost":
            self.findings.append(f"{(self.before or 0) - self.after:,} different values became equal")
        addresses = sum(map(_leads_somewhere, self.seen))
        if addresses:
            self.findings.append(f"{addresses:,} different values hold an e-mail address that could be real")
        if self.word == "keep":
            self._conclude_kept()

    def _conclude_kept(self) -> None:
        enough = max(FEWEST, MANY * len(self.seen))
        for what, test in (
            ("card numbers with a valid check digit", lambda text: is_valid(CARD, text)),
            ("bank accounts with valid check digits", lambda text: is_valid(IBAN, text)),
            ("keys or tokens", lambda text: is_token(text) and not _UUID.fullmatch(text)),
        ):
            count = sum(map(test, self.seen))
            if count >= enough:
                self.findings.append(f"{count:,} of {len(self.seen):,} different values look like {what}")


def _leads_somewhere(value: str) -> bool:
    return "@" in value and any(not _NOWHERE.search(domain) for domain in _ADDRESS.findall(value))
