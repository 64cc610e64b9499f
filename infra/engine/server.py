"""The gRPC server of one deployment, on a socket that only this user can reach."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dataops.infra.providers.protocol import CHANNEL_OPTIONS, load

_LONGEST_PATH = 100


class Server:
    """Serves a monitor and an engine service.

    Args:
        monitor, engine: servicers of `ResourceMonitor` and `Engine`.
        parallel: the program's degree of parallelism; a waiting call needs a thread here.
    """

    def __init__(self, monitor: Any, engine: Any, parallel: int) -> None:
        import grpc

        self._folder = Path(tempfile.mkdtemp(prefix="dataops-"))
        if len(str(self._folder)) > _LONGEST_PATH - len("/engine.sock"):
            self._folder.rmdir()
            self._folder = Path(tempfile.mkdtemp(prefix="dataops-", dir="/tmp"))
        self.address = f"unix:{self._folder / 'engine.sock'}"
        threads = ThreadPoolExecutor(max_workers=max(1, parallel) * 4 + 16, thread_name_prefix="monitor")
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
        shutil.rmtree(self._folder, ignore_errors=True)


def _complete(servicer: Any, generated: type) -> Any:
    """A servicer that answers UNIMPLEMENTED to the methods which ours does not have."""
    complete = generated()
    for name in dir(generated):
        if not name.startswith("_") and hasattr(servicer, name):
            setattr(complete, name, getattr(servicer, name))
    return complete
