"""Records of pipeline runs: one folder per run with `run.json` and a log per step.

<runs>/<pipeline>/<run id>/run.json      rewritten as the run goes on
<runs>/<pipeline>/<run id>/<step>.log    what the step printed
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.infra.platform.records import read_record, write_record
from dataops.infra.process.identity import boot_id, process_start

WAITING, RUNNING, SUCCEEDED, FAILED, SKIPPED, CANCELLED, INTERRUPTED = (
    "waiting",
    "running",
    "succeeded",
    "failed",
    "skipped",
    "cancelled",
    "interrupted",
)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run.

    Args:
        name, command: what it is and what was started.
        state: `waiting`, `running`, `succeeded`, `failed`, `skipped` (an earlier one failed) or `cancelled`.
        started, ended: ISO times, "" while they have not come; seconds: between them.
        exit: the process's exit status, negative for a signal; None while it has none.
        rows: rows per dataset, as the step reported them.
        log: the log's path.
    """

    name: str
    command: list[str]
    state: str = WAITING
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    exit: int | None = None
    rows: dict[str, int] = field(default_factory=dict)
    log: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a pipeline; `runner` tells which process runs it, so that one that died is not shown as running."""

    id: str
    pipeline: str
    environment: str
    commit: str
    state: str
    started: str
    user: str
    ended: str = ""
    seconds: float = 0.0
    steps: tuple[StepRecord, ...] = ()
    runner: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as it is written."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunRecord:
        """Reads a record; fields of later versions are left out."""
        run = {key: value for key, value in document.items() if key in {f.name for f in fields(cls)}}
        known = {f.name for f in fields(StepRecord)}
        steps = tuple(StepRecord(**{k: v for k, v in step.items() if k in known}) for step in run.pop("steps", ()))
        record = cls(**run, steps=steps)
        return replace(record, state=INTERRUPTED) if record.state == RUNNING and not _alive(record.runner) else record


def runner_identity() -> dict[str, Any]:
    """This process, as `RunRecord.runner` has it."""
    pid = os.getpid()
    return {"pid": pid, "start": process_start(pid), "boot": boot_id(), "host": socket.gethostname()}


def new_run_id(moment: datetime | None = None) -> str:
    """An id that sorts by time: `20260504-101213-4f2a`."""
    moment = moment or datetime.now(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"


def save_run(folder: Path, record: RunRecord) -> None:
    """Writes a run's record into its folder."""
    write_record(folder / "run.json", record.to_json())


def load_runs(runs: Path, pipeline: str | None = None) -> list[RunRecord]:
    """The recorded runs below a folder, the newest first.

    Args:
        runs: `EnvironmentLayout.runs` of the environment.
        pipeline: only this one's.
    """
    found = (read_record(path) for path in runs.glob(f"{pipeline or '*'}/*/run.json"))
    return sorted((RunRecord.from_json(d) for d in found if d), key=lambda r: r.id, reverse=True)


def read_rows(report: Path) -> dict[str, int]:
    """What a step wrote to the file that `DATAOPS_STEP_REPORT` names.

    The file is JSON, `{"rows": {"raw.flights": 336776}}`; a step that writes none, or something else, reports nothing.
    """
    rows = (read_record(report) or {}).get("rows")
    if not isinstance(rows, dict):
        return {"": rows} if isinstance(rows, int) and not isinstance(rows, bool) else {}
    return {str(k): v for k, v in rows.items() if isinstance(v, int) and not isinstance(v, bool)}


def log_tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, without terminal control sequences."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 16_384))
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return "\n".join(plain.splitlines()[-lines:])


def _alive(runner: Mapping[str, Any]) -> bool:
    if runner.get("host") != socket.gethostname():
        return True
    pid = runner.get("pid")
    return runner.get("boot") == boot_id() and isinstance(pid, int) and process_start(pid) == runner.get("start")
