"""The pool: real file systems in real files, made, found again after a restart, refused where they would do harm."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataops.envs import pool_status
from dataops.envs.pool import PoolRequest, create, remove
from dataops.envs.techniques import room_of
from dataops.infra.errors import ConfigurationError, DataopsError, NotFoundError, PolicyError, ResourceError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.pool import NOTE, read_pool, require_pool
from dataops.infra.process import loop_filesystem
from support.pools import left_out, make_pool, unmount
from support.postgres import open_directory

SIZE = 330 << 20
OURS = (os.geteuid(), os.getegid())
STRANGER = 65534


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose pool, wherever it lies, is unmounted at the end."""
    with open_directory() as folder:
        try:
            yield folder / "home"
        finally:
            for mount in (folder / "home" / "pool", folder / "elsewhere"):
                unmount(mount)


def request(home: Path, **changes: Any) -> PoolRequest:
    return replace(PoolRequest(size=SIZE, owner=OURS, fstab=home.parent / "fstab"), **changes)


def loops() -> set[str]:
    """The files that loop devices stand for."""
    found = Path("/sys/block").glob("loop*/loop/backing_file")
    return {path.read_text(encoding="utf-8").strip() for path in found}


def as_stranger(action: Callable[[], Any]) -> Any:
    """What a function returns, or raises, in a process of a user who is not root."""
    if os.geteuid() != 0:
        return action()
    script = (
        "import os, pickle, sys\n"
        f"os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})\n"
        "action = pickle.load(sys.stdin.buffer)\n"
        "try:\n    found = action()\n"
        "except Exception as error:\n    found = (type(error), error.what, error.hint, error.details)\n"
        "pickle.dump(found, sys.stdout.buffer)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import dataops.envs.pool\n{script}"],
        input=pickle.dumps(action), stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found = pickle.loads(done.stdout)
    if isinstance(found, tuple) and isinstance(found[0], type) and issubclass(found[0], DataopsError):
        raise found[0](found[1], hint=found[2], details=found[3])
    return found


def test_a_pool_must_be_told_its_size(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="how large"):
        create(request(home, size=0), home)


def test_a_home_without_a_pool_has_none_to_remove(home: Path) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError, match="no pool"):
            remove(home)
        home.mkdir(exist_ok=True)


def test_an_image_that_is_not_ours_is_left_alone(home: Path) -> None:
    home.mkdir()
    (home / "pool.img").write_bytes(b"precious")
    with pytest.raises(PolicyError, match="no image of a pool"):
        create(request(home), home)
    assert (home / "pool.img").read_bytes() == b"precious"


def test_a_record_that_cannot_be_read_stops_everybody(home: Path) -> None:
    home.mkdir()
    (home / "pool.json").write_text("{")
    with pytest.raises(ConfigurationError, match="record of the pool cannot be read"):
        PlatformLayout(home, "shop-00000000").environment("feature-x")


def test_without_a_pool_everything_lies_in_the_home(home: Path) -> None:
    layout = PlatformLayout(home, "shop-00000000")
    assert layout.environment("feature-x").root == home / "platforms/shop-00000000/environments/feature-x"
    assert layout.golden == home / "platforms/shop-00000000/golden"
    assert layout.environment("feature-x").golden == layout.golden


def test_the_line_of_fstab_is_added_once_and_only_ours_is_removed(tmp_path: Path) -> None:
    fstab, mount = tmp_path / "fstab", tmp_path / "a pool"
    fstab.write_text("# a comment\n/dev/vda / ext4 defaults 0 1")
    line = loop_filesystem.boot_line(tmp_path / "a pool.img", mount, "xfs", "loop")
    for _ in range(2):
        loop_filesystem.add_boot_line(line, fstab)
    assert fstab.read_text().splitlines() == ["# a comment", "/dev/vda / ext4 defaults 0 1", line]
    assert "a\\040pool" in line
    assert [loop_filesystem.remove_boot_lines(mount, fstab) for _ in range(2)] == [True, False]
    assert fstab.read_text().splitlines() == ["# a comment", "/dev/vda / ext4 defaults 0 1"]


