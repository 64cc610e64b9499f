"""Times as Go writes them into JSON."""

from __future__ import annotations

from datetime import UTC, datetime


def time_to_json(when: datetime) -> str:
    """A time as Go writes it: RFC 3339, UTC as `Z`, no zeros at the end of the fraction."""
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    whole = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{when.microsecond:06d}".rstrip("0") if when.microsecond else ""
    return f"{whole}{fraction}Z"


def time_from_json(text: str) -> datetime:
    """A time as Go writes it; digits beyond microseconds are dropped. `ValueError` when it is none."""
    head, dot, rest = text.partition(".")
    if not dot:
        return datetime.fromisoformat(text)
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return datetime.fromisoformat(f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}")
