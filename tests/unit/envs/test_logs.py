from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dataops.cli.commands.env_logs import read_moment
from dataops.envs.log_lines import LogLine, moment_of
from dataops.envs.log_sources import LogSource, choose, sources_of
from dataops.envs.logs import LogRequest, follow_logs, read_logs
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.process.redaction import Redactor

NOTHING = Redactor({})


def log(folder: Path, name: str, *lines: str) -> LogSource:
    path = folder / f"{name}.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    return LogSource(name, (), path)


def texts(lines: Iterable[LogLine]) -> list[str]:
    return [f"{line.source}: {line.text}" for line in lines]


def at(clock: str) -> float:
    return datetime.fromisoformat(f"2026-05-04T{clock}+00:00").timestamp()


def until_quiet(lines: Iterator[LogLine | None]) -> list[str]:
    """What is told before there is nothing to tell."""
    found: list[str] = []
    for line in lines:
        if line is None:
            return found
        found.append(f"{line.source}: {line.text}")
    return found


def test_logs_are_merged_by_time_and_lines_without_one_stay_with_the_line_before(tmp_path: Path) -> None:
    one = log(tmp_path, "one", "2026-05-04 10:00:00.5 UTC [7] a", "  more of a", "2026-05-04 10:00:03 UTC c")
    two = log(tmp_path, "two", "2026-05-04T10:00:01Z b", "2026-05-04T12:00:04+02:00 d")
    assert [line.text[-1] for line in read_logs([one, two], LogRequest(), NOTHING)] == ["a", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-04 10:12:13.25 UTC [1] x", at("10:12:13") + 0.25),
        ("[2026-05-04T10:12:13,5Z] x", at("10:12:13") + 0.5),
        ("2026-05-04T10:12:13+02:00 x", at("08:12:13")),
        ("2026-05-04 10:12:13-0330", at("13:42:13")),
        ("2026-05-04 10:12:13,123 INFO x", datetime(2026, 5, 4, 10, 12, 13, 123000).timestamp()),
        ("nothing", None),
        ("2026-13-04 10:12:13", None),
    ],
)
def test_times_are_read_with_their_zone_and_this_machine_s_where_none_is_told(
    text: str, expected: float | None
) -> None:
    assert moment_of(text) == expected


def test_the_newest_lines_of_each_log_are_shown_over_its_rotations(tmp_path: Path) -> None:
    source = log(tmp_path, "api", "5", "6")
    (tmp_path / "api.log.1").write_text("3\n4\n")
    (tmp_path / "api.log.2").write_text("1\n2\n")
    assert [line.text for line in read_logs([source], LogRequest(tail=3), NOTHING)] == ["4", "5", "6"]
    assert [line.text for line in read_logs([source], LogRequest(tail=0), NOTHING)] == []
    assert [line.text for line in read_logs([source], LogRequest(), NOTHING)] == list("123456")


def test_a_log_of_any_size_is_read_line_by_line(tmp_path: Path) -> None:
    source = log(tmp_path, "api")
    with source.path.open("wb") as stream:
        stream.write(b"2026-05-04 10:00:00Z first\n")
        stream.truncate(2**40)  # a terabyte of nothing follows
    assert next(iter(read_logs([source], LogRequest(since=at("09:00:00")), NOTHING))).text.endswith("first")


def test_lines_before_the_first_time_of_a_log_stay_with_it(tmp_path: Path) -> None:
    one = log(tmp_path, "one", "begun", "2026-05-04 10:00:01Z a")
    two = log(tmp_path, "two", "2026-05-04 10:00:00Z b", "2026-05-04 10:00:02Z c")
    assert texts(read_logs([one, two], LogRequest(), NOTHING))[1:3] == ["one: begun", "one: 2026-05-04 10:00:01Z a"]


def test_long_logs_are_read_from_their_end(tmp_path: Path) -> None:
    source = log(tmp_path, "api", *(f"line {number} {'x' * 90}" for number in range(20_000)))
    found = list(read_logs([source], LogRequest(tail=1500), NOTHING))
    assert len(found) == 1500 and found[0].text.startswith("line 18500 ") and found[-1].text.startswith("line 19999 ")


def test_since_leaves_out_what_is_older(tmp_path: Path) -> None:
    source = log(tmp_path, "api", "2026-05-04T10:00:00Z a", "  of a", "2026-05-04T11:00:00Z b", "  of b")
    found = list(read_logs([source], LogRequest(since=at("10:30:00")), NOTHING))
    assert [line.text for line in found] == ["2026-05-04T11:00:00Z b", "  of b"]


