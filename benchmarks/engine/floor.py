#!/usr/bin/env python3
"""The least that any engine needs: the program against a monitor that answers at once.

    python -m benchmarks.engine.floor [--ours] [PROGRAM]

Nothing is checked, made or recorded. The SDK runs as it is, as the language host of the `pulumi` CLI starts it; with
`--ours` it runs as our engine runs it, spared some of its own work. Prints the seconds that it took.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from dataops.infra.engine.program import Program, ProgramProcess
from dataops.infra.engine.server import Server
from dataops.infra.providers.protocol import load
from dataops.infra.resources.urn import make_urn

HERE = Path(__file__).resolve().parent
PLAIN = """
import asyncio, logging, os, runpy, sys
from concurrent.futures import ThreadPoolExecutor
import pulumi, pulumi.runtime
address, folder, parallel = sys.argv[1:]
pulumi.runtime.configure(pulumi.runtime.Settings(
    monitor=address, engine=address, project="floor", stack="dev", parallel=int(parallel), dry_run=False,
    organization="organization", root_directory=folder))
os.chdir(folder)
sys.path.insert(0, folder)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.set_default_executor(ThreadPoolExecutor(max_workers=int(parallel) * 4))
loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: runpy.run_path(folder, run_name="__main__")))
"""
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


def plain_floor(folder: Path, parallel: int = 16) -> float:
    """Seconds that a program takes on the SDK as it is, against a monitor that answers at once."""
    started = time.perf_counter()
    server = Server(Answering(), Silent())
    try:
        command = [sys.executable, "-u", "-c", PLAIN, server.address, str(folder), str(parallel)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - started
    finally:
        server.stop()


def floor(program: Program, parallel: int = 16) -> float:
    """Seconds that the program takes as our engine runs it, against a monitor that answers at once."""
    started = time.perf_counter()
    process = ProgramProcess(program, {})
    server = Server(Answering(), Silent())
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
    parser.add_argument("--ours", action="store_true", help="run the program as our engine does")
    asked = parser.parse_args()
    folder = asked.program.resolve()
    took = floor(Program("floor", folder, folder)) if asked.ours else plain_floor(folder)
    print(f"{took:.2f} s")


if __name__ == "__main__":
    main()
