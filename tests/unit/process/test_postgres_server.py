"""The server as every kind of user runs it: root with an open home, root with a closed one, and somebody else."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process import postgres_server, postgres_status
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_configuration import write_configuration
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.processes import wait_until
from dataops.infra.process.programs import launcher_command
from dataops.infra.process.users import server_user
from support.postgres import open_directory, throwaway_cluster

pytestmark = pytest.mark.slow

KEPT: list[object] = []

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from pathlib import Path
from support.postgres import throwaway_cluster
from dataops.infra.process.postgres_connection import connect
with throwaway_cluster(Path(sys.argv[1])) as connection, connect(connection) as opened:
    print(opened.execute("SELECT 6 * 7").fetchone()[0])
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


def test_a_server_runs_below_a_directory_that_only_its_maker_enters(home: Path) -> None:
    home.chmod(0o700)
    with throwaway_cluster(home) as connection, connect(connection) as opened:
        assert opened.execute("SELECT current_user").fetchone() == ("postgres",)
        assert home.stat().st_mode & 0o777 == 0o700


def python_of_others() -> str | None:
    """An interpreter of this version that any user may run."""
    for candidate in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if candidate and all(p.stat().st_mode & 1 for p in Path(candidate).resolve().parents):
            version = "import sys; print(sys.version_info[:2])"
            shown = subprocess.run([candidate, "-c", version], capture_output=True, text=True, check=True).stdout
            if shown.strip() == str(sys.version_info[:2]):
                return candidate
    return None


def within_reach() -> bool:
    """Whether another user could read this checkout."""
    return os.access(ROOT, os.X_OK) and all(p.stat().st_mode & 1 for p in ROOT.parents)


if os.geteuid() != 0:

    def test_somebody_who_is_not_root_runs_a_server_of_their_own(home: Path) -> None:
        home.chmod(0o700)
        with throwaway_cluster(home) as connection, connect(connection) as opened:
            assert opened.execute("SELECT 6 * 7").fetchone() == (42,)

elif (python := python_of_others()) and within_reach():

    def test_somebody_who_is_not_root_runs_a_server_of_their_own(home: Path) -> None:
        home.chmod(0o700)
        user = server_user()
        os.chown(home, user.uid, user.gid)
        paths = [str(ROOT / ".types"), str(ROOT / "tests"), sysconfig.get_path("purelib")]
        done = subprocess.run(
            [str(python), "-c", PROGRAM, str(home)],
            user=user.uid,
            group=user.gid,
            extra_groups=[],
            cwd="/",
            env={"PYTHONPATH": ":".join(paths), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr


def test_a_server_that_is_starting_up_is_waited_for(home: Path) -> None:
    """As one is that was killed and replays its log: meanwhile it refuses everyone."""
    data, user, gate = home / "cluster", server_user(), home / "gate"
    binaries = install_binaries(home, user)
    postgres_server.initialize(data, binaries, user, sync=False)
    settings = {"hot_standby": False, "restore_command": f"while [ ! -e {gate} ]; do sleep 0.02; done; exit 1"}
    sockets = postgres_server.sockets_of(data, user)
    write_configuration(data, user, port=5432, sockets=sockets, settings=settings, listen=False)
    (data / "recovery.signal").touch()
    user.own(data / "recovery.signal")
    postgres_server.launch_specification(data, binaries, user).write(home / "launch")
    with open(home / "log", "wb") as log:
        server = subprocess.Popen(launcher_command(home / "launch"), stdout=log, stderr=log)
    try:
        wait_until(lambda: is_listening(data), 30, "it does not listen")
        found = postgres_status.status(data)
        assert found is not None and not found.ready
        with pytest.raises(ResourceError, match="starting up"):
            connect(found.connection, seconds=0.1)
        threading.Timer(0.2, gate.touch).start()
        with connect(found.connection) as opened:
            assert opened.execute("SELECT 6 * 7").fetchone() == (42,)
    finally:
        gate.touch()
        postgres_server.remove(data)
        server.wait(30)
    with pytest.raises(ResourceError, match="connecting to the database postgres failed"):
        connect(found.connection)


def is_listening(data: Path) -> bool:
    """Whether a server has opened its socket, ready or not."""
    found = postgres_status.status(data)
    return found is not None and (found.sockets / f".s.PGSQL.{found.port}").exists() and found.port > 0


def test_no_cluster_is_made_by_a_fork_which_handlers_of_libraries_would_take_part_in(home: Path) -> None:
    """gRPC's start threads in the child, which crashed before it became `initdb`."""
    forks: list[int] = []
    handler = ctypes.CFUNCTYPE(None)(lambda: forks.append(os.getpid()))
    ctypes.CDLL(None)["__register_atfork"](handler, None, None, None)
    try:
        subprocess.run(["true"], check=True, user=os.geteuid())
        assert forks == [os.getpid()]  # as Python starts the programs of another user
        postgres_server.initialize(home / "cluster", install_binaries(home, server_user()), server_user(), sync=False)
        assert len(forks) == 1
    finally:
        KEPT.append(handler)  # it cannot be taken back
        postgres_server.remove(home / "cluster")


