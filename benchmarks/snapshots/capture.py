"""Capturing and restoring, against `pg_dump -Fd -j2 -Z1`, `pg_restore -j2`, `createdb -T` and `cp -a`.

    python -m benchmarks.snapshots.capture [--rows 2000000] [--runs 3] [--only wide|flights]

*wide* is one table of ten columns of which one, an e-mail address, is masked; every address stands in ten rows, and
then in one. *flights* is the production of the example, all tables of it. Both sides read the same server. What is
restored are the rows of *wide*, on a server with the same settings; the golden directory has besides `initdb`, a frozen
and analysed database, every row counted, and everything on the disk: a second peer does all of that, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.environment import ByHand, Platform
from benchmarks.measure import Most, Timed, header, in_turn, run, shown
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform as Declared
from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import PostgresBinaries, install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import ServerUser, server_user
from dataops.snapshots.capture import capture
from dataops.snapshots.golden import ensure_golden, remove_golden
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.references import References
from dataops.snapshots.restore import SERVER_SETTINGS
from dataops.snapshots.store import list_snapshots

DATABASE = "bench"
DECLARED = Declared.model_validate(
    {
        "apiVersion": "dataops/v1",
        "name": "bench",
        "stores": {"warehouse": {"database": DATABASE}},
        "masking": {
            "tables": {
                "public.orders": {
                    "keep": ["id", "placed", "amount", "currency", "status", "country", "quantity", "note", "token"],
                    "email": "email",
                }
            }
        },
    }
)
BOUNDS = {"capture": 1.0, "flights": 0.3, "restore": 0.8, "added": 0.03, "memory": 512.0}


@dataclass(frozen=True)
class Bench:
    """A running server with the table *wide*, and a store for its snapshots."""

    folder: Path
    binaries: PostgresBinaries
    user: ServerUser
    connection: dict[str, Any]

    @property
    def layout(self) -> PlatformLayout:
        """Where snapshots go."""
        return PlatformLayout(self.folder, "store")

    def fill(self, rows: int, repeated: int) -> int:
        """Makes the table, every address in so many rows; the bytes of its rows as text."""
        with connect(self.connection, DATABASE) as session:
            session.execute(b"DROP TABLE IF EXISTS orders")
            people = rows // repeated
            session.execute(
                f"""
                CREATE TABLE orders AS
                SELECT n AS id, 'ada.lovelace' || (n * 7919 % {people}) || '@host' || (n % 50) || '.org' AS email,
                       timestamptz '2026-01-01 UTC' + n * interval '7 s' AS placed, (n * 37 % 100000) / 100.0 AS amount,
                       (ARRAY['EUR', 'USD', 'GBP'])[1 + n % 3] AS currency,
                       (ARRAY['new', 'paid', 'sent', 'returned'])[1 + n % 4] AS status,
                       (ARRAY['DE', 'FR', 'US', 'GB', 'IN'])[1 + n % 5] AS country, (n % 9)::int AS quantity,
                       md5(n::text) || ' ' || md5((n * 3)::text) AS note, md5((n * 5)::text)::uuid AS token
                FROM generate_series(1::bigint, {rows}) n
                """.encode()
            )
            session.execute(b"ALTER TABLE orders ADD PRIMARY KEY (id)")
            session.execute(b"CREATE INDEX ON orders (email)")
            session.execute(b"CREATE INDEX ON orders (placed)")
            session.execute(b"VACUUM (FREEZE, ANALYZE) orders")
            row = session.execute(b"SELECT sum(length(o::text)) FROM orders o").fetchone()
            assert row is not None
            return int(row[0])

    def capture(self) -> tuple[Manifest, float]:
        """Takes a snapshot, and how many seconds that took."""
        began = time.perf_counter()
        lake = self.folder / "lake"
        manifest = capture(DECLARED, self.connection, DATABASE, lake, self.layout, "c0ffee", "production")
        return manifest, time.perf_counter() - began

    def capture_anew(self) -> float:
        """Seconds of a capture into an empty store."""
        shutil.rmtree(self.layout.snapshots, ignore_errors=True)
        return self.capture()[1]

    def dump(self) -> float:
        """Seconds of `pg_dump -Fd -j2 -Z1` into `dump`."""
        shutil.rmtree(self.folder / "dump", ignore_errors=True)
        return self._tool("pg_dump", "-Fd", "-j2", "-Z1", "-f", str(self.folder / "dump"), DATABASE)

    def golden(self, manifest: Manifest) -> float:
        """Seconds to build the golden directory of a snapshot; it stays."""
        began = time.perf_counter()
        ensure_golden(manifest, self.layout)
        return time.perf_counter() - began

    def forget_golden(self) -> None:
        """Removes every golden directory."""
        for place in self.layout.golden.glob("*"):
            if place.is_dir():
                remove_golden(place)

    def restore(self) -> float:
        """Seconds of `pg_restore -j2` of `dump` into a new server with the settings of a golden restore."""
        return self._restored()[0]

    def restore_ready(self) -> float:
        """Seconds until what a golden directory is has been made with Postgres's own tools.

        A cluster is made, `dump` restored, frozen and analysed; the server is stopped and all of it on the disk.
        """
        return self._restored()[1]

    def _restored(self) -> tuple[float, float]:
        data, began = self.folder / "restored", time.perf_counter()
        try:
            postgres_server.initialize(data, self.binaries, self.user, sync=False)
            with (
                postgres_server.temporary_server(data, self.binaries, self.user, settings=SERVER_SETTINGS) as server,
                connect(server) as session,
            ):
                session.execute(f"CREATE DATABASE {DATABASE}".encode())
                took = self._tool("pg_restore", "-j2", "-d", DATABASE, str(self.folder / "dump"), server=server)
                self._tool("vacuumdb", "--freeze", "--analyze", "-j2", "-q", DATABASE, server=server)
            for folder, _, names in os.walk(data):
                for path in (folder, *(os.path.join(folder, name) for name in names)):
                    descriptor = os.open(path, os.O_RDONLY)
                    os.fsync(descriptor)
                    os.close(descriptor)
            return took, time.perf_counter() - began
        finally:
            postgres_server.remove(data)

    def template(self) -> float:
        """Seconds of `createdb -T`, the way of those who have one server."""
        took = self._tool("createdb", "-T", DATABASE, "copy")
        self._tool("dropdb", "copy")
        return took

    def copy(self, manifest: Manifest) -> float:
        """Seconds of `cp -a` of the golden directory."""
        source = ensure_golden(manifest, self.layout).data_directory
        took = run(["cp", "-a", str(source), str(self.folder / "copy")], self.folder, os.environ)
        postgres_server.remove(self.folder / "copy")
        return took

    def _tool(self, name: str, *words: str, server: dict[str, Any] | None = None) -> float:
        at = server or self.connection
        options = [f"--host={at['host']}", f"--port={at['port']}", f"--username={at['user']}"]
        return run([str(self.binaries.path(name)), *options, *words], self.folder, os.environ)


@contextmanager
def bench_server(below: Path) -> Iterator[Bench]:
    """A server with an empty database, gone afterwards with all that was made beside it."""
    with tempfile.TemporaryDirectory(prefix="dataops-bench-", dir=below, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "lake").mkdir()
        user = server_user()
        binaries = install_binaries(folder, user)
        data = folder / "source"
        postgres_server.initialize(data, binaries, user, sync=False)
        settings = {**SERVER_SETTINGS, "wal_level": "replica"}
        with postgres_server.temporary_server(data, binaries, user, settings=settings) as server:
            with connect(server) as session:
                session.execute(f"CREATE DATABASE {DATABASE}".encode())
            yield Bench(folder, binaries, user, server)


def captures_memory() -> float:
    """Bytes that this process and those that it started take together, Postgres's own apart.

    Shared pages are divided among those who share them.
    """
    me, total = psutil.Process(), 0
    for process in (me, *me.children(recursive=True)):
        try:
            if process.name() not in ("postgres", "pg_dump"):
                total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def wide(rows: int, runs: int, below: Path) -> None:
    """Captures and restores the table *wide*."""
    with bench_server(below) as bench:
        for repeated in (10, 1):
            size = bench.fill(rows, repeated)
            ours, peer = Timed("capture"), Timed("pg_dump -Fd -j2 -Z1")
            before = captures_memory()
            with Most(captures_memory) as memory:
                in_turn(runs, [(ours, bench.capture_anew), (peer, bench.dump)])
            header(f"{rows:,} rows of ten columns, {size / 1e6:,.0f} MB of text; an address in {repeated} of them")
            print(ours.row(peer), peer.row(), sep="\n")
            print(f"  {size / 1e6 / ours.median:.0f} MB/s; throughput over pg_dump's: ", end="")
            print(shown(peer.median / ours.median, BOUNDS["capture"], least=True))
            print(f"  memory of the capture, MiB: {shown((memory.value - before) / 2**20, BOUNDS['memory'])}")
            stored, dumped = used(bench.layout.snapshots) / 1e6, used(bench.folder / "dump") / 1e6
            print(f"  stored {stored:,.0f} MB, dumped {dumped:,.0f} MB")
        (manifest,) = list_snapshots(bench.layout)
        again(bench, manifest)
        restoring(bench, manifest, runs)


def again(bench: Bench, first: Manifest) -> None:
    """Captures again after one row in a hundred has changed."""
    stored = References(bench.layout.snapshots).shares(first.id).stored
    with connect(bench.connection, DATABASE) as session:
        session.execute(b"UPDATE orders SET amount = amount + 1 WHERE id % 100 = 7")
    second, took = bench.capture()
    added = References(bench.layout.snapshots).shares(second.id).own
    print(f"  again, one row in a hundred changed: {took:.2f} s; stored more, of the first: ", end="")
    print(shown(added / stored, BOUNDS["added"]))


def restoring(bench: Bench, manifest: Manifest, runs: int) -> None:
    """Builds the golden directory, against Postgres's own tools."""
    golden, peer = Timed("golden directory"), Timed("pg_restore -j2 alone, same settings")
    ready = Timed("initdb, pg_restore -j2, vacuumdb, stopped, on the disk")
    template, copy = Timed("createdb -T"), Timed("cp -a of the golden directory")

    def once() -> float:
        bench.forget_golden()
        return bench.golden(manifest)

    contenders = [
        (golden, once),
        (peer, bench.restore),
        (ready, bench.restore_ready),
        (template, bench.template),
        (copy, lambda: bench.copy(manifest)),
    ]
    in_turn(runs, contenders)
    header("restoring the same table")
    print(golden.row(peer), peer.row(), ready.row(), template.row(), copy.row(), sep="\n")
    print(f"  golden directory over pg_restore alone: {shown(golden.median / peer.median, BOUNDS['restore'])}")
    print(f"  over the same work with Postgres's tools: {shown(golden.median / ready.median, BOUNDS['restore'])}")