if not left_out():

    @pytest.mark.parametrize(("kind", "technique"), [("xfs", "reflink"), ("btrfs", "snapshot")])
    def test_a_pool_takes_what_is_made_from_then_on_and_leaves_the_rest_where_it_is(
        home: Path, kind: str, technique: str
    ) -> None:
        layout = PlatformLayout(home, "shop-00000000")
        old = layout.environment("old")
        old.root.mkdir(parents=True)
        pool = make_pool(request(home, kind=kind), home)
        assert (pool.kind, pool.mounted, pool_status.status(home).technique) == (kind, True, technique)
        new = layout.environment("new")
        assert new.root == pool.mount / "platforms/shop-00000000/environments/new"
        assert new.golden == layout.golden == pool.mount / "platforms/shop-00000000/golden"
        assert (layout.environment("old"), old.golden) == (old, layout.root / "golden")
        assert layout.environment("production").root.is_relative_to(layout.root)
        probe = pool.mount / "ours"
        probe.touch()
        assert probe.stat().st_uid == OURS[0]

    if os.geteuid() == 0:

        def test_a_pool_is_made_once(home: Path) -> None:
            first, second = create(request(home), home), create(request(home, size=0), home)
            assert (first.changed, second.changed, first.pool) == (True, False, second.pool)

        def test_two_at_once_make_one_pool(home: Path) -> None:
            with ThreadPoolExecutor(4) as threads:
                made = list(threads.map(lambda _: create(request(home), home), range(4)))
            assert sum(each.changed for each in made) == 1
            assert sum(str(home) in path for path in loops()) == 1

        def test_a_creation_that_was_killed_is_finished_by_the_next(home: Path) -> None:
            source = random.Random(int(os.environ["DATAOPS_SEED"]))
            home.mkdir()
            for _ in range(8):
                command = [sys.executable, "-m", "dataops.cli", "pool", "create", "--size", str(SIZE >> 20) + "M"]
                child = subprocess.Popen(
                    command, env={**os.environ, "DATAOPS_HOME": str(home)}, stdout=-3, stderr=-3, process_group=0
                )
                time.sleep(0.25 + source.random() * 0.4)
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            made = create(request(home), home).pool
            assert (made.mounted, read_pool(home)) == (True, made)
            assert sorted(path.name for path in home.iterdir()) == [".pool.lock", "pool", "pool.img", "pool.json"]
            remove(home, home.parent / "fstab")
            assert sorted(path.name for path in home.iterdir()) == [".pool.lock"]
            assert not any(str(home) in path for path in loops())

        def test_what_a_creation_left_before_its_record_can_be_removed(home: Path) -> None:
            create(request(home), home)
            (home / "pool.json").unlink()
            remove(home, home.parent / "fstab")
            assert sorted(path.name for path in home.iterdir()) == [".pool.lock"]

        @pytest.mark.parametrize("changes", [{"size": SIZE * 2}, {"kind": "btrfs"}, {"path": Path("/somewhere/else")}])
        def test_another_pool_than_the_one_there_is_refused(home: Path, changes: dict[str, Any]) -> None:
            before = create(request(home), home).pool
            with pytest.raises(ConfigurationError, match="there is a pool already"):
                create(request(home, **changes), home)
            assert read_pool(home) == before

        def test_a_pool_that_is_too_small_or_too_large_leaves_nothing(home: Path) -> None:
            with pytest.raises(ConfigurationError, match="too few for xfs"):
                create(request(home, size=1 << 20), home)
            with pytest.raises(ResourceError, match="no room for"):
                create(request(home, size=1 << 55), home)
            assert not list(home.rglob("*.img*"))

        def test_a_folder_with_something_in_it_is_not_hidden(home: Path) -> None:
            mount = home.parent / "elsewhere"
            mount.mkdir()
            (mount / "work.txt").write_text("mine")
            with pytest.raises(PolicyError, match="would hide what is there: work.txt"):
                create(request(home, path=mount), home)
            assert (mount / "work.txt").read_text() == "mine"

        def test_a_pool_elsewhere_is_found_by_its_record(home: Path) -> None:
            made = create(request(home, path=home.parent / "elsewhere"), home).pool
            assert (made.mount, made.image) == (home.parent / "elsewhere", home.parent / "elsewhere.img")
            remove(home, home.parent / "fstab")
            assert not made.image.exists()
            assert not made.mount.exists()

        def test_without_root_all_but_the_mount_is_done_and_what_to_type_is_told(home: Path) -> None:
            import functools

            home.mkdir()
            os.chown(home, STRANGER, STRANGER)
            stranger = request(home, owner=(STRANGER, STRANGER), boot=True)
            ask = functools.partial(create, stranger, home)
            with pytest.raises(ResourceError, match="needs root, once") as raised:
                as_stranger(ask)
            lines = (raised.value.details or "").splitlines()
            assert [line.split()[:2] for line in lines] == [
                ["sudo", "mount"],
                ["sudo", "chown"],
                ["echo", lines[2].split()[1]],
            ]
            for line in lines:
                subprocess.run(line.replace("sudo ", ""), shell=True, check=True, stdout=subprocess.DEVNULL)
            made = as_stranger(ask).pool
            assert (made.mounted, made.mount.stat().st_uid, read_pool(home)) == (True, STRANGER, made)
            with pytest.raises(ResourceError, match="needs root") as raised:
                as_stranger(functools.partial(remove, home, stranger.fstab))
            for line in (raised.value.details or "").splitlines():
                subprocess.run(line.replace("sudo ", ""), shell=True, check=True)
            as_stranger(functools.partial(remove, home, stranger.fstab))
            assert sorted(path.name for path in home.iterdir()) == [".pool.lock"]
            assert stranger.fstab.read_text() == ""

        def test_after_a_restart_nothing_is_written_below_an_unmounted_pool_and_it_is_mounted_again(home: Path) -> None:
            pool = create(request(home, boot=True), home).pool
            layout = PlatformLayout(home, "shop-00000000")
            root = layout.environment("feature-x").root
            root.mkdir(parents=True)
            unmount(pool.mount)
            assert (pool.mount / NOTE).read_text().strip() == pool.mount_command
            for check in (layout.require_pool, require_pool):
                with pytest.raises(ResourceError, match="the pool is not mounted") as raised:
                    check(root)
                assert raised.value.hint == pool.mount_command
            with pytest.raises(ResourceError, match="the pool is not mounted"):
                remove(home, home.parent / "fstab")
            # as the system does when it starts
            subprocess.run(["mount", "-T", home.parent / "fstab", pool.mount], check=True)
            assert layout.environment("feature-x").root.is_dir()
            unmount(pool.mount)
            assert create(request(home), home).changed
            assert layout.environment("feature-x").root.is_dir()

        def test_a_pool_in_which_an_environment_lives_is_not_removed(home: Path) -> None:
            pool = create(request(home), home).pool
            root = PlatformLayout(home, "shop-00000000").environment("feature-x").root
            root.mkdir(parents=True)
            with pytest.raises(PolicyError, match="1 environments live in the pool: feature-x") as raised:
                remove(home, home.parent / "fstab")
            assert "dataops env down feature-x" in (raised.value.hint or "")
            assert read_pool(home) == pool
            root.rmdir()
            with open(pool.mount / "busy", "w"), pytest.raises(ResourceError, match="could not unmount"):
                remove(home, home.parent / "fstab")
            with pytest.raises(PolicyError, match="is being removed"):
                create(request(home), home)
            remove(home, home.parent / "fstab")
            assert sorted(path.name for path in home.iterdir()) == [".pool.lock"]

        def test_a_pool_on_a_disk_that_fills_up_warns(home: Path) -> None:
            pool = create(request(home), home).pool
            assert room_of(pool).lacking == 0
            assert room_of(replace(pool, size=1 << 50)).lacking > 1 << 49
