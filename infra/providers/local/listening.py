"""Who answers on a port of loopback: a service of ours, or somebody who was there first."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

from dataops.infra.process.containers import SHIM
from dataops.infra.process.ports import LOOPBACK
from dataops.infra.process.processes import command_line

HANGS_UP_SECONDS = 0.1


def accepts(port: int) -> bool:
    """Whether anybody accepts connections on the port.

    The engine accepts them for a container before anybody does inside, and then hangs up at once.
    """
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as opened:
            opened.settimeout(HANGS_UP_SECONDS)
            try:
                return bool(opened.recv(1))
            except TimeoutError:
                return True
    except OSError:
        return False


def answers(port: int, health: str) -> bool:
    """Whether whoever listens answers `health` with a status below 400; with "", whether it accepts connections."""
    if not health:
        return accepts(port)
    # a proxy of the user's environment must not be asked about loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{LOOPBACK}:{port}{health}", timeout=2) as response:
            return bool(response.status < 400)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (OSError, ValueError):
        return False


def listens(pid: int, port: int) -> bool:
    """Whether a process, or one below it, is the one that listens on the port; True where that cannot be told.

    What stands for a container listens when its container does.
    """
    import psutil

    if str(SHIM) in command_line(pid):  # then it is the engine, which does not start a container without its port
        return True
    try:
        process = psutil.Process(pid)
        for candidate in (process, *process.children(recursive=True)):
            for found in candidate.net_connections(kind="tcp"):
                if found.status == psutil.CONN_LISTEN and found.laddr.port == port:
                    return True
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
    return False
