"""What a step tells about its work, through the file that `DATAOPS_STEP_REPORT` names.

The file is JSON: `{"rows": {"raw.flights": 336776}, "bytes": {"lake:raw/flights.parquet": 5551234}}`; a bare number
stands for all of them. Where a step does not tell the bytes of an object in the lake, its size is taken.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dataops.infra.process.lake_volume import object_sizes

REPORT = "DATAOPS_STEP_REPORT"
"""The variable that names the file."""

LARGEST = 1 << 20
"""Bytes that a report may have."""

MOST = 2**63 - 1
"""What a count may be at most."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class StepReport:
    """Rows and bytes per dataset ("" for all of them); `problem` says why a report was not understood."""

    rows: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    problem: str = ""


def take_report(path: Path) -> StepReport:
    """Reads a report and removes it, since the record of the run has all of it; one that is not understood is kept.

    None at all is no problem: a step need not tell anything.
    """
    report = _read(path)
    if not report.problem:
        with suppress(OSError):
            path.unlink()
    return report


def lake_sizes(outputs: Iterable[str], lake: Path) -> dict[str, int]:
    """The bytes of those outputs that are objects, or folders of objects, in the lake that has this folder."""
    names = [name for store, _, name in (dataset.partition(":") for dataset in outputs) if store == "lake"]
    return {f"lake:{name}": size for name, size in object_sizes(lake, names).items()}


def _read(path: Path) -> StepReport:
    try:
        document = json.loads(_content(path))
    except FileNotFoundError:
        return StepReport()
    except OSError as error:
        return StepReport(problem=f"its report cannot be read: {error.strerror}")
    except (ValueError, RecursionError):
        return StepReport(problem="its report is not JSON")
    if not isinstance(document, dict):
        return StepReport(problem="its report is not a JSON object")
    problems: list[str] = []
    rows, size = (_counts(document.get(key), key, problems) for key in ("rows", "bytes"))
    return StepReport(rows, size, "; ".join(problems))


def _content(path: Path) -> bytes:
    """The report's content; what a step put in its place must neither block nor fill the memory of the run.

    Raises:
        OSError: it cannot be read, is no file, or is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if status.st_size > LARGEST:
            raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MiB")
        return stream.read(LARGEST)


def _counts(found: object, key: str, problems: list[str]) -> dict[str, int]:
    if found is None:
        return {}
    counts: dict[str, int] = {}
    for name, value in (found if isinstance(found, Mapping) else {"": found}).items():
        name = _CONTROL.sub("?", str(name))
        if (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and 0 <= value <= MOST
            and value == value // 1
        ):
            counts[name] = int(value)
        else:
            problems.append(f"its report has no whole number for {key} {name}".rstrip())
    return counts
