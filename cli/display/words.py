"""The words and marks for the kinds of step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpWords:
    """How one kind of step is told: its mark, its colour, and the verb as plan, in progress and done."""

    mark: str
    color: str
    plan: str
    doing: str
    done: str


OPS = {
    "same": OpWords(" ", "", "", "", ""),
    "create": OpWords("+", "green", "create", "creating", "created"),
    "update": OpWords("~", "yellow", "update", "updating", "updated"),
    "delete": OpWords("-", "red", "delete", "deleting", "deleted"),
    "replace": OpWords("+-", "magenta", "replace", "replacing", "replaced"),
    "create-replacement": OpWords("++", "green", "create replacement", "creating replacement", "created replacement"),
    "delete-replaced": OpWords("--", "red", "delete original", "deleting original", "deleted original"),
    "read": OpWords(">", "cyan", "read", "reading", "read"),
    "read-replacement": OpWords(
        ">>", "cyan", "read for replacement", "reading for replacement", "read for replacement"
    ),
    "refresh": OpWords("~", "cyan", "refresh", "refreshing", "refreshed"),
    "discard": OpWords("<", "red", "discard", "discarding", "discarded"),
    "discard-replaced": OpWords("<<", "red", "discard original", "discarding original", "discarded original"),
    "remove-pending-replace": OpWords("~", "yellow", "forget", "forgetting", "forgotten"),
    "import": OpWords("=", "blue", "import", "importing", "imported"),
    "import-replacement": OpWords("=>", "blue", "import replacement", "importing replacement", "imported replacement"),
}

UNCHANGED = frozenset({"same", "read", "read-replacement", "refresh"})
"""Steps that leave resources and configuration as they are."""

TITLES = {
    ("update", True): "Previewing update",
    ("refresh", True): "Previewing refresh",
    ("destroy", True): "Previewing destroy",
    ("import", True): "Previewing import",
    ("update", False): "Updating",
    ("refresh", False): "Refreshing",
    ("destroy", False): "Destroying",
    ("import", False): "Importing",
}


def words_of(op: str) -> OpWords:
    """The words for a kind of step, also for one that we have never heard of."""
    return OPS.get(op, OpWords("*", "", op, op, op))


def duration(seconds: float) -> str:
    """`0.04s`, `12.3s`, `2m5s`."""
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{int(seconds) // 60}m{int(seconds) % 60}s"


def printable(text: str) -> str:
    """A name without what would break a line or move the cursor: such characters as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
