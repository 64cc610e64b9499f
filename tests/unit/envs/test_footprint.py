from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dataops.envs.footprint import allocated, footprint


def test_disk_is_what_du_counts(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "full").write_bytes(os.urandom(300_000))
    os.link(tmp_path / "below" / "full", tmp_path / "linked")
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(50_000_000)
    (tmp_path / "link").symlink_to("/usr")
    du = subprocess.run(["du", "-s", "-B1", str(tmp_path)], capture_output=True, text=True, check=True).stdout.split()[
        0
    ]
    assert abs(allocated(tmp_path) - int(du)) <= 8192, "but for the folder itself"
    assert allocated(tmp_path / "nothing") == 0


def test_memory_is_that_of_the_processes_that_work_there(tmp_path: Path) -> None:
    assert footprint(tmp_path).memory == 0
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        try:
            assert 0 < footprint(tmp_path).memory < 100_000_000
        finally:
            process.kill()