def test_a_running_cluster_is_not_cloned(home: Path) -> None:
    with throwaway_cluster(home):
        with pytest.raises(ResourceError, match="cannot be cloned while its server runs"):
            postgres_server.clone(home / "cluster", home / "clone")
    with pytest.raises(ResourceError, match="is no Postgres data directory"):
        postgres_server.clone(home, home / "clone")


def test_a_temporary_server_leaves_nothing_but_its_data(home: Path) -> None:
    with throwaway_cluster(home) as connection:
        assert Path(connection["host"]).is_dir()
    assert [path.name for path in home.iterdir()] == ["postgres"] or list(home.iterdir()) == []


MAKER = """
import sys
from pathlib import Path
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_server import initialize
from dataops.infra.process.users import server_user
home, user = Path(sys.argv[1]), server_user()
initialize(home / "cluster", install_binaries(home, user), user)
"""


def test_what_a_killed_maker_left_at_work_is_no_server_and_goes_with_the_cluster(home: Path) -> None:
    data, user = home / "cluster", server_user()
    binaries = install_binaries(home, user)
    maker = subprocess.Popen([sys.executable, "-c", MAKER, str(home)])
    lock = data / postgres_status.LOCK_FILE
    wait_until(lambda: lock.exists() and lock.read_text().startswith("-"), 30, "initdb runs no backend")
    maker.kill()
    maker.wait()
    assert postgres_status.status(data) is None
    postgres_server.remove(data)
    assert not data.exists()
    there = [process.info["cwd"] for process in psutil.process_iter(["cwd"])]
    assert [path for path in there if path and path.startswith(str(home))] == []
    postgres_server.initialize(data, binaries, user, sync=False)
    postgres_server.remove(data)


def test_a_server_that_does_not_start_shows_its_log(home: Path) -> None:
    user = server_user()
    binaries = install_binaries(home, user)
    postgres_server.initialize(home / "cluster", binaries, user, sync=False)
    with pytest.raises(ResourceError) as raised:
        with postgres_server.temporary_server(home / "cluster", binaries, user, settings={"no_such": "1"}):
            pass
    assert "no_such" in (raised.value.details or "")


def test_binaries_are_installed_once_and_readable_by_all(home: Path) -> None:
    first = install_binaries(home, server_user())
    inode = first.path("postgres").stat().st_ino
    assert install_binaries(home, server_user()).path("postgres").stat().st_ino == inode
    assert first.path("postgres").stat().st_mode & 0o777 == 0o755
    assert first.build.startswith(first.version)


def test_a_log_that_is_trimmed_holds_what_is_needed_and_no_more(home: Path) -> None:
    user = server_user()
    binaries, data = install_binaries(home, user), home / "cluster"
    postgres_server.initialize(data, binaries, user, sync=False)
    with postgres_server.temporary_server(data, binaries, user) as connection, connect(connection) as opened:
        opened.execute(b"CREATE TABLE t AS SELECT n FROM generate_series(1, 300000) n")
        opened.execute(b"CHECKPOINT")
        with pytest.raises(ResourceError, match="not stopped cleanly"):
            postgres_server.trim_log(data, binaries)
    postgres_server.trim_log(data, binaries)
    assert len([path for path in (data / "pg_wal").iterdir() if path.is_file()]) == 1
    with postgres_server.temporary_server(data, binaries, user) as connection, connect(connection) as opened:
        opened.execute(b"INSERT INTO t VALUES (0)")
        assert opened.execute(b"SELECT count(*) FROM t").fetchone() == (300001,)
    postgres_server.remove(data)