def flights(runs: int) -> None:
    """Captures the production of the example."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        platform = Platform(Path(name))
        try:
            hand = ByHand(platform, Path(name) / "by-hand")

            def dump() -> float:
                shutil.rmtree(hand.folder / "dump")
                return hand.dump()

            def once() -> float:
                for snapshot in platform.ask("snapshot", "ls"):
                    platform.dataops("snapshot", "rm", snapshot["id"], "--yes")
                return platform.dataops("snapshot", "capture")

            ours, peer = Timed("snapshot capture, from the command line"), Timed("pg_dump -Fd -j2 -Z1")
            in_turn(runs, [(ours, once), (peer, dump)])
            header("the flights database")
            print(ours.row(peer), peer.row(), sep="\n")
            print(f"  throughput over pg_dump's: {shown(peer.median / ours.median, BOUNDS['flights'], least=True)}")
        finally:
            platform.remove()


def used(path: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def compare(rows: int = 2_000_000, runs: int = 3, below: Path = Path("/tmp"), only: str = "") -> None:
    """Measures all of it and prints the figures."""
    if only in ("", "wide"):
        wide(rows, runs, below)
    if only in ("", "flights"):
        flights(runs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--below", type=Path, default=Path("/tmp"), help="where the server and the store lie")
    parser.add_argument("--only", choices=["wide", "flights"], default="")
    given = parser.parse_args()
    compare(given.rows, given.runs, given.below, given.only)
