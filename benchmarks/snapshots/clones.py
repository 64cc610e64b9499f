"""Clones of databases of 1, 5 and 10 GB on a reflink pool and by copying, against the bounds that they must keep.

    python -m benchmarks.snapshots.clones [--sizes 1,5,10] [--together 25] [--kind xfs|btrfs] [--below FOLDER]

As root, since it mounts a pool.

Per size a database of one large table is made by `generate_series` in the pool and removed afterwards. *To the first
query* is the time from nothing to an indexed SELECT on that table and a committed UPDATE: clone, configure, start,
connect, both statements. A reset stops the server, removes the data and does the same again; a restart stops it, starts
it and runs the same statements. Disk is what the pool's `df` says, everything synced. One per cent is a range of keys,
as a day of data is.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.measure import verdict
from benchmarks.replicas import proportional_set_size
from dataops.envs.pool import PoolRequest, create, remove
from dataops.envs.sweep import processes_of
from dataops.infra.process import postgres_server
from dataops.infra.process.cloning import make_clonable
from dataops.infra.process.postgres_binaries import PostgresBinaries, install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import ServerUser, server_user
from dataops.snapshots.restore import SERVER_SETTINGS

GIGABYTE = 10**9
ROWS = 950_000
"""Rows of the table per gigabyte, of about a kilobyte each."""

BOUNDS = {"first query": 1.0, "reset over restart": 0.5, "disk": 64.0, "growth": 5.0, "flat": 1.2}


@dataclass
class Figures:
    """What was measured of one size: seconds, bytes."""

    size: int
    first: list[float] = field(default_factory=list)
    cloned: list[float] = field(default_factory=list)
    reset: list[float] = field(default_factory=list)
    restart: list[float] = field(default_factory=list)
    disk: int = 0
    growth: int = 0
    copied: float = 0.0
    technique: str = ""


@dataclass(frozen=True)
class Bench:
    """Where things lie, and what servers are run with."""

    binaries: PostgresBinaries
    user: ServerUser
    pool: Path
    plain: Path

    def build(self, gigabytes: int) -> Path:
        """A golden directory with so many gigabytes."""
        data = self.pool / f"golden-{gigabytes}"
        make_clonable(data)
        postgres_server.initialize(data, self.binaries, self.user, sync=False)
        with (
            postgres_server.temporary_server(data, self.binaries, self.user, settings=SERVER_SETTINGS) as server,
            connect(server) as session,
        ):
            with session.transaction():
                session.execute(b"CREATE TABLE facts (id bigint, amount int, filler text)")
                rows = f"SELECT n, 0, repeat(md5(n::text), 30) FROM generate_series(1, {ROWS * gigabytes}) n"
                session.execute(f"INSERT INTO facts {rows}".encode())
            session.execute(b"ALTER TABLE facts ADD PRIMARY KEY (id)")
            session.execute(b"VACUUM (FREEZE, ANALYZE) facts")
        postgres_server.trim_log(data, self.binaries)
        os.sync()
        return data

    def first_query(self, data: Path, key: int) -> float:
        """Starts the server of a clone, reads a row by its key and commits a change to it; the moment that it has."""
        with postgres_server.temporary_server(data, self.binaries, self.user) as server, connect(server) as session:
            session.execute(f"SELECT filler FROM facts WHERE id = {key}".encode()).fetchone()
            session.execute(f"UPDATE facts SET amount = amount + 1 WHERE id = {key}".encode())
            return time.perf_counter()

    def measure(self, gigabytes: int, runs: int) -> Figures:
        """Everything about one size."""
        golden = self.build(gigabytes)
        found = Figures(sum(path.stat().st_size for path in (golden / "base").rglob("*")))
        clone = self.pool / "clone"
        for run in range(runs):
            before = used(self.pool)
            began = time.perf_counter()
            found.technique = postgres_server.clone(golden, clone).technique
            found.cloned.append(time.perf_counter() - began)
            found.first.append(self.first_query(clone, 1000 * run + 7) - began)
            found.disk = max(found.disk, used(self.pool) - before)
            began = time.perf_counter()
            found.restart.append(self.first_query(clone, 1000 * run + 8) - began)
            began = time.perf_counter()
            postgres_server.remove(clone)
            postgres_server.clone(golden, clone)
            found.reset.append(self.first_query(clone, 1000 * run + 9) - began)
            if run == runs - 1:
                found.growth = self.change(clone, ROWS * gigabytes // 100)
            postgres_server.remove(clone)
        began = time.perf_counter()
        copy = self.plain / "copy"
        postgres_server.clone(golden, copy)
        found.copied = self.first_query(copy, 7) - began
        postgres_server.remove(copy)
        postgres_server.remove(golden)
        return found

    def together(self, gigabytes: int, count: int) -> None:
        """Makes many clones of one golden directory at once, each with its server, and prints what each costs."""
        golden = self.build(gigabytes)
        before, began = used(self.pool), time.perf_counter()
        with ThreadPoolExecutor(count) as threads:
            all_up, over = threading.Barrier(count + 1), threading.Event()

            def live(number: int) -> tuple[float, int]:
                """Seconds to the first query, and bytes of memory when all are up."""
                clone = self.pool / f"replica-{number}"
                postgres_server.clone(golden, clone)
                with postgres_server.temporary_server(clone, self.binaries, self.user) as server:
                    with connect(server) as session:
                        session.execute(f"SELECT filler FROM facts WHERE id = {number * 1000 + 7}".encode()).fetchone()
                        session.execute(f"UPDATE facts SET amount = 1 WHERE id = {number * 1000 + 7}".encode())
                        took = time.perf_counter() - began
                        all_up.wait()
                        memory = sum(map(proportional_set_size, processes_of(clone)))
                        over.wait()
                return took, memory

            running = [threads.submit(live, number) for number in range(count)]
            all_up.wait()
            whole, disk = time.perf_counter() - began, used(self.pool) - before
            over.set()
            found = [future.result() for future in running]
        print(f"\n{count} replicas of {gigabytes} GB at once: all answer after {whole:.1f} s")
        print(f"  each to its first query, s: {' '.join(f'{took:.1f}' for took, _ in sorted(found))}")
        print(f"  memory of each, MiB: {' '.join(f'{memory / 2**20:.0f}' for _, memory in found)}")
        print(f"  disk, on average: {disk / count / 2**20:.1f} MiB of {gigabytes} GB")
        for number in range(count):
            postgres_server.remove(self.pool / f"replica-{number}")
        postgres_server.remove(golden)

    def change(self, clone: Path, rows: int) -> int:
        """Changes so many rows of a clone; the bytes that it then takes more, log and checkpoint included."""
        before = used(self.pool)
        with postgres_server.temporary_server(clone, self.binaries, self.user) as server, connect(server) as session:
            session.execute(f"UPDATE facts SET amount = amount + 1 WHERE id <= {rows}".encode())
            session.execute(b"CHECKPOINT")
        return used(self.pool) - before


def used(pool: Path) -> int:
    """Bytes that the pool's `df` says are taken, everything synced."""
    os.sync()
    found = os.statvfs(pool)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def report(found: Figures) -> Figures:
    """Prints every figure of one size with its bound; medians of the runs, of disk the most."""
    first, over = median(found.first), median(found.reset) - median(found.restart)
    disk, growth = found.disk / 2**20, 100 * found.growth / found.size
    print(f"\n{found.size / GIGABYTE:.1f} GB, cloned by {found.technique}")
    print(f"  clone                            {median(found.cloned):8.2f} s")
    print(f"  clone to first query             {first:8.2f} s   {verdict(first, BOUNDS['first query'])}")
    print(f"  the same by copying              {found.copied:8.2f} s   {found.copied / first:.0f} x")
    print(f"  restart to first query           {median(found.restart):8.2f} s")
    print(f"  reset, more than a restart       {over:8.2f} s   {verdict(over, BOUNDS['reset over restart'])}")
    print(f"  disk of a clone                  {disk:8.1f} MiB {verdict(disk, BOUNDS['disk'])}")
    print(f"  growth by changing 1 % of rows   {growth:8.1f} %   {verdict(growth, BOUNDS['growth'])}")
    return found


