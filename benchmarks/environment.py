"""`env up` of the flights replica, warm, against the same replica made by hand with git, uv and Postgres's own tools.

    python -m benchmarks.environment [--runs 3]

Warm means: the snapshot's golden directory exists and uv has the packages. The peer is what a developer would script
without dataops: `git worktree`, `uv venv` and `uv pip sync`, `initdb`, `pg_restore -j2` of a dump that lies ready
(masking not counted), the lake copied, the service started.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Timed, header, in_turn, run

FLIGHTS = Path(__file__).resolve().parents[1] / "examples" / "flights"
DATAOPS = str(Path(sys.executable).with_name("dataops"))
BRANCH = "feature/x"
REPLICA = "feature-x"
RUNS = 4000


class Platform:
    """The flights platform in a scratch repository, with production, its data and a snapshot.

    Args:
        folder: an empty one.
        more: what `dataops.yaml` says besides.
    """

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder / "flights"
        self.environment = {**os.environ, "DATAOPS_HOME": str(folder / "home")}
        folder.chmod(0o755)  # as root, the Postgres server runs as another user, who must get there
        shutil.copytree(FLIGHTS, self.folder, ignore=shutil.ignore_patterns("__pycache__", ".dataops"))
        with open(self.folder / "dataops.yaml", "a", encoding="utf-8") as declared:
            declared.write(more)
        identity = "-c user.name=Benchmark -c user.email=benchmark@example.com -c commit.gpgsign=false".split()
        for words in (
            ["init", "--quiet", "-b", "main"],
            ["add", "."],
            ["commit", "--quiet", "-m", "platform"],
            ["branch", BRANCH],
        ):
            run(["git", *identity, *words], self.folder, self.environment)
        for command in ("env deploy production --yes", "pipeline run flights --env production", "snapshot capture"):
            self.dataops(*command.split())

    def dataops(self, *words: str) -> float:
        """Seconds that a dataops command takes in this platform."""
        return run([DATAOPS, *words], self.folder, self.environment)

    def ask(self, *words: str) -> Any:
        """What a dataops command answers with `-o json`."""
        command = [DATAOPS, *words, "-o", "json"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def record_runs(self, environment: str, count: int) -> None:
        """Makes up recorded runs of a pipeline with three steps."""
        root = Path(self.ask("env", "status", environment)["root"])
        for number in range(count):
            folder = root / "logs" / "runs" / f"pipeline-{number % 4}" / f"20260101-000000-{number:04x}"
            folder.mkdir(parents=True)
            for name in ("run.json", "extract.log", "load.log", "marts.log"):
                (folder / name).write_text("{}\n")
        os.sync()

    def remove(self) -> None:
        """Takes every environment down."""
        for environment in self.ask("env", "ls"):
            self.dataops("env", "down", environment["name"], "--yes", "--force")


class ByHand:
    """The same replica as a shell script makes it."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.folder = platform, folder
        folder.mkdir(mode=0o755)
        status = platform.ask("env", "status", "production")
        self.binaries = next((Path(platform.environment["DATAOPS_HOME"]) / "postgres").rglob("bin/postgres")).parent
        warehouse, self.lake = status["warehouse"], status["lake"].removeprefix("file://")
        self.as_server = ["setpriv", "--reuid", "dataops-postgres", "--regid", "dataops-postgres", "--clear-groups"]
        if os.geteuid():
            self.as_server = []
        connect = 'import os; print(os.environ["WAREHOUSE_URL"])'
        command = [DATAOPS, "env", "exec", "production", "--", "python", "-c", connect]
        asked = subprocess.run(
            command, cwd=platform.folder, env=platform.environment, capture_output=True, text=True, check=True
        )
        url = asked.stdout.strip()
        self.database = warehouse["database"]
        self.url = url
        self.dump()

    def dump(self) -> float:
        """Seconds of dumping production's warehouse into the folder `dump`."""
        tables = [word for schema in ("raw", "marts") for word in ("-n", schema)]
        options = ["-Fd", "-j2", "-Z1", "-O", "-x", *tables, "-f", str(self.folder / "dump")]
        return run([str(self.binaries / "pg_dump"), *options, self.url], self.folder, self.platform.environment)

    def script(self) -> str:
        """The commands, as a shell script that stops at the first failure."""
        here, pg, server = shlex.quote(str(self.folder)), shlex.quote(str(self.binaries)), shlex.join(self.as_server)
        return f"""
            set -e
            git worktree add --quiet --detach {here}/code {BRANCH}
            uv venv --quiet {here}/venv
            uv pip sync --quiet --python {here}/venv/bin/python {here}/code/requirements.txt
            mkdir {here}/data {here}/socket
            {"chown dataops-postgres " + here + "/data " + here + "/socket" if server else ""}
            cd {here}
            {server} {pg}/initdb -D {here}/data -U postgres -A trust --no-instructions --locale=C -E UTF8 >/dev/null
            {server} {pg}/pg_ctl -D {here}/data -o "-k {here}/socket -c listen_addresses='' -c shared_buffers=64MB" \\
                -l {here}/data/log -w start >/dev/null
            export PGHOST={here}/socket PGUSER=postgres
            {pg}/createdb {self.database}
            {pg}/pg_restore -j2 -O -x -d {self.database} {here}/dump
            {pg}/psql -q -d {self.database} -c 'ANALYZE' -c 'CREATE ROLE developer LOGIN'
            cp -a {shlex.quote(self.lake)} {here}/lake
            cd {here}/code
            PORT=0 WAREHOUSE_URL=postgresql:///{self.database} LAKE_URL=file://{here}/lake \\
                {here}/venv/bin/python -m services.delays_api >/dev/null 2>&1 &
            echo $! >{here}/service.pid
        """

    def up(self) -> float:
        """Seconds to make it; removing the one before is not counted."""
        self.down()
        environment = {**self.platform.environment, "PATH": f"{Path(DATAOPS).parent}:{os.environ['PATH']}"}
        began = time.perf_counter()
        done = subprocess.run(
            ["sh", "-c", self.script()], cwd=self.platform.folder, env=environment, capture_output=True
        )
        took = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"the script by hand ended with {done.returncode}\n{done.stderr.decode()[-2000:]}")
        return took

    def down(self) -> None:
        """Removes it."""
        if (pid := self.folder / "service.pid").exists():
            subprocess.run(["kill", pid.read_text().strip()], capture_output=True)
            pid.unlink()
        if (self.folder / "data").exists():
            stop = [str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-m", "fast", "-w", "stop"]
            subprocess.run([*self.as_server, *stop], cwd=self.folder, capture_output=True)
        for name in ("data", "socket", "lake", "venv"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        if (self.folder / "code").exists():
            command = ["git", "worktree", "remove", "--force", str(self.folder / "code")]
            subprocess.run(command, cwd=self.platform.folder, check=True, capture_output=True)


def compare(runs: int) -> None:
    """Prints `env up` warm and with nothing to do, `env ls` and `env down`, each phase's share, and the peer."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        platform = Platform(Path(name))
        try:
            hand = ByHand(platform, Path(name) / "by-hand")
            first = platform.dataops("env", "up", "--branch", BRANCH)
            up, noop, ls = Timed("env up, warm"), Timed("env up, nothing to do"), Timed("env ls")
            down, peer = Timed("env down"), Timed("by hand: git, uv, initdb, pg_restore")
            reports = []

            def warm() -> float:
                down.seconds.append(platform.dataops("env", "down", REPLICA, "--yes", "--force"))
                began = time.perf_counter()
                reports.append(platform.ask("env", "up", "--branch", BRANCH))
                return time.perf_counter() - began

            contenders = [
                (up, warm),
                (peer, hand.up),
                (noop, lambda: platform.dataops("env", "up", "--branch", BRANCH)),
                (ls, lambda: platform.dataops("env", "ls")),
            ]
            in_turn(runs, contenders)
            hand.down()
            used = Timed(f"env down with {RUNS:,} recorded runs")
            platform.record_runs(REPLICA, RUNS)
            used.seconds.append(platform.dataops("env", "down", REPLICA, "--yes", "--force"))
            header(f"the flights replica, {runs} runs in turn; the very first `env up` took {first:.2f} s")
            print(up.row(peer), peer.row(), noop.row(), ls.row(), down.row(), used.row(), sep="\n")
            print("\n  phases of the last warm `env up` (they overlap)")
            for phase, seconds in reports[-1]["phases"].items():
                print(f"    {phase:<14} {seconds:6.2f} s  {seconds / up.seconds[-1]:5.0%}")
        finally:
            platform.remove()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    compare(parser.parse_args().runs)
