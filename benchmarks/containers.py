"""`env up --target docker` of the flights replica, warm, against its containers started by a plain `docker` script.

    python -m benchmarks.containers [--runs 3] [--count 10] [--python IMAGE] [--lake IMAGE]

Warm means: the image of the code is built and the golden directory exists. The script clones the data, puts the
configuration and one role in, makes the network and starts the very containers of the replica, as `docker inspect`
tells them, and waits until the warehouse and the service answer. It makes no files of variables, checks nothing, grants
nothing and records nothing. Then so many replicas come up one after the other and stay.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.environment import Platform
from benchmarks.measure import Timed, header, in_turn, run, shown
from benchmarks.replicas import proportional_set_size
from dataops.infra.providers.docker.bootstrap import PYTHON, S3

BRANCH, REPLICA, KEPT = "feature/x", "feature-x", "feature/kept"
BOUNDS = {"warm": 10.0, "no-op": 2.0, "ratio": 1.3, "tenth": 1.5}
PATIENCE, SETTLE = 60.0, 5.0
"""Seconds for the script, and until replicas are idle."""


def docker(*words: str) -> str:
    """What a docker command prints."""
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


class ByDocker:
    """The containers of a replica, started by a script; the replica itself must be asleep then."""

    def __init__(self, platform: Platform) -> None:
        status = platform.ask("env", "status", REPLICA)
        self.root = Path(status["root"])
        ids = docker("ps", "-q", "--filter", f"label=io.dataops.root={self.root}").split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids))
        self.containers = sorted(found, key=lambda one: "warehouse" not in one["Name"])
        self.port = status["warehouse"]["port"]
        self.network = self.containers[0]["HostConfig"]["NetworkMode"]
        self.urls = [f"{url}/healthz" for url in status["urls"].values()]
        home = Path(platform.environment["DATAOPS_HOME"])
        self.golden = next(home.rglob("golden.json")).parent
        self.psql = next((home / "postgres").rglob("bin/psql"))
        self.configuration = self.root.parent / "configuration"
        self.configuration.mkdir()
        for path in (self.root / "postgres").iterdir():
            if path.is_file() and path.name != "postmaster.pid" and not path.name.startswith(".s."):
                shutil.copy2(path, self.configuration)
        service = next(one for one in self.containers if any("PGUSER=" in word for word in one["Config"]["Env"]))
        variables = dict(one.split("=", 1) for one in service["Config"]["Env"])
        self.role, self.password = variables["PGUSER"], variables["PGPASSWORD"]
        self.owner = self.containers[0]["Config"]["User"]

    def script(self) -> str:
        """The commands, as a shell script that stops at the first failure."""
        data, lake = shlex.quote(str(self.root / "postgres")), shlex.quote(str(self.root / "lake"))
        role = f"CREATE ROLE {self.role} LOGIN SUPERUSER PASSWORD :'password'"
        starts = [shlex.join(["docker", "run", "--detach", *self._options(one)]) for one in self.containers]
        answers = " && ".join(f"curl -sf -o /dev/null {shlex.quote(url)}" for url in self.urls) or "true"
        ask = shlex.join([str(self.psql), "-qh", str(self.root / "postgres"), "-p", str(self.port), "-U", "postgres"])
        return f"""
            set -e
            cp -a --reflink=auto {shlex.quote(str(self.golden / "postgres"))} {data}
            cp -a --reflink=auto {shlex.quote(str(self.golden / "lake"))} {lake}
            chmod -R u+w {data} {lake}
            cp -a {shlex.quote(str(self.configuration))}/. {data}
            chown -R {self.owner} {data} && chmod 700 {data}
            docker network create {self.network} >/dev/null
            {starts[0]} >/dev/null
            until {ask} -d postgres -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.02; done
            echo "{role}" | {ask} -d postgres -v password="$PASSWORD"
            {"; ".join(f"{start} >/dev/null" for start in starts[1:])}
            until {answers}; do sleep 0.02; done
        """

    def _options(self, one: dict[str, Any]) -> list[str]:
        config, host = one["Config"], one["HostConfig"]
        options = ["--name", one["Name"].lstrip("/"), "--network", self.network, "--user", config["User"]]
        options += ["--workdir", config["WorkingDir"], "--read-only", "--cap-drop=ALL", "--log-driver=none"]
        options += ["--security-opt=no-new-privileges", "--shm-size", str(host["ShmSize"])]
        options += ["--init"] if host.get("Init") else []
        options += [word for place, how in host["Tmpfs"].items() for word in ("--tmpfs", f"{place}:{how}")]
        for mount in host["Mounts"]:
            only = ",readonly" if mount.get("ReadOnly") else ""
            options += ["--mount", f"type=bind,source={mount['Source']},target={mount['Target']}{only}"]
        for port, places in host["PortBindings"].items():
            options += ["--publish", f"{places[0]['HostIp']}:{places[0]['HostPort']}:{port.partition('/')[0]}"]
        for alias in next(iter(one["NetworkSettings"]["Networks"].values())).get("Aliases") or ():
            options += ["--network-alias", alias]
        options += [word for variable in config["Env"] for word in ("--env", variable)]
        entry = config["Entrypoint"] or []
        options += ["--entrypoint", entry[0]] if entry else []
        return [*options, one["Image"], *entry[1:], *(config["Cmd"] or [])]

    def up(self) -> float:
        """Seconds until all containers answer."""
        self.down()
        began = time.perf_counter()
        environment = {**os.environ, "PASSWORD": self.password}
        done = subprocess.run(["sh", "-c", self.script()], env=environment, capture_output=True, timeout=PATIENCE)
        took = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"the script ended with {done.returncode}\n{done.stderr.decode()[-2000:]}")
        return took

    def down(self) -> None:
        """Removes containers, network and data."""
        names = [one["Name"].lstrip("/") for one in self.containers]
        for words in (["rm", "-f", *names], ["network", "rm", self.network]):
            subprocess.run(["docker", *words], capture_output=True)
        for name in ("postgres", "lake"):
            shutil.rmtree(self.root / name, ignore_errors=True)


def memory_of(root: Path) -> int:
    """Bytes of memory that the containers of an environment take, what processes share divided among them."""
    ids = docker("ps", "-q", "--filter", f"label=io.dataops.root={root}").split()
    rows = [line for one in ids for line in docker("top", one, "-o", "pid").splitlines()[1:]]
    return sum(proportional_set_size(int(row)) for row in rows)


def disk_of(folder: Path) -> int:
    """Bytes that a file system has given out below a folder."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def compare(runs: int = 3, count: int = 10, python: str = PYTHON, lake: str = S3) -> None:
    """Prints `env up` warm and with nothing to do, the script, and what many replicas cost."""
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        print("left out: containers, which need a Docker Engine")
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        platform = Platform(Path(name), f'images: {{python: "{python}", lake: "{lake}"}}\n')
        try:
            branches = [KEPT, *(f"load/{number:02}" for number in range(1, count + 1))]
            for branch in branches:
                run(["git", "branch", branch], platform.folder, platform.environment)
            first = _up(platform, KEPT)  # which keeps the image
            up, noop = Timed("env up --target docker, warm"), Timed("env up, nothing to do")
            peer = Timed("by docker run")
            _up(platform, BRANCH)
            script = ByDocker(platform)

            def warm() -> float:
                script.down()
                platform.dataops("env", "down", REPLICA, "--yes", "--force")
                return _up(platform, BRANCH)

            def bare() -> float:
                platform.dataops("env", "sleep", REPLICA)
                return script.up()

            in_turn(runs, [(up, warm), (noop, lambda: _up(platform, BRANCH)), (peer, bare)])
            script.down()
            platform.dataops("env", "down", REPLICA, "--yes", "--force")
            header(f"the flights replica in containers, {runs} runs in turn; the very first took {first:.2f} s")
            print(up.row(peer), noop.row(), peer.row(), sep="\n")
            print(f"  warm {shown(up.median, BOUNDS['warm'])}, nothing to do {shown(noop.median, BOUNDS['no-op'])}")
            print(f"  over the script: {shown(up.median / peer.median, BOUNDS['ratio'])}")
            _many(platform, branches[1:])
        finally:
            platform.remove()


def _up(platform: Platform, branch: str) -> float:
    return platform.dataops("env", "up", "--branch", branch, "--target", "docker")


def _many(platform: Platform, branches: list[str]) -> None:
    took = [_up(platform, branch) for branch in branches]
    roots = [Path(platform.ask("env", "status", branch.replace("/", "-"))["root"]) for branch in branches]
    time.sleep(SETTLE)
    memory, disk = [memory_of(root) / 2**20 for root in roots], [disk_of(root) / 2**20 for root in roots]
    print(f"  {len(branches)} replicas, seconds each: " + " ".join(f"{seconds:.2f}" for seconds in took))
    print(f"  the last over the first: {shown(took[-1] / took[0], BOUNDS['tenth'])}")
    print(f"  MiB of memory each: {min(memory):.0f} to {max(memory):.0f}; of disk: {min(disk):.0f} to {max(disk):.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--python", default=PYTHON, help="the image that code is built on")
    parser.add_argument("--lake", default=S3, help="the image of the lake's server")
    arguments = parser.parse_args()
    compare(arguments.runs, arguments.count, arguments.python, arguments.lake)
