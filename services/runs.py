"""Records of pipeline runs: one folder per run with `run.json` and a log per attempt of a step.

<runs>/<pipeline>/<run id>/run.json      rewritten as the run goes on
<runs>/<pipeline>/<run id>/<step>.log    what the step printed; further attempts are `<step>.2.log` and so on
<runs>/<pipeline>/<run id>/<step>.log.1  earlier parts of a log that was longer than a step may print

A run that was due by a schedule is named after its due time, so that no due time can ever have two.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.infra.platform.records import read_record, write_record
from dataops.infra.process.identity import boot_id, process_start

WAITING, RUNNING, SUCCEEDED, FAILED, SKIPPED, CANCELLED, INTERRUPTED, MISSING = (
    "waiting",
    "running",
    "succeeded",
    "failed",
    "skipped",
    "cancelled",
    "interrupted",
    "missing",
)

MANUAL, SCHEDULE = "manual", "schedule"

KEPT_RUNS, KEPT_DAYS, MOST_RUNS = 100, 30, 1000
"""Of each pipeline these newest runs are kept, and older ones of these last days, up to the third number in all."""

LOOKED_AT = 16_384
"""Bytes in which the last lines of a log are looked for."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt of a step: ISO times, seconds between them, the exit status, the log, and why it failed."""

    number: int
    started: str
    ended: str = ""
    seconds: float = 0.0
    exit: int | None = None
    reason: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run.

    Args:
        name, command: what it is and what was started.
        state: `waiting`, `running`, `succeeded`, `failed`, `skipped` (an earlier one failed), `cancelled` or
            `interrupted` (whoever ran it was killed).
        started, ended: ISO times, "" while they have not come; seconds: between them, pauses included.
        exit: the process's exit status, negative for a signal; None while it has none.
        rows, bytes: per dataset, as the step reported them.
        log: the last attempt's log.
        reason: why it failed, or what is wrong with its report.
        attempts: every attempt, in order.
    """

    name: str
    command: list[str]
    state: str = WAITING
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    exit: int | None = None
    rows: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    log: str = ""
    reason: str = ""
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a pipeline, or a due time at which none could start.

    Args:
        runner: which process runs it, so that one that died is not shown as running.
        trigger: `manual` or `schedule`.
        due: the ISO time at which the schedule wanted it, "" for a manual run.
        missed: for a state `missing`, how many due times it stands for.
        reason: why it did not succeed.
        full_refresh: whether steps were told to build everything anew.
    """

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
    trigger: str = MANUAL
    due: str = ""
    missed: int = 0
    reason: str = ""
    full_refresh: bool = False

    def to_json(self) -> dict[str, Any]:
        """The record as it is written."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunRecord:
        """Reads a record; fields of later versions are left out. One whose process died is `interrupted`."""
        run = _known(cls, document)
        record = cls(**{**run, "steps": tuple(_step(step) for step in run.pop("steps", ()))})
        if record.state != RUNNING or _alive(record.runner):
            return record
        became = {RUNNING: INTERRUPTED, WAITING: SKIPPED}
        steps = tuple(replace(step, state=became.get(step.state, step.state)) for step in record.steps)
        return replace(
            record, state=INTERRUPTED, steps=steps, reason="the process that ran it was killed or could not write"
        )


def runner_identity() -> dict[str, Any]:
    """This process, as `RunRecord.runner` has it."""
    pid = os.getpid()
    return {"pid": pid, "start": process_start(pid), "boot": boot_id(), "host": socket.gethostname()}


def new_run_id(moment: datetime | None = None) -> str:
    """An id that sorts by time, within a second, too: `20260504-101213-4f2a07`."""
    moment = moment or datetime.now(UTC)
    part = moment.microsecond * 0x10000 // 1_000_000
    return f"{moment:%Y%m%d-%H%M%S}-{part:04x}{os.urandom(1).hex()}"


def due_run_id(due: float) -> str:
    """The id of the one run that a due time may have: `20260504-050000-due`."""
    return f"{datetime.fromtimestamp(due, UTC):%Y%m%d-%H%M%S}-due"


def iso(moment: float) -> str:
    """Seconds since 1970 as records have it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def claim_run(runs: Path, record: RunRecord) -> Path | None:
    """Makes a run's folder with its first record in it, at once or not at all.

    Returns:
        The folder; None when this run has been started before.

    Raises:
        ResourceError: it cannot be written.
    """
    folder = runs / record.pipeline / record.id
    if (known := read_record(folder / "run.json")) and known.get("state") == MISSING:
        # a clock that jumped ahead made it missing, and now its time has come
        shutil.rmtree(folder)
    staged = folder.with_name(f".{record.id}.{os.getpid()}")
    try:
        save_run(staged, record)
        os.rename(staged, folder)
    except OSError:
        if folder.exists():
            return None
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder


