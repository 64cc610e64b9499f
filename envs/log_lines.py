"""Lines of logs: when each was written as far as that is known, and without the environment's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

HIDDEN = "[secret]"
SHORTEST_SECRET = 6
_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b)?")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_CREDENTIALS = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE|CREDENTIAL", re.IGNORECASE)


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


class Redactor:
    """Hides secrets in lines: the environment's own, and passwords in URLs. Its `repr` tells none.

    Args:
        variables: the environment's variables; those whose names speak of secrets are hidden wherever they appear.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        secrets = {value for name, value in variables.items() if _SECRET_NAME.search(name)}
        for value in variables.values():
            secrets |= {match.group(2) for match in _CREDENTIALS.finditer(value)}
        found = sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
        self._secrets = re.compile("|".join(re.escape(secret) for secret in found)) if found else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return _CREDENTIALS.sub(rf"\1:{HIDDEN}@", text)


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
    """Texts as lines; one that tells no time was written at the time of the one before it.

    Args:
        before: the time of the line before the first.
    """
    found = []
    for text in texts:
        told = moment_of(text)
        before = before if told is None else told
        found.append(LogLine(source, redact(_CONTROL.sub("", text.rstrip("\r\n"))), before))
    return found
