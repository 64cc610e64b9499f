"""The records of runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dataops.services.reports import take_report
from dataops.services.runs import (
    KEPT_RUNS,
    MISSING,
    MOST_RUNS,
    RunRecord,
    claim_run,
    due_run_id,
    load_runs,
    log_tail,
    new_run_id,
    prune_missing,
    prune_runs,
    save_run,
    was_started,
)


def record(id_: str, pipeline: str = "a", state: str = "succeeded") -> RunRecord:
    return RunRecord(id_, pipeline, "x", "c", state, "t", "ada")


def test_ids_sort_by_time() -> None:
    moment = datetime(2026, 5, 4, 10, 12, 13, tzinfo=UTC)
    for later in (timedelta(seconds=1), timedelta(milliseconds=1), timedelta(milliseconds=987)):
        assert new_run_id(moment) < new_run_id(moment + later)
    assert due_run_id(moment.timestamp()) == "20260504-101213-due"


def test_runs_are_listed_with_the_newest_first_and_by_pipeline(tmp_path: Path) -> None:
    for number, pipeline in enumerate(["a", "b", "a"]):
        made = record(f"2026-{number}", pipeline)
        save_run(tmp_path / pipeline / made.id, made)
    assert [r.id for r in load_runs(tmp_path)] == ["2026-2", "2026-1", "2026-0"]
    assert [r.id for r in load_runs(tmp_path, "b")] == ["2026-1"]
    assert [r.id for r in load_runs(tmp_path, limit=2)] == ["2026-2", "2026-1"]
    assert load_runs(tmp_path / "none") == []


def test_a_run_is_found_by_the_beginning_of_its_id_without_reading_the_others(tmp_path: Path) -> None:
    save_run(tmp_path / "a" / "20260101-000000-aaaa", record("20260101-000000-aaaa"))
    save_run(tmp_path / "b" / "20260102-000000-bbbb", record("20260102-000000-bbbb"))
    (tmp_path / "a" / "20260103-000000-cccc" / "run.json").mkdir(parents=True)  # reading that would be an error
    assert [r.id for r in load_runs(tmp_path, beginning="20260102")] == ["20260102-000000-bbbb"]
    assert load_runs(tmp_path, "a", beginning="20260102") == []


def test_a_due_time_has_one_run_whoever_claims_it(tmp_path: Path) -> None:
    due = record(due_run_id(1_800_000_000))
    assert not was_started(tmp_path, "a", 1_800_000_000)
    assert claim_run(tmp_path, due) == tmp_path / "a" / due.id
    assert claim_run(tmp_path, due) is None
    assert was_started(tmp_path, "a", 1_800_000_000)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [due.id]


def test_a_due_time_that_was_missing_may_still_be_claimed(tmp_path: Path) -> None:
    due = record(due_run_id(1_800_000_000), state=MISSING)
    save_run(tmp_path / "a" / due.id, due)
    assert not was_started(tmp_path, "a", 1_800_000_000)
    assert claim_run(tmp_path, record(due.id, state="running")) is not None
    assert claim_run(tmp_path, record(due.id, state="running")) is None


def test_old_runs_go_and_young_or_last_ones_stay(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [due_run_id((start + timedelta(days=day)).timestamp()) for day in range(KEPT_RUNS + 50)]
    for id_ in ids:
        (tmp_path / "a" / id_).mkdir(parents=True)
    (tmp_path / "a" / f".{ids[0]}.4711").mkdir()
    prune_runs(tmp_path, "a", (start + timedelta(days=3650)).timestamp())
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ids[50:]
    for id_ in ids:
        (tmp_path / "a" / id_).mkdir(exist_ok=True)
    prune_runs(tmp_path, "a", (start + timedelta(days=60)).timestamp())
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ids[30:]


def test_missing_due_times_do_not_pile_up_while_a_run_goes_on(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    ids = [due_run_id(start + 60 * minute) for minute in range(MOST_RUNS + 3)]
    for id_ in ids:
        (tmp_path / "a" / id_).mkdir(parents=True)
    save_run(tmp_path / "a" / ids[0], record(ids[0], state="running"))
    prune_missing(tmp_path, "a")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [ids[0], *ids[3:]]


@pytest.mark.parametrize(
    ("text", "rows", "problem"),
    [
        ('{"rows": {"raw.a": 3, "raw.b": 0}}', {"raw.a": 3, "raw.b": 0}, ""),
        ('{"rows": 7}', {"": 7}, ""),
        ('{"rows": {"raw.a": 5.0}}', {"raw.a": 5}, ""),
        ('{"rows": {"raw.a": "many", "raw.b": 1}}', {"raw.b": 1}, "its report has no whole number for rows raw.a"),
        ('{"rows": true}', {}, "its report has no whole number for rows"),
        ('{"rows": {"raw.a\\u001b[31m": 1}}', {"raw.a?[31m": 1}, ""),
        ('{"rows": 1e300}', {}, "its report has no whole number for rows"),
        ('{"rows": Infinity}', {}, "its report has no whole number for rows"),
        ("[]", {}, "its report is not a JSON object"),
        ("{", {}, "its report is not JSON"),
    ],
)
def test_what_a_report_says_is_taken_and_what_is_wrong_with_it_told(
    tmp_path: Path, text: str, rows: dict[str, int], problem: str
) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    found = take_report(path)
    assert (found.rows, found.problem) == (rows, problem)
    assert path.exists() == bool(problem), "what the record has all of is not kept beside it"


def test_a_step_that_reports_nothing_has_no_rows_and_no_problem(tmp_path: Path) -> None:
    found = take_report(tmp_path / "none.json")
    assert (found.rows, found.bytes, found.problem) == ({}, {}, "")


def test_the_tail_of_a_log_has_no_control_sequences(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"\xff" + b"".join(b"\x1b[31mline %d\x1b[0m\n" % n for n in range(5000)))
    assert log_tail(log, 2) == "line 4998\nline 4999"
    assert log_tail(tmp_path / "none.log") == ""