def was_started(runs: Path, pipeline: str, due: float) -> bool:
    """Whether the run of a due time has been started, however it ended."""
    record = read_record(runs / pipeline / due_run_id(due) / "run.json")
    return record is not None and record.get("state") != MISSING


def save_run(folder: Path, record: RunRecord, new: bool = True) -> None:
    """Writes a run's record into its folder; a run that goes on must not bring back a folder that was removed.

    Raises:
        ResourceError: it cannot be written, or the folder is gone and not `new`.
    """
    write_record(folder / "run.json", record.to_json(), make_folder=new)


def load_runs(
    runs: Path, pipeline: str | None = None, limit: int | None = None, beginning: str = ""
) -> list[RunRecord]:
    """The recorded runs below a folder, the newest first.

    Args:
        runs: `EnvironmentLayout.runs` of the environment.
        pipeline: only this one's.
        limit: at most so many.
        beginning: only those whose id begins so.
    """
    found: list[RunRecord] = []
    for folder in _run_folders(runs, pipeline):
        if folder.name.startswith(beginning) and (document := read_record(folder / "run.json")):
            found.append(RunRecord.from_json(document))
            if len(found) == limit:
                break
    return found


def newest_runs(runs: Path, id_: str = "") -> list[RunRecord]:
    """Of each pipeline the newest run that had steps, or those runs that have this id; by pipeline."""
    found = []
    for parent in sorted(runs.glob("*")):
        for folder in _run_folders(runs, parent.name):
            if id_ in ("", folder.name) and (document := read_record(folder / "run.json")) and document.get("steps"):
                found.append(RunRecord.from_json(document))
                break
    return found


def _run_folders(runs: Path, pipeline: str | None) -> list[Path]:
    """The folders of runs, the newest first; found by names alone, whatever their number."""
    folders: list[Path] = []
    for parent in [runs / pipeline] if pipeline is not None else [*runs.glob("*")]:
        try:
            folders += [parent / name for name in os.listdir(parent) if name[0].isdigit()]
        except (FileNotFoundError, NotADirectoryError):
            continue
    return sorted(folders, key=lambda folder: (folder.name, folder.parent.name), reverse=True)


def prune_runs(runs: Path, pipeline: str, now: float) -> None:
    """Removes the runs of a pipeline that are old, see `KEPT_RUNS`, and half-made ones. The caller has its lock."""
    folders = sorted((f for f in (runs / pipeline).glob("[0-9]*") if f.is_dir()), key=lambda f: f.name, reverse=True)
    oldest = f"{datetime.fromtimestamp(now - KEPT_DAYS * 86400, UTC):%Y%m%d-%H%M%S}"
    for number, folder in enumerate(folders):
        if number >= MOST_RUNS or (number >= KEPT_RUNS and folder.name < oldest):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in (runs / pipeline).glob(".[0-9]*"):  # of a run that was killed while it began
        shutil.rmtree(folder, ignore_errors=True)


def prune_missing(runs: Path, pipeline: str) -> None:
    """Removes the oldest records beyond `MOST_RUNS`, but never a run that goes on: its lock may be another's."""
    for folder in _run_folders(runs, pipeline)[MOST_RUNS:]:
        if (read_record(folder / "run.json") or {}).get("state") != RUNNING:
            shutil.rmtree(folder, ignore_errors=True)


def log_tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, without terminal control sequences; it may have just begun a new part."""
    text = b""
    for part in (log, log.with_name(f"{log.name}.1")):
        if len(text) >= LOOKED_AT:
            break
        try:
            with part.open("rb") as stream:
                stream.seek(max(0, part.stat().st_size - LOOKED_AT))
                text = stream.read() + text
        except FileNotFoundError:
            break
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode("utf-8", "replace"))
    return "\n".join(plain.splitlines()[-lines:])


def _step(document: Mapping[str, Any]) -> StepRecord:
    step = _known(StepRecord, document)
    attempts = tuple(AttemptRecord(**_known(AttemptRecord, attempt)) for attempt in step.pop("attempts", ()))
    return StepRecord(**step, attempts=attempts)


def _known(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {key: value for key, value in document.items() if key in names}


def _alive(runner: Mapping[str, Any]) -> bool:
    if runner.get("host") != socket.gethostname():
        return True
    pid = runner.get("pid")
    return runner.get("boot") == boot_id() and isinstance(pid, int) and process_start(pid) == runner.get("start")
