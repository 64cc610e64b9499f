"""`dataops doctor`: status, forms, and what is said of targets that are not there."""

from __future__ import annotations

from pathlib import Path

from support.console import SameProcess


def test_a_machine_that_can_have_environments_is_ready(tmp_path: Path) -> None:
    done = SameProcess(tmp_path / "folder").run("doctor", "-o", "json")
    assert (done.status, done.json["healthy"]) == (0, True)
    assert {c["area"] for c in done.json["checks"]} == {"machine", "local", "docker", "kubernetes", "aws", "platform"}
    assert all(c["hint"] for c in done.json["checks"] if c["verdict"] in ("failed", "warning"))


def test_a_target_that_is_not_part_of_this_version_is_not_ready(tmp_path: Path) -> None:
    done = SameProcess(tmp_path / "folder").run("doctor", "--target", "kubernetes")
    assert done.status == 1
    assert "the target kubernetes is not part of this version" in done.stdout and "Not ready" in done.stdout
    assert "local" not in [line.split()[2] for line in done.stdout.splitlines() if " ok " in line]
