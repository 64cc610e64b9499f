"""What a runner has to remember of each pipeline's schedule: its cursor, and whether somebody paused it.

Both are small files in the environment's `runner` folder, so that they outlive updates, restarts and the runner itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from dataops.infra.platform.records import read_record, write_record
from dataops.infra.platform.run_plan import ScheduleRule


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to when due times have been dealt with.

    Args:
        moment: seconds since 1970.
        schedule: the expression and zone that this is about; with another one the cursor begins anew.
        paused: whether the schedule was paused when this was written.
    """

    moment: float
    schedule: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """What somebody said about a schedule: `paused` or resumed, who, why, and since when (seconds since 1970)."""

    paused: bool
    since: float
    user: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The files of one environment; `folder` is `EnvironmentLayout.runner`."""

    folder: Path

    def cursor(self, pipeline: str) -> Cursor | None:
        """The cursor of a pipeline, None before its schedule was first looked at."""
        found = read_record(self.folder / f"{pipeline}.cursor.json")
        try:
            return Cursor(float(found["moment"]), str(found["schedule"]), bool(found["paused"])) if found else None
        except (KeyError, TypeError, ValueError):
            return None

    def set_cursor(self, pipeline: str, cursor: Cursor) -> None:
        """Writes it; raises `ResourceError` when that is impossible."""
        write_record(self.folder / f"{pipeline}.cursor.json", asdict(cursor))

    def pause(self, pipeline: str) -> Pause | None:
        """What was said last, None when nothing was."""
        found = read_record(self.folder / f"{pipeline}.pause.json")
        if not found or "paused" not in found:
            return None
        since = found.get("since")
        moment = float(since) if isinstance(since, (int, float)) else 0.0
        return Pause(bool(found["paused"]), moment, str(found.get("user", "")), str(found.get("reason", "")))

    def set_pause(self, pipeline: str, pause: Pause) -> None:
        """Writes it; raises `ResourceError` when that is impossible."""
        write_record(self.folder / f"{pipeline}.pause.json", asdict(pause))

    def is_paused(self, pipeline: str, rule: ScheduleRule) -> bool:
        """Whether a schedule waits: as somebody said last, else as the environment has it."""
        said = self.pause(pipeline)
        return said.paused if said else rule.paused

    def advanced(self, pipeline: str, rule: ScheduleRule, now: float) -> Cursor:
        """The cursor to go on from at this moment; not written.

        A schedule that is new, changed or paused begins at the present: what would have been due is not missed. One
        that was resumed begins when that was said.
        """
        schedule = f"{rule.cron} {rule.timezone}"
        known, paused = self.cursor(pipeline), self.is_paused(pipeline, rule)
        if known is None or known.schedule != schedule or paused:
            return Cursor(now, schedule, paused)
        if known.paused:
            said = self.pause(pipeline)
            resumed = min(said.since, now) if said and not said.paused else now
            return Cursor(max(known.moment, resumed), schedule)
        return Cursor(known.moment, schedule)