def report_flatness(figures: list[Figures]) -> None:
    """Prints whether a clone takes the same time whatever its size."""
    medians = [median(found.first) for found in figures]
    flat = max(medians) / min(medians)
    print(f"\nslowest over fastest size          {flat:8.2f}     {verdict(flat, BOUNDS['flat'])}")


def compare(sizes: list[int], kind: str = "xfs", below: Path = Path("/tmp"), runs: int = 5, together: int = 25) -> None:
    """Measures every size in a pool that is made for it and removed afterwards, and prints the figures.

    Args:
        together: how many clones of 5 GB, or of the largest size if that is less, are made at once.
    """
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dataops-bench-", dir=below)))
        place.chmod(0o755)
        size = max(sizes) * 2 * GIGABYTE + 2 * GIGABYTE
        owner = (os.geteuid(), os.getegid())
        pool = create(PoolRequest(size, kind, owner=owner), place).pool
        stack.callback(remove, place)
        user = server_user()
        bench = Bench(install_binaries(place, user), user, pool.mount, place)
        report_flatness([report(bench.measure(gigabytes, runs)) for gigabytes in sizes])
        if together:
            bench.together(min(5, max(sizes)), together)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1,5,10", help="gigabytes, separated by commas")
    parser.add_argument("--kind", choices=["xfs", "btrfs"], default="xfs")
    parser.add_argument("--below", type=Path, default=Path("/tmp"), help="where the pool's image and the copies lie")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--together", type=int, default=25, help="clones at once; 0 for none")
    given = parser.parse_args()
    compare([int(text) for text in given.sizes.split(",")], given.kind, given.below, given.runs, given.together)
