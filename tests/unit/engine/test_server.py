"""The engine's server answers, however many calls wait for others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from dataops.infra.engine.server import Server
from dataops.infra.providers.protocol import load

HELD = 300


class Constructing:
    """A monitor of which each `Call` waits for another call, as a remote component waits for its children."""

    def __init__(self) -> None:
        self.all_there = threading.Semaphore(0)
        self.children_made = threading.Event()

    def Call(self, request: Any, context: Any) -> Any:
        self.all_there.release()
        assert self.children_made.wait(60)
        return load("provider_pb2").CallResponse()

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return load("resource_pb2").SupportsFeatureResponse(hasSupport=True)


def test_calls_that_wait_for_other_calls_never_take_the_last_thread() -> None:
    monitor = Constructing()
    server = Server(monitor, object())
    try:
        with grpc.insecure_channel(server.address) as channel, ThreadPoolExecutor(8) as pool:
            stub = load("resource_pb2_grpc").ResourceMonitorStub(channel)
            constructs = [stub.Call.future(load("resource_pb2").ResourceCallRequest()) for _ in range(HELD)]
            assert all(monitor.all_there.acquire(timeout=30) for _ in range(HELD))
            ask = load("resource_pb2").SupportsFeatureRequest(id="secrets")
            answers = list(pool.map(lambda _: stub.SupportsFeature(ask, timeout=30).hasSupport, range(HELD)))
            monitor.children_made.set()
            assert all(answers) and len([construct.result(timeout=30) for construct in constructs]) == HELD
    finally:
        monitor.children_made.set()
        server.stop()
