"""Replicas in a pool, on real file systems: cloned at once, sharing what they leave as it is, safe when it is away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from dataops.envs.pool import PoolRequest
from dataops.envs.sweep import end_processes, leftovers
from dataops.infra.process.extents import extents_of
from support.console import Outcome
from support.mortal_environments import contents
from support.pools import left_out, make_pool, unmount
from support.scratch_platform import ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20
TECHNIQUES = {"xfs": "reflink", "btrfs": "snapshot"}
ONE = ["xfs"]
"""What does not depend on how a pool clones is tried on one kind."""

if not left_out():

    @pytest.fixture(scope="module", params=sorted(TECHNIQUES))
    def pooled(request: pytest.FixtureRequest) -> Iterator[tuple[ScratchPlatform, Path, str]]:
        """A platform with a replica that was made before there was a pool and two since, the pool, how it clones."""
        with scratch_platform() as shop:
            shop.produce()
            shop.branch("feature/before")
            shop.do("env", "up", "--branch", "feature/before")
            asked = PoolRequest(700 * MEGABYTE, request.param, owner=(os.geteuid(), os.getegid()))
            pool = make_pool(asked, shop.home).mount
            for name in ("feature/pooled", "feature/second"):
                shop.branch(name)
                shop.do("env", "up", "--branch", name)
            try:
                yield shop, pool, TECHNIQUES[request.param]
            finally:
                end_processes(pool)
                for folder in pool.glob("platforms/*/environments/*"):
                    shutil.rmtree(folder)
                unmount(pool)

    def rows(shop: ScratchPlatform, name: str) -> int:
        return int(contents(shop, name).tables["raw.orders"]["rows"])

    @contextmanager
    def almost_full(pool: Path) -> Iterator[None]:
        """Leaves a pool a few megabytes within a `with` statement."""
        ballast = pool / "ballast"
        with open(ballast, "wb") as file:
            free = shutil.disk_usage(pool).free
            os.posix_fallocate(file.fileno(), 0, free - 12 * MEGABYTE)
        try:
            yield
        finally:
            ballast.unlink()

    def is_told(ended: Outcome) -> None:
        """A command ended for want of room, and said so."""
        assert ended.status in (1, 4), ended.stderr
        assert any(word in ended.stderr for word in ("full", "No space", "no room")), ended.stderr
        assert "defect" not in ended.stderr

    def check_gone(shop: ScratchPlatform, pool: Path, name: str) -> None:
        """No record, folder, process or state of an environment is left, and the others answer."""
        found = shop.do("env", "ls", "-o", "json").json
        assert name not in [each["name"] for each in found]
        assert list(pool.glob(f"platforms/*/environments/*{name}*")) == []
        root = next(pool.glob("platforms/*/environments")) / name
        assert leftovers(root, []).lines() == []
        assert list(shop.home.glob(f"platforms/*/registry/*{name}*")) == []
        assert [path for path in (shop.folder / ".dataops" / "state").rglob(f"*{name}*") if path.is_file()] == []

    def test_a_replica_in_a_pool_shares_what_it_does_not_change(pooled: tuple[ScratchPlatform, Path, str]) -> None:
        shop, pool, technique = pooled
        report = shop.do("env", "up", "--branch", "feature/pooled", "-o", "json").json
        assert report["cloned"] == {"warehouse": technique, "lake": "reflink", "faster": ""}
        (root,) = pool.glob("platforms/*/environments/feature-pooled")
        (golden,) = pool.glob("platforms/*/golden/[!.]*")
        os.sync()
        assert extents_of(root / "postgres" / "base").own < extents_of(golden).logical / 4
        assert rows(shop, "feature-pooled") == 50
        assert "every block" in shop.do("env", "status", "feature-pooled").stdout
        seen = shop.do("pool", "status", "-o", "json").json
        assert {(t["kind"], t["name"], t["pooled"]) for t in seen["tenants"]} >= {
            ("environment", "feature-pooled", True),
            ("environment", "feature-before", False),
            ("environment", "production", False),
            ("golden", golden.name, True),
        }
        assert seen["technique"] == technique

    def test_what_was_made_before_the_pool_stays_where_it_is(pooled: tuple[ScratchPlatform, Path, str]) -> None:
        shop, pool, _ = pooled
        before = shop.do("env", "status", "feature-before", "-o", "json").json
        again = shop.do("env", "up", "--branch", "feature/before", "-o", "json").json
        assert (again["changed"], before["root"].startswith(str(shop.home / "platforms"))) == (False, True)
        shop.do("env", "reset", "feature-before", "--yes")
        assert rows(shop, "feature-before") == 50
        assert not list(pool.glob("platforms/*/environments/feature-before"))

    def test_a_reset_lays_the_data_anew_from_the_pool(pooled: tuple[ScratchPlatform, Path, str]) -> None:
        shop, pool, technique = pooled
        url = shop.do("env", "connect", "feature-pooled", "--show-password", "-o", "json").json["url"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE raw.mine AS SELECT 42 AS answer")
        report = shop.do("env", "reset", "feature-pooled", "--yes", "-o", "json").json
        assert report["cloned"]["warehouse"] == technique
        with psycopg.connect(url) as connection:  # the same port and the same password
            assert connection.execute("SELECT to_regclass('raw.mine')").fetchone() == (None,)

    def test_a_pipeline_that_writes_objects_in_place_changes_neither_the_snapshot_nor_another_replica(
        pooled: tuple[ScratchPlatform, Path, str],
    ) -> None:
        shop, pool, _ = pooled
        places = {n: next(pool.glob(f"platforms/*/environments/feature-{n}/lake")) for n in ("pooled", "second")}
        golden = next(pool.glob("platforms/*/golden/[!.]*/lake"))
        before = (golden / "raw" / "orders.parquet").read_bytes()
        with open(places["second"] / "raw" / "orders.parquet", "r+b") as file:
            file.write(b"XXXX")
        assert (places["second"] / "raw" / "orders.parquet").read_bytes() != before
        assert {(place / "raw" / "orders.parquet").read_bytes() for place in (golden, places["pooled"])} == {before}

    def test_a_pool_that_is_not_mounted_is_told_and_takes_nothing_with_it(
        pooled: tuple[ScratchPlatform, Path, str],
    ) -> None:
        shop, pool, _ = pooled
        for folder in pool.glob("platforms/*/environments/*"):
            end_processes(folder)
        unmount(pool)
        for words in (("env", "up", "--branch", "feature/pooled"), ("env", "down", "feature-pooled", "--yes"),
                      ("env", "wake", "feature-pooled"), ("env", "up", "--branch", "feature/before-not")):  # fmt: skip
            if words[-1].endswith("not"):
                shop.branch("feature/before-not")
            refused = shop.run(*words)
            assert (refused.status, "the pool is not mounted" in refused.stderr) == (4, True), refused.stderr
            assert "sudo mount" in refused.stderr
        assert sorted(path.name for path in pool.iterdir()) == [".not-mounted"]
        seen = shop.do("env", "status", "feature-pooled", "-o", "json").json
        assert "sudo mount" in seen["remedy"]
        shop.do("gc", "--yes")
        make_pool(PoolRequest(owner=(os.geteuid(), os.getegid())), shop.home)
        shop.do("env", "wake", "feature-pooled")
        assert rows(shop, "feature-pooled") == 50
        shop.do("env", "down", "feature-pooled", "--yes")
        check_gone(shop, pool, "feature-pooled")

    @pytest.mark.parametrize("pooled", ONE, indirect=True)
    def test_a_pool_that_is_full_is_told_and_later_the_next_run_goes_on(
        pooled: tuple[ScratchPlatform, Path, str],
    ) -> None:
        shop, pool, _ = pooled
        shop.branch("feature/full")
        with almost_full(pool):
            ended = shop.run("env", "up", "--branch", "feature/full")
            if ended.status:  # a snapshot of btrfs may need no more than there is
                is_told(ended)
        shop.do("env", "up", "--branch", "feature/full")
        assert rows(shop, "feature-full") == 50
        shop.do("env", "down", "feature-full", "--yes")
        check_gone(shop, pool, "feature-full")

    @pytest.mark.parametrize("pooled", ONE, indirect=True)
    def test_a_pool_that_turns_full_while_a_clone_writes_keeps_what_was_committed_and_the_clone_goes_on_later(
        pooled: tuple[ScratchPlatform, Path, str],
    ) -> None:
        shop, pool, _ = pooled
        for branch in ("feature/pooled", "feature/second"):
            shop.do("env", "up", "--branch", branch)
        url = shop.do("env", "connect", "feature-pooled", "--show-password", "-o", "json").json["url"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE raw.kept AS SELECT n FROM generate_series(1, 1000) AS n")
        with almost_full(pool):
            with pytest.raises((psycopg.errors.DiskFull, psycopg.OperationalError)):  # the latter if the server fell
                with psycopg.connect(url) as connection:
                    many = "SELECT repeat(md5(n::text), 20) AS text FROM generate_series(1, 300000) AS n"
                    connection.execute(f"CREATE TABLE raw.lost AS {many}".encode())
        shop.do("env", "up", "--branch", "feature/pooled")
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT count(*), to_regclass('raw.lost') IS NULL FROM raw.kept").fetchone()
        assert found == (1000, True)
        assert rows(shop, "feature-pooled") == 50
        # neither what it was cloned from nor another clone of that was harmed
        for name in ("feature-second", "feature-pooled"):
            shop.do("env", "reset", name, "--yes")
            assert rows(shop, name) == 50
