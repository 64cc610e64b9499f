"""Durations and sizes as people write them in `dataops.yaml`: `90s`, `1h30m`, `512MiB`."""

from __future__ import annotations

import re

DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
SIZE = r"^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB|TiB|KB|MB|GB|TB)$"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_BYTES |= {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def seconds_of(text: str) -> float:
    """The seconds of a duration in Go's notation, with `d` for days.

    Raises:
        ValueError: it is not one.
    """
    if not re.fullmatch(DURATION, text):
        raise ValueError(f"not a duration: {text}")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([a-z]+)", text))


def bytes_of(text: str) -> int:
    """The bytes of a size.

    Raises:
        ValueError: it is not one.
    """
    if not re.fullmatch(SIZE, text):
        raise ValueError(f"not a size: {text}")
    number, unit = re.findall(r"([0-9.]+)([A-Za-z]+)", text)[0]
    return int(float(number) * _BYTES[unit])


def duration_text(seconds: float) -> str:
    """Seconds as a duration, in the two largest units that fit: `1h30m`, `2.5s`."""
    if seconds < 60:
        return f"{seconds:.3g}s"
    left, found = round(seconds), []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_SECONDS[unit]))
        if count:
            found.append(f"{count}{unit}")
    return "".join(found[:2])


def size_text(count: int) -> str:
    """Bytes as a size: `512 B`, `1.5 MiB`."""
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
