from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from dataops.infra.process.private_folder import PrivateFolder, clear

HOLD = """
import sys, time
from pathlib import Path
from dataops.infra.process.private_folder import PrivateFolder
print(PrivateFolder.make(1, Path(sys.argv[1])).path, flush=True)
time.sleep(60)
"""


def made_long_ago(folder: Path) -> None:
    os.utime(folder, (0, 0))


def test_a_folder_is_private_and_goes_with_its_owner(tmp_path: Path) -> None:
    folder = PrivateFolder.make(1, tmp_path)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.remove()
    folder.remove()
    assert not any(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        made_long_ago(left)
        clear(tmp_path)
        assert left.is_dir()
        other.send_signal(signal.SIGKILL)
    clear(tmp_path)
    assert not left.exists()


def test_a_folder_that_is_being_made_and_what_is_not_ours_stay(tmp_path: Path) -> None:
    (tmp_path / "dataops-rpc-young").mkdir()
    (tmp_path / "somebody").mkdir()
    (tmp_path / "dataops-rpc-link").symlink_to(tmp_path / "somebody")
    made_long_ago(tmp_path / "somebody")
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataops-rpc-link", "dataops-rpc-young", "somebody"]


def test_a_base_with_too_long_a_path_for_sockets_is_not_used(tmp_path: Path) -> None:
    base = tmp_path / ("x" * 90)
    base.mkdir()
    folder = PrivateFolder.make(20, base)
    assert folder.path.parent == Path("/tmp")
    folder.remove()
