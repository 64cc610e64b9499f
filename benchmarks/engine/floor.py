#!/usr/bin/env python3
"""The least that any engine needs: the program against a monitor that answers at once.

    python -m benchmarks.engine.floor [PROGRAM]

Runs the program as the engine does, but nothing is checked, made or recorded. Prints the seconds that it took.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import Any

from dataops.infra.engine.program import Program, ProgramProcess
from dataops.infra.engine.server import Server
from dataops.infra.providers.protocol import load
from dataops.infra.resources.urn import make_urn

HERE = Path(__file__).resolve().parent
FEATURES = range(11)


class Answering:
    """A monitor that gives every resource back as it came."""

    def __init__(self) -> None:
        self._messages = load("resource_pb2")

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
        return self._messages.DeploymentInfo(supportedFeatures=FEATURES)

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return self._messages.SupportsFeatureResponse(hasSupport=True)

    def RegisterResource(self, request: Any, context: Any) -> Any:
        urn = make_urn("dev", "floor", request.parent or None, request.type, request.name)
        id_ = "id" if request.custom else ""
        return self._messages.RegisterResourceResponse(urn=urn, id=id_, object=request.object)

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        return _empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        return _empty()


class Silent:
    """An engine service that nothing is asked of."""

    def Log(self, request: Any, context: Any) -> Any:
        return _empty()

    def SetRootResource(self, request: Any, context: Any) -> Any:
        return load("engine_pb2").SetRootResourceResponse()

    def GetRootResource(self, request: Any, context: Any) -> Any:
        return load("engine_pb2").GetRootResourceResponse()


def _empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty()


def floor(program: Program, parallel: int = 16) -> float:
    """Seconds that the program takes against a monitor that answers at once."""
    started = time.perf_counter()
    process = ProgramProcess(program, {})
    server = Server(Answering(), Silent(), parallel)
    settings = {
        "address": server.address,
        "project": "floor",
        "stack": "dev",
        "config": {},
        "secrets": [],
        "parallel": parallel,
        "preview": False,
    }
    ended = threading.Event()
    try:
        process.start(settings, lambda line, severity: print(line, end=""), ended.set)
        ended.wait()
        if error := process.error(1):
            raise error
        return time.perf_counter() - started
    finally:
        process.stop()
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, nargs="?", default=HERE / "programs" / "dynamic", metavar="PROGRAM")
    folder = parser.parse_args().program.resolve()
    print(f"{floor(Program('floor', folder, folder)):.2f} s")


if __name__ == "__main__":
    main()
