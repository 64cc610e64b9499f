"""The gRPC server of one deployment, on a socket that only this user can reach."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dataops.infra.process.private_folder import PrivateFolder
from dataops.infra.providers.protocol import CHANNEL_OPTIONS, load

SOCKET = "engine.sock"

_MOST_THREADS = 10_000
"""A call holds a thread until it is answered, and one that has a component made is answered after other calls: were
there fewer threads than such calls, all would wait for ever. A thread is only made when none is idle; how much is done
at once is bounded by the executor."""


class Server:
    """Serves a monitor and an engine service.

    Args:
        monitor, engine: servicers of `ResourceMonitor` and `Engine`.
    """

    def __init__(self, monitor: Any, engine: Any) -> None:
        import grpc

        self._folder = PrivateFolder.make(len(SOCKET))
        self.address = f"unix:{self._folder.path / SOCKET}"
        threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="monitor")
        self._threads = threads
        self._server = grpc.server(threads, options=CHANNEL_OPTIONS)
        load("resource_pb2_grpc").add_ResourceMonitorServicer_to_server(
            _complete(monitor, load("resource_pb2_grpc").ResourceMonitorServicer), self._server
        )
        load("engine_pb2_grpc").add_EngineServicer_to_server(
            _complete(engine, load("engine_pb2_grpc").EngineServicer), self._server
        )
        self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        """Ends the server; calls under way are cut off."""
        self._server.stop(None).wait()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._folder.remove()


def _complete(servicer: Any, generated: type) -> Any:
    """A servicer that answers UNIMPLEMENTED to the methods which ours does not have."""
    complete = generated()
    for name in dir(generated):
        if not name.startswith("_") and hasattr(servicer, name):
            setattr(complete, name, getattr(servicer, name))
    return complete
