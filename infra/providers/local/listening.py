"""Who answers on a port of loopback: a service of ours, or somebody who was there first."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

from dataops.infra.process.ports import LOOPBACK


def accepts(port: int) -> bool:
    """Whether anybody accepts connections on the port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
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
    """Whether a process, or one below it, is the one that listens on the port; True where that cannot be told."""
    import psutil

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
