"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from dataops.infra.errors import ResourceError

LOOPBACK = "127.0.0.1"
# below Linux' range for outgoing connections, so that a stopped server finds its port free when it comes back
LOWEST, HIGHEST = 15000, 32000
ATTEMPTS = 500


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port(excluded: Collection[int] = ()) -> int:
    """A random port of 127.0.0.1 that is free now; who listens must still be ready to lose the race and ask again.

    Raises:
        ResourceError: no free port was found.
    """
    for _ in range(ATTEMPTS):
        port = random.randint(LOWEST, HIGHEST)
        if port not in excluded and is_free(port):
            return port
    raise ResourceError(f"no free port between {LOWEST} and {HIGHEST} on {LOOPBACK}")
