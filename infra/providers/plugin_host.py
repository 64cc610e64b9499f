"""What plugins may ask of the engine that started them: the `Engine` service, for their messages.

A plugin is given the address as its first argument; many watch it, and end when it no longer answers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dataops.infra.process.private_folder import PrivateFolder
from dataops.infra.providers.protocol import CHANNEL_OPTIONS, load

Log = Callable[[str, str, str], None]
"""Receives a message, its severity and the URN it is about, "" for none; from any thread."""

SOCKET = "engine.sock"
_SEVERITIES = ("debug", "info", "warning", "error")


class PluginHost:
    """Serves `Engine` on a socket that only this user can reach.

    Args:
        log: gets what plugins say; debug messages are left out.
    """

    def __init__(self, log: Log | None) -> None:
        import grpc

        self._log = log
        self._root = ""
        self._folder = PrivateFolder.make(len(SOCKET))
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="plugin-host")
        self._server = grpc.server(self._threads, options=CHANNEL_OPTIONS)
        services = load("engine_pb2_grpc")
        servicer = services.EngineServicer()
        for name in ("Log", "GetRootResource", "SetRootResource", "RequirePulumiVersion"):
            setattr(servicer, name, getattr(self, name))
        services.add_EngineServicer_to_server(servicer, self._server)
        self.address = f"unix:{self._folder.path / SOCKET}"
        self._server.add_insecure_port(self.address)
        self._server.start()

    def Log(self, request: Any, context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        severity = _SEVERITIES[request.severity] if request.severity < len(_SEVERITIES) else "info"
        if self._log is not None and severity != "debug" and request.message:
            self._log(request.message, severity, request.urn)
        return Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:
        return load("engine_pb2").GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:
        self._root = request.urn
        return load("engine_pb2").SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:
        return load("engine_pb2").RequirePulumiVersionResponse()

    def stop(self) -> None:
        """Ends it; may be called again."""
        self._server.stop(None).wait()
        self._threads.shutdown(wait=False)
        self._folder.remove()
