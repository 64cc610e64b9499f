"""`kill -9` and races: nothing half made is ever seen, nothing is left running, and the next attempt works."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from dataops.infra.errors import ResourceError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.golden import build_golden, ensure_golden
from dataops.snapshots.store import list_snapshots
from support.postgres import open_directory
from support.small_disk import small_disk, small_disks
from support.small_production import Production, Restored
from support.stored_snapshots import all_chunks, check, chunk_files, chunks_of

pytestmark = pytest.mark.slow

CHILD = """
import json, os, signal, sys
from pathlib import Path
from support.small_production import Production
from dataops.infra.errors import ResourceError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.store import newest
from support.stored_snapshots import all_chunks
what, home, directory, connection, lake, mark = sys.argv[1:]

def die_at_mark(event, arguments):
    \"\"\"Kills this process before it publishes a golden directory, or does the next thing to what is marked.\"\"\"
    if event in ("open", "os.rename", "os.chmod") and str(arguments[0]).endswith(mark):
        if event != "open" or os.path.exists(arguments[0]):
            os.kill(os.getpid(), signal.SIGKILL)

def die_with_chunks(line):
    \"\"\"Kills this process, at the first thing that it tells once so many chunks are there.\"\"\"
    if len(all_chunks(production.layout)) >= int(mark):
        os.kill(os.getpid(), signal.SIGKILL)

production = Production(PlatformLayout(Path(home), directory), json.loads(connection), Path(lake))
if what == "capture":
    production.capture(progress=die_with_chunks)
else:
    if mark:
        sys.addaudithook(die_at_mark)
    ensure_golden(newest(production.layout), production.layout)
"""
PATIENCE = 60


def start(what: str, production: Production, mark: str = "") -> subprocess.Popen[bytes]:
    """Starts a capture or a restore, which kills itself at a mark, if there is one.

    A capture does once there are so many chunks, a restore once there is a file of that name.
    """
    layout = production.layout
    words = [what, str(layout.home), layout.directory, json.dumps(production.connection), str(production.lake), mark]
    tests = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, "-c", CHILD, *words], env={**os.environ, "PYTHONPATH": tests})


def kill_when(reached: Callable[[], bool], child: subprocess.Popen[bytes]) -> bool:
    """Kills the child as soon as it has come that far; False when it came to its end before."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        if child.poll() is not None:
            return False
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    return True


def processes_in(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(directory):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("files", [0, 1, 5, 10])
def test_a_killed_capture_leaves_nothing_to_be_seen_and_the_next_one_works(production: Production, files: int) -> None:
    elsewhere = production.elsewhere(f"killed-{files:08}")
    # it is the process itself that ends there: who watches could come too late
    child = start("capture", elsewhere, mark=str(files))
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None:
        assert time.monotonic() < deadline
        with suppress(psutil.Error):
            workers[:] = psutil.Process(child.pid).children(recursive=True) or workers
        time.sleep(0.001)
    assert child.returncode == -signal.SIGKILL
    psutil.wait_procs(workers, PATIENCE)
    assert not any(worker.is_running() for worker in workers)
    assert list_snapshots(elsewhere.layout) == []
    manifest = elsewhere.capture()
    assert [found.id for found in list_snapshots(elsewhere.layout)] == [manifest.id]
    assert list(elsewhere.layout.snapshots.glob(".partial-*")) == []
    check(elsewhere.layout, manifest)
    assert all_chunks(elsewhere.layout) == chunks_of(elsewhere.layout)


@pytest.fixture(scope="module")
def captured(production: Production) -> Production:
    elsewhere = production.elsewhere("goldens-00000000")
    elsewhere.capture()
    return elsewhere


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["postgres", "postgres/PG_VERSION", "postgres.launch", "postgres/postmaster.pid"])
def test_a_killed_restore_leaves_nothing_to_be_seen_or_running(captured: Production, mark: str) -> None:
    layout = captured.layout
    assert kill_when(lambda: any(layout.golden.glob(f".partial-*/{mark}")), start("golden", captured))
    assert_nothing_is_left(layout)


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["lake", "golden.json"])
def test_a_restore_killed_between_its_last_files_and_its_name_leaves_nothing_to_be_seen(
    captured: Production, mark: str
) -> None:
    # too short a time for anybody who watches, so it is the process itself that ends there
    child = start("golden", captured, mark=f"/{mark}")
    assert child.wait(10 * PATIENCE) == -signal.SIGKILL
    assert [path.name for path in captured.layout.golden.glob(f".partial-*/{mark}")] == [mark]
    assert_nothing_is_left(captured.layout)


