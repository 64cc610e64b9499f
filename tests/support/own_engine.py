"""A Docker Engine of a test's own, that may be stopped, started again and filled; as root, where there is a dockerd."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from dataops.infra.errors import DataopsError
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.providers.docker.engine import Engine
from support.docker_engine import left_out

PATIENCE = 60.0
SHELL = "dataops-tests/shell:1"
OPTIONS = ("--bridge=none", "--iptables=false", "--ip-masq=false", "--default-address-pool=base=10.231.0.0/16,size=24")
"""What keeps it from touching the networks of the engine that is there."""


def require_own_engine() -> None:
    """Skips the test where this user may not run an engine; in CI that is an error."""
    why = left_out()
    if not why and (os.geteuid() or shutil.which("dockerd") is None):
        why = "an engine of a test's own needs root and dockerd"
        if os.environ.get("CI") == "true":
            raise RuntimeError(f"tests on an engine of their own cannot be run in CI: {why}")
    if why:
        pytest.skip(why)


@dataclass
class OwnEngine:
    """An engine below a folder.

    Args:
        folder: for its socket and log, with a short path.
        data: where it keeps images.
        entrance: what it is started by, in a network of its own: further options of `unshare`, and a command.
    """

    folder: Path
    data: Path
    entrance: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _clients: list[Engine] = field(default_factory=list, repr=False)

    @property
    def socket(self) -> Path:
        return self.folder / "engine.sock"

    @property
    def host(self) -> str:
        """As `DOCKER_HOST` says it."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """The process that is in its network."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> Engine:
        """A client of it, for the provider."""
        made = Engine({**os.environ, "DOCKER_HOST": self.host})
        self._clients.append(made)
        return made

    def close(self) -> None:
        """Closes what its clients hold open in this thread."""
        for made in self._clients:
            made.client.close()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        places = (f"--data-root={self.data}", f"--exec-root={self.folder}/exec", f"--pidfile={self.folder}/pid")
        with open(self.folder / "log", "ab") as log:
            # in a network of its own: without a bridge an engine removes `docker0`, also when another one uses it
            words = ["unshare", "--net", *self.entrance, "dockerd", f"--host={self.host}", *places, *OPTIONS]
            self._process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(DataopsError):
                DockerEngine(str(self.socket)).version()
                return
            assert self._process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it and its containers."""
        assert self._process is not None
        own = [self._process.pid, *(child.pid for child in psutil.Process(self._process.pid).children(recursive=True))]
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in own:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        (self.folder / "pid").unlink(missing_ok=True)


@contextmanager
def own_engine(data: Path | None = None) -> Iterator[OwnEngine]:
    """An engine for as long as the block lasts; with `data` it keeps images there."""
    folder = Path(tempfile.mkdtemp(prefix="dataops-engine-", dir="/tmp"))
    made = OwnEngine(folder, data or folder / "data")
    made.start()
    try:
        yield made
    finally:
        made.close()
        made.stop()
        for mounted in psutil.disk_partitions(all=True):
            if mounted.mountpoint.startswith(f"{folder}/"):
                subprocess.run(["umount", "--lazy", mounted.mountpoint], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def import_shell(engine: Engine) -> str:
    """An image with a shell and a few commands, made of this machine's own files: a few megabytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(_files("sh", "sleep", "head", "cat")):
            tar.add(os.path.realpath(path), arcname=path.lstrip("/"), recursive=False)
    name, _, tag = SHELL.partition(":")
    engine.client.import_image_from_data(archive.getvalue(), repository=name, tag=tag)
    return SHELL


def _files(*programs: str) -> set[str]:
    found: set[str] = set()
    for program in programs:
        path = shutil.which(program)
        assert path is not None
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout.split()
        found |= {f"/bin/{program}", *(word for word in linked if word[0] == "/")}
    return found
