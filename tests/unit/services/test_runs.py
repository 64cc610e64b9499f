from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dataops.services.runs import RunRecord, load_runs, log_tail, new_run_id, read_rows, save_run


def test_ids_sort_by_time() -> None:
    moment = datetime(2026, 5, 4, 10, 12, 13, tzinfo=UTC)
    assert new_run_id(moment) < new_run_id(moment + timedelta(seconds=1))


def test_runs_are_listed_with_the_newest_first_and_by_pipeline(tmp_path: Path) -> None:
    for number, pipeline in enumerate(["a", "b", "a"]):
        record = RunRecord(f"2026-{number}", pipeline, "x", "c", "succeeded", "t", "ada")
        save_run(tmp_path / pipeline / record.id, record)
    assert [r.id for r in load_runs(tmp_path)] == ["2026-2", "2026-1", "2026-0"]
    assert [r.id for r in load_runs(tmp_path, "b")] == ["2026-1"]
    assert load_runs(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"rows": {"raw.a": 3, "raw.b": 0}}', {"raw.a": 3, "raw.b": 0}),
        ('{"rows": 7}', {"": 7}),
        ('{"rows": {"raw.a": "many"}}', {}),
        ('{"rows": true}', {}),
        ("[]", {}),
        ("{", {}),
    ],
)
def test_only_well_formed_reports_count(tmp_path: Path, text: str, rows: dict[str, int]) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    assert read_rows(path) == rows


def test_a_step_that_reports_nothing_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none.json") == {}


def test_the_tail_of_a_log_has_no_control_sequences(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"\xff" + b"".join(b"\x1b[31mline %d\x1b[0m\n" % n for n in range(5000)))
    assert log_tail(log, 2) == "line 4998\nline 4999"
    assert log_tail(tmp_path / "none.log") == ""
