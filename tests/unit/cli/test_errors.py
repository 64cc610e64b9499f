"""One place prints errors: what, where, hint, and the exit status of the kind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click
import pytest

from dataops.cli import main as main_module
from dataops.infra.errors import DataopsError, LockedError, NotFoundError
from support.console import SameProcess, project


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command `fail` that raises what the list holds."""
    raised: list[BaseException] = []

    @click.command("fail")
    def fail() -> None:
        raise raised[0]

    monkeypatch.setitem(main_module.dataops.commands, "fail", fail)
    return raised


def test_an_error_says_where_what_and_what_to_do(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(NotFoundError("no such stack", where="a.yaml:3", hint="make one", details="line 1\nline 2"))
    assert main_module.main(["fail"]) == 6
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: a.yaml:3: no such stack\n  line 1\n  line 2\nhint: make one\n"


@pytest.mark.parametrize(
    ("error", "status"), [(DataopsError("x"), 1), (LockedError("x"), 10), (KeyboardInterrupt(), 8)]
)
def test_the_exit_status_is_that_of_the_kind(failing: list[BaseException], error: BaseException, status: int) -> None:
    failing.append(error)
    assert main_module.main(["fail"]) == status


def test_a_defect_hides_its_traceback_until_asked_for(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATAOPS_DEBUG", raising=False)
    failing.append(ZeroDivisionError("boom"))
    assert main_module.main(["fail"]) == 255
    quiet = capsys.readouterr().err
    assert "this is a defect of dataops" in quiet
    assert "Traceback" not in quiet
    assert main_module.main(["-v", "fail"]) == 255
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (errno.ENOSPC, 4, "error: /x/y: the disk is full\nhint: free some space"),
        (errno.EROFS, 2, "error: /x/y: not permitted: Read-only file system\nhint: make it writable"),
        (errno.EBADF, 255, "this is a defect"),
    ],
)
def test_a_full_disk_or_a_sealed_one_is_no_defect(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], number: int, status: int, said: str
) -> None:
    failing.append(OSError(number, os.strerror(number), "/x/y"))
    assert main_module.main(["fail"]) == status
    assert said in capsys.readouterr().err


def test_outside_a_project_the_command_says_so(tmp_path: Path) -> None:
    outcome = SameProcess(tmp_path).run("stack", "ls")
    assert outcome.status == 6
    assert "no Pulumi.yaml" in outcome.stderr


def test_a_bad_project_file_is_named_with_its_line(tmp_path: Path) -> None:
    console = project(tmp_path / "p", kind=SameProcess)
    console.write("Pulumi.yaml", "name: shop\nruntime: [python]\n")
    outcome = console.run("stack", "ls")
    assert outcome.status == 2
    assert f"{tmp_path}/p/Pulumi.yaml:2: 'runtime' must be text" in outcome.stderr


def test_a_reader_that_goes_away_is_no_defect(tmp_path: Path) -> None:
    import subprocess

    console = project(tmp_path / "p")
    process = console.start("stack", "--help")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1)
    assert "defect" not in told
    assert isinstance(process, subprocess.Popen)


def test_a_group_without_a_command_shows_its_help_and_nothing_that_looks_like_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main_module.main(["pipeline"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("Usage: dataops pipeline") and "error" not in printed.err


def test_an_option_before_its_command_is_told_where_it_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_module.main(["-o", "json", "env", "ls"]) == 2
    assert "stand after its name: dataops COMMAND … -o" in capsys.readouterr().err
    assert main_module.main(["env", "--json"]) == 2
    assert "stand after" not in capsys.readouterr().err
