"""Talking to a running supervisord: XML-RPC over its unix socket."""

from __future__ import annotations

import socket
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError

TIMEOUT = 30.0

# fault codes of supervisor.xmlrpc.Faults
BAD_NAME = 10
NOT_RUNNING = 70
ALREADY_STARTED = 60
ALREADY_ADDED = 90
STILL_RUNNING = 91


@dataclass(frozen=True, slots=True)
class ProgramState:
    """A program as supervisord sees it.

    Args:
        state: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN; RUNNING only after a second.
        pid: its process id, 0 when there is no process.
        problem: why it could not be started, "" when it could.
    """

    name: str
    state: str
    pid: int
    problem: str

    @property
    def up(self) -> bool:
        """Whether there is a process now."""
        return self.state in ("STARTING", "RUNNING") and self.pid > 0


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._opened: list[HTTPConnection] = []

    def make_connection(self, host: Any) -> HTTPConnection:
        self._opened.append(_UnixConnection(self._path))
        return self._opened[-1]

    def close(self) -> None:
        super().close()
        while self._opened:
            self._opened.pop().close()


class SupervisorClient:
    """Calls to one supervisord. Each opens its own connection, so one client may serve several threads.

    Every method raises `ResourceError` when supervisord does not answer or refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def call(self, method: str, *arguments: Any, tolerated: tuple[int, ...] = ()) -> Any:
        """Calls `supervisor.<method>`; faults with a `tolerated` code give None."""
        try:
            with self._connected() as server:
                return getattr(server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in tolerated:
                return None
            raise ResourceError(f"supervisord refused {method}: {fault.faultString}") from fault
        except (OSError, HTTPException, xmlrpc.client.Error) as error:
            raise ResourceError(f"supervisord does not answer on {self._path}") from error

    @contextmanager
    def _connected(self) -> Iterator[xmlrpc.client.ServerProxy]:
        transport = _UnixTransport(self._path)
        server = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            yield server
        finally:
            transport.close()

    def answers(self) -> bool:
        """Whether supervisord is there and works."""
        try:
            return bool(self.call("getState")["statename"] == "RUNNING")
        except ResourceError:
            return False

    def state(self, name: str) -> ProgramState | None:
        """The state of a program; None when supervisord does not know it."""
        info = self.call("getProcessInfo", name, tolerated=(BAD_NAME,))
        return None if info is None else _state(info)

    def states(self) -> list[ProgramState]:
        """The states of all programs."""
        return [_state(info) for info in self.call("getAllProcessInfo")]


def _state(info: dict[str, Any]) -> ProgramState:
    return ProgramState(info["name"], info["statename"], int(info["pid"]), str(info["spawnerr"]))