def assert_nothing_is_left(layout: PlatformLayout) -> None:
    assert list(layout.golden.glob("[!.]*")) == []
    deadline = time.monotonic() + PATIENCE
    while processes_in(layout.golden):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_after_killed_restores_two_at_once_build_one_golden_directory(captured: Production) -> None:
    layout = captured.layout
    (manifest,) = list_snapshots(layout)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: ensure_golden(manifest, layout), range(2))
    assert first == second
    assert list(layout.golden.glob("[!.]*")) == [first.data_directory.parent]
    assert list(layout.golden.glob(".partial-*")) == []
    assert processes_in(layout.golden) == []


def test_a_full_disk_ends_a_capture_with_nothing_to_be_seen(production: Production) -> None:
    import resource

    elsewhere = production.elsewhere("full-00000000")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))  # what the kernel answers then is much the same
    try:
        with pytest.raises(ResourceError, match="no room left for the snapshot"):
            elsewhere.capture()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list_snapshots(elsewhere.layout) == []
    assert list(elsewhere.layout.snapshots.glob(".partial-*")) == []


def test_a_golden_directory_that_was_changed_is_refused(captured: Production) -> None:
    (manifest,) = list_snapshots(captured.layout)
    golden = ensure_golden(manifest, captured.layout)
    version = golden.data_directory / "PG_VERSION"
    before = version.stat()
    version.chmod(0o600)
    version.write_text(version.read_text())
    os.utime(version, ns=(before.st_atime_ns, before.st_mtime_ns))
    version.chmod(0o400)
    with pytest.raises(VerificationError, match="was changed since it was built"):
        ensure_golden(manifest, captured.layout)


def test_a_file_that_does_not_belong_to_the_snapshot_is_not_restored(production: Production) -> None:
    elsewhere = production.elsewhere("extra-00000000")
    manifest = elsewhere.capture()
    (elsewhere.layout.snapshots / manifest.id / "extra.csv").write_text("x")
    with pytest.raises(VerificationError, match=rf"does not belong there: {manifest.id}/extra\.csv"):
        ensure_golden(manifest, elsewhere.layout)
    assert list(elsewhere.layout.golden.glob("[!.]*")) == []


def test_a_golden_directory_of_something_else_is_refused(restored: Restored, captured: Production) -> None:
    from dataclasses import replace

    layout = PlatformLayout(captured.layout.home, restored.production.layout.directory)
    with pytest.raises(VerificationError, match="was not made of"):
        ensure_golden(replace(restored.manifest, git_commit="other"), layout)


def damage(path: Path, how: str) -> str:
    """Spoils a file of a snapshot; what the error says of it."""
    content = path.read_bytes()
    if how == "bit":
        path.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 4]) + content[len(content) // 2 + 1 :]
        )
        return path.name
    if how == "cut":
        path.write_bytes(content[:-1])
        return f"{path.name}.*another size than recorded"
    if how == "gone":
        path.unlink()
        return f"{path.name}.*is missing"
    path.with_name("stranger").write_bytes(b"x")
    return "does not belong there: .*stranger"


@pytest.mark.parametrize(
    ("label", "how"),
    [("tables/raw.bookings", "bit"), ("schema/pre-data", "bit"), ("lake/raw/passengers.parquet", "bit")]
    + [("index", "bit"), ("key", "bit"), ("tables/raw.bookings", "cut"), ("schema/post-data", "gone")]
    + [("index", "gone"), ("key", "gone"), ("index", "more")],
)
def test_a_corrupt_snapshot_is_told_by_the_name_of_its_file_and_never_published(
    captured: Production, tmp_path: Path, label: str, how: str
) -> None:
    (manifest,) = list_snapshots(captured.layout)
    shutil.copytree(captured.layout.snapshots, tmp_path / "store")
    spoiled = Path(manifest.id, label)
    if "/" in label:
        spoiled = chunk_files(captured.layout, manifest, label)[0].relative_to(captured.layout.snapshots)
    expected = damage(tmp_path / "store" / spoiled, how)
    with open_directory() as directory:
        with pytest.raises(VerificationError) as raised:
            build_golden(manifest, tmp_path / "store", captured.layout.keys, directory, captured.layout.home)
        assert re.search(expected, f"{raised.value}") and raised.value.exit_code == 11
        assert [path for path in directory.iterdir() if path.is_dir()] == []


if small_disks():

    @pytest.mark.parametrize("left", [10, 45])
    def test_a_full_disk_leaves_nothing_half_made_and_later_the_restore_succeeds(
        captured: Production, left: int
    ) -> None:
        (manifest,) = list_snapshots(captured.layout)
        layout = captured.layout
        with open_directory() as directory, small_disk(directory, 400) as ballast:
            ballast.fill(left)
            with pytest.raises(ResourceError, match="no room left to restore") as raised:
                build_golden(manifest, layout.snapshots, layout.keys, directory, layout.home)
            assert "free some disk space" in (raised.value.hint or "")
            assert [path.name for path in directory.glob("*") if path.is_dir()] == []
            assert not processes_in(directory)
            ballast.clear()
            assert build_golden(manifest, layout.snapshots, layout.keys, directory, layout.home).tables == len(
                manifest.tables
            )
