"""Many idle replicas of the flights platform: what each costs, and whether later ones take longer to come up.

    python -m benchmarks.replicas [--count 20]

The snapshot's golden directory exists before the first one is measured. Memory is the proportional set size of a
replica's processes when all replicas are up and idle: what they share is divided among them. Disk is what their files
allocate, files with several names (uv links packages from its cache) counted apart, since every replica shares them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.environment import Platform
from benchmarks.measure import run
from dataops.envs.sweep import processes_of

LINKED = "linked"
"""Files that have several names, such as installed packages."""

SETTLE = 10.0
"""Seconds that the replicas have to become idle before memory is looked at."""


@dataclass
class Replica:
    """One replica: seconds of its `env up`, bytes of memory by kind of process, bytes of disk by folder."""

    name: str
    seconds: float
    root: Path
    memory: Counter[str] = field(default_factory=Counter)
    processes: Counter[str] = field(default_factory=Counter)
    allocated: Counter[str] = field(default_factory=Counter)
    apparent: Counter[str] = field(default_factory=Counter)

    def look(self) -> None:
        """Measures its memory and disk."""
        for pid in processes_of(self.root):
            with contextlib.suppress(psutil.Error, OSError):
                kind = self._kind(psutil.Process(pid))
                self.memory[kind] += proportional_set_size(pid)
                self.processes[kind] += 1
        for folder, _, names in os.walk(self.root):
            part = Path(folder).relative_to(self.root).parts
            for name in names:
                status = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(status.st_mode):
                    kind = LINKED if status.st_nlink > 1 else part[0] if part else "other"
                    self.allocated[kind] += status.st_blocks * 512
                    self.apparent[kind] += status.st_size

    def own(self, sizes: Counter[str]) -> int:
        """Bytes of files that are not shared with others by having several names."""
        return sizes.total() - sizes[LINKED]

    def _kind(self, process: psutil.Process) -> str:
        words, folder = " ".join(process.cmdline()), Path(process.cwd())
        if "dataops.services." in words:
            return "runner"
        if folder == self.root / "supervisor":
            return "supervisor"
        return "postgres" if folder.is_relative_to(self.root / "postgres") else "services"


def proportional_set_size(pid: int) -> int:
    """The memory of a process in bytes, with what it shares divided by the number of those who share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


KINDS = ("postgres", "supervisor", "runner", "services")


def table(replicas: list[Replica]) -> None:
    """Prints a line for each replica, and their sum."""
    names = [*KINDS, "memory", "disk", "apparent", "linked"]
    print(f"\n  {'':<10}{'env up, s':>10}{'processes':>10}" + "".join(f"{name:>11}" for name in names) + "  (MB)")
    for replica in [*replicas, together(replicas)]:
        sizes = [replica.memory[kind] for kind in KINDS]
        sizes += [replica.memory.total(), replica.own(replica.allocated), replica.own(replica.apparent)]
        sizes.append(replica.allocated[LINKED])
        row = "".join(f"{size / 1e6:11.1f}" for size in sizes)
        print(f"  {replica.name:<10}{replica.seconds:10.2f}{replica.processes.total():10}{row}")
    parts = [f"{part} {size / 1e6:.1f}" for part, size in replicas[0].allocated.most_common() if size > 50_000]
    print(f"\n  where the disk of the first goes, MB: {', '.join(parts)}")


def together(replicas: list[Replica]) -> Replica:
    """The sum of all."""
    whole = Replica("together", sum(replica.seconds for replica in replicas), Path())
    for replica in replicas:
        whole.memory += replica.memory
        whole.processes += replica.processes
        whole.allocated += replica.allocated
        whole.apparent += replica.apparent
    return whole


def measure(count: int) -> None:
    """Brings `count` replicas up one after the other, looks at them, and takes them down."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        platform = Platform(Path(scratch))
        try:
            branches = [f"load/{number:02}" for number in range(count + 1)]
            for branch in branches:
                run(["git", "branch", branch], platform.folder, platform.environment)
            platform.dataops("env", "up", "--branch", branches[0])
            platform.dataops("env", "down", "load-00", "--yes")
            replicas = []
            for branch in branches[1:]:
                began = time.perf_counter()
                name = platform.ask("env", "up", "--branch", branch)["name"]
                seconds = time.perf_counter() - began
                replicas.append(Replica(name, seconds, Path(platform.ask("env", "status", name)["root"])))
            listed = min(platform.dataops("env", "ls") for _ in range(5))
            time.sleep(SETTLE)
            before = psutil.cpu_times()
            time.sleep(SETTLE)
            after = psutil.cpu_times()
            busy = (after.user + after.system - before.user - before.system) / SETTLE
            for replica in replicas:
                replica.look()
            down = [platform.dataops("env", "down", replica.name, "--yes") for replica in replicas]
        finally:
            platform.remove()
    print(f"\n{count} idle replicas of the flights platform")
    print("  env up, seconds each: " + " ".join(f"{replica.seconds:.2f}" for replica in replicas))
    for late in (10, count):
        if late <= count:
            print(f"  replica {late} over the first: {replicas[late - 1].seconds / replicas[0].seconds:.2f}")
    print(f"  env ls with all of them: {listed:.2f} s;  env down: {min(down):.2f} to {max(down):.2f} s each")
    print(f"  the whole machine, all of them idle: {busy:.3f} s of processor per second")
    table(replicas)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    measure(parser.parse_args().count)
