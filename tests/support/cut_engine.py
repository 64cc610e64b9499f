"""A socket of the Docker Engine that goes away after some requests, as that of an engine does which is restarted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = "/var/run/docker.sock"


@contextmanager
def forwarding(path: Path, requests: int) -> Iterator[None]:
    """A socket that is gone after so many pieces of what clients send."""
    server, left = socket.socket(socket.AF_UNIX), [requests]
    ends: list[socket.socket] = [server]
    threads: list[threading.Thread] = []
    server.bind(str(path))
    server.listen()

    def run(target: Callable[..., None], *args: object) -> None:
        threads.append(threading.Thread(target=target, args=args))
        threads[-1].start()

    def carry(source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                left[0] -= counted
                if counted and left[0] < 0:
                    break
                sink.sendall(piece)
        hang_up(source, sink)

    def accept() -> None:
        with suppress(OSError):
            while True:
                inner, outer = server.accept()[0], socket.socket(socket.AF_UNIX)
                ends.extend((inner, outer))
                outer.connect(SOCKET)
                run(carry, inner, outer, True)
                run(carry, outer, inner, False)

    run(accept)
    try:
        yield
    finally:
        hang_up(server)
        threads[0].join()
        hang_up(*ends)
        for thread in threads:
            thread.join()
        for end in ends:
            end.close()


def hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