def test_secrets_and_control_sequences_never_reach_the_reader(tmp_path: Path) -> None:
    redact = Redactor(
        {
            "WAREHOUSE_URL": "postgresql://pipeline:s3cret-pw@127.0.0.1:5/shop",
            "API_TOKEN": "tok-123456",
            "GREETING": "hello",
        }
    )
    source = log(
        tmp_path, "api", "\x1b[31mhello\x1b[0m s3cret-pw and tok-123456", "to http://me:other-password@example.com/ now"
    )
    assert [line.text for line in read_logs([source], LogRequest(), redact)] == [
        "hello [secret] and [secret]",
        "to http://me:[secret]@example.com/ now",
    ]
    assert "tok-123456" not in repr(redact)


def test_following_tells_new_lines_when_they_are_complete(tmp_path: Path) -> None:
    source = log(tmp_path, "api", "old")
    lines = follow_logs(lambda: [source], LogRequest(tail=1), NOTHING)
    assert until_quiet(lines) == ["api: old"]
    with source.path.open("a") as stream:
        stream.write("half")
        stream.flush()
        assert until_quiet(lines) == []
        stream.write(" whole\nnext\n")
    assert until_quiet(lines) == ["api: half whole", "api: next"]
    lines.close()  # type: ignore[attr-defined]


def test_following_survives_rotation_truncation_and_new_logs(tmp_path: Path) -> None:
    source = log(tmp_path, "api", "old")
    sources = [source]
    lines = follow_logs(lambda: sources, LogRequest(tail=0), NOTHING)
    assert until_quiet(lines) == []
    with source.path.open("a") as stream:
        stream.write("last of the first\n")
    source.path.rename(tmp_path / "api.log.1")
    log(tmp_path, "api", "all of the second")
    (tmp_path / "api.log.1").rename(tmp_path / "api.log.2")
    source.path.rename(tmp_path / "api.log.1")
    log(tmp_path, "api", "first of the third")
    assert until_quiet(lines) == ["api: last of the first", "api: all of the second", "api: first of the third"]
    source.path.write_text("cut\n")
    assert until_quiet(lines) == ["api: cut"]
    sources.append(log(tmp_path, "late", "from the beginning"))
    assert until_quiet(lines) == ["late: from the beginning"]
    lines.close()  # type: ignore[attr-defined]


def environment(root: Path) -> EnvironmentRecord:
    return EnvironmentRecord(
        *("x", "shop", "replica", "x", "c" * 40, "/r", "", str(root), "file:///s", "shop", "x"),
        passphrase={},
        facts={"services": {"api": {}, "quiet": {}}},
    )


def test_sources_are_services_servers_and_the_steps_of_the_newest_run(tmp_path: Path) -> None:
    from dataops.services.runs import RunRecord, StepRecord, save_run

    (tmp_path / "logs").mkdir()
    for name in ("api", "postgres", "runner"):
        log(tmp_path / "logs", name, "x")
    for number, id_ in enumerate(("20260504-100000-aaaa", "20260504-110000-bbbb")):
        folder = tmp_path / "logs" / "runs" / "sales" / id_
        folder.mkdir(parents=True)
        save_run(folder, RunRecord(id_, "sales", "x", "c", "failed", "", "ada", steps=(StepRecord("load", ["x"]),)))
        os.utime(log(folder, "load", f"run {number}").path, (number, number))
    record = environment(tmp_path)
    every = sources_of(record)
    assert [s.name for s in every] == ["api", "postgres", "runner", "quiet", "supervisor", "sales/load"]
    assert [s.name for s in choose(every, ["services"])] == ["api", "quiet"]
    assert [s.name for s in choose(every, ["sales", "postgres"])] == ["sales/load", "postgres"]
    assert texts(read_logs(choose(every, ["sales/load"]), LogRequest(), NOTHING)) == ["sales/load: run 1"]
    assert choose(every, ["returns"], ["sales", "returns"]) == [], "it has not run yet, but may while it is followed"
    older = choose(sources_of(record, "20260504-100000-aaaa"), ["pipelines"])
    assert texts(read_logs(older, LogRequest(), NOTHING)) == ["sales/load: run 0"]
    with pytest.raises(NotFoundError) as raised:
        choose(every, ["postgers"])
    assert "did you mean postgres?" in str(raised.value.hint) and "sales/load" in str(raised.value.hint)
    with pytest.raises(NotFoundError):
        sources_of(record, "20260504-120000-cccc")


def test_since_takes_durations_and_times() -> None:
    now = datetime.now(UTC).timestamp()
    assert now - 5400 - 5 < read_moment("1h30m") <= now - 5400 + 5
    assert read_moment("2026-05-04T10:00:00+00:00") == at("10:00:00")
    assert read_moment("00:00") <= now
    with pytest.raises(ConfigurationError):
        read_moment("yesterday")
