"""Lines of logs: when each was written as far as that is known, and without the environment's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from dataops.infra.process.redaction import Redactor

_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b)?")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line.

    Args:
        source: the name of its log.
        text: without line end and terminal control sequences, secrets hidden.
        moment: when it was written, in seconds since 1970; None when the log does not say.
    """

    source: str
    text: str
    moment: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The line as `-o json` prints it."""
        time = datetime.fromtimestamp(self.moment, UTC).isoformat(timespec="milliseconds") if self.moment else None
        return {"time": time, "source": self.source, "text": self.text}


def moment_of(text: str) -> float | None:
    """The time that a line begins with, None when it begins with none; without a zone it is this machine's."""
    match = _TIME.match(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        found = datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        return None
    found = found.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))
    return found.replace(tzinfo=_zone(zone)).timestamp()


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def lines_of(source: str, texts: Iterable[str], redact: Redactor, before: float | None = None) -> list[LogLine]:
    """All that `each_line` gives."""
    return list(each_line(source, texts, redact, before))


def each_line(source: str, texts: Iterable[str], redact: Redactor, before: float | None = None) -> Iterator[LogLine]:
    """Texts as lines; one that tells no time was written at the time of the one before it.

    Args:
        before: the time of the line before the first.
    """
    for text in texts:
        told = moment_of(text)
        before = before if told is None else told
        yield LogLine(source, redact(_CONTROL.sub("", text.rstrip("\r\n"))), before)
