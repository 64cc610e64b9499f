"""The engine service: what a program logs, and a few questions it may ask."""

from __future__ import annotations

from typing import Any

from dataops.infra.engine.deployment import Deployment
from dataops.infra.engine.reporting import Reporter
from dataops.infra.providers.protocol import load

_SEVERITIES = ("debug", "info", "warning", "error")


class EngineService:
    """Serves `Engine`."""

    def __init__(self, deployment: Deployment, reporter: Reporter) -> None:
        self._deployment = deployment
        self._report = reporter
        self._messages = load("engine_pb2")
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:
        severity = _SEVERITIES[request.severity]
        late = severity == "error" and self._deployment.cancelled.is_set()
        if severity != "debug" and not late:
            self._report.diagnostic(request.message + "\n", severity, request.urn, request.streamId, request.ephemeral)
        return _empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:
        return self._messages.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:
        self._root = request.urn
        return self._messages.SetRootResourceResponse()

    def StartDebugging(self, request: Any, context: Any) -> Any:
        self._report.info(request.message)
        return _empty()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:
        return self._messages.RequirePulumiVersionResponse()


def _empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty()
