"""A Docker Engine that sees none of this machine's folders, as one in a virtual machine: only its socket is here.

It has a network of its own, whose ports of loopback are carried to this machine's as soon as a container has them, and
of what lies in /tmp and in the folders that hold programs and data of platforms it has nothing.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dataops.infra.errors import DataopsError
from dataops.infra.process.docker_engine import DockerEngine
from support.own_engine import OwnEngine

CLONE_NEWNET = 0x40000000
PAUSE = 0.05
ENTRANCE = """
set -e
ip link set lo up
mkdir -p "$1"
mount --rbind "$1" /mnt
for hidden in /tmp /var/lib/dataops; do mkdir -p "$hidden"; mount -t tmpfs none "$hidden"; done
mkdir -p "$1"
mount --rbind /mnt "$1"
shift
exec "$@"
"""


@contextmanager
def apart_engine() -> Iterator[OwnEngine]:
    """An engine apart for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="dataops-engine-", dir="/tmp"))
    made = OwnEngine(folder, folder / "data", ("--mount", "sh", "-c", ENTRANCE, "sh", str(folder)))
    made.start()
    ports = _Ports(made)
    try:
        yield made
    finally:
        ports.close()
        made.close()
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def copy_image(engine: OwnEngine, *names: str) -> None:
    """Gives an engine images that the usual one has."""
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saved:
        load = ["docker", "--host", engine.host, "load", "--quiet"]
        subprocess.run(load, stdin=saved.stdout, check=True, capture_output=True)
    assert saved.returncode == 0


class _Ports:
    """Listens here on the ports that containers have on the engine's loopback."""

    def __init__(self, engine: OwnEngine) -> None:
        self._engine, self._ended = engine, threading.Event()
        self._listening: dict[int, socket.socket] = {}
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(PAUSE):
            with suppress(DataopsError, OSError):
                self._carry(self._published())
        self._carry(set())

    def _published(self) -> set[int]:
        listed = DockerEngine(str(self._engine.socket)).ask("GET", "/containers/json", doing="looking at ports")
        return {port["PublicPort"] for each in listed for port in each["Ports"] if "PublicPort" in port}

    def _carry(self, wanted: set[int]) -> None:
        for port in self._listening.keys() - wanted:
            listener = self._listening.pop(port)
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for port in wanted - self._listening.keys():
            self._listening[port] = socket.create_server(("127.0.0.1", port), backlog=128)
            threading.Thread(target=self._accept, args=(self._listening[port], port), daemon=True).start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                threading.Thread(target=self._connect, args=(here, port), daemon=True).start()

    def _connect(self, here: socket.socket, port: int) -> None:
        with here, suppress(OSError), open(f"/proc/{self._engine.pid}/ns/net") as network:
            # of this thread alone
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            with socket.create_connection(("127.0.0.1", port)) as there:
                back = threading.Thread(target=_pass_on, args=(there, here), daemon=True)
                back.start()
                _pass_on(here, there)
                back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
