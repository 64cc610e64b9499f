"""Callbacks: functions in the program that the engine calls, for transforms and hooks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.protocol import CHANNEL_OPTIONS, load


class Callbacks:
    """Connections to the callback servers of the program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: dict[str, Any] = {}
        self._stubs: dict[str, Any] = {}

    def caller(self, callback: Any) -> Callable[[bytes], bytes]:
        """What calls a `Callback` of the protocol: takes a serialized message, gives the serialized answer."""
        stub, token = self._stub(callback.target), callback.token

        def call(message: bytes) -> bytes:
            import grpc

            request = load("callback_pb2").CallbackInvokeRequest(token=token, request=message)
            try:
                answer: bytes = stub.Invoke(request).response
            except grpc.RpcError as error:
                raise ResourceError(error.details() or "a callback of the program failed") from None
            return answer

        return call

    def close(self) -> None:
        """Ends the connections."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
            self._stubs.clear()

    def _stub(self, target: str) -> Any:
        import grpc

        with self._lock:
            if target not in self._stubs:
                channel = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)
                self._channels[target] = channel
                self._stubs[target] = load("callback_pb2_grpc").CallbacksStub(channel)
            return self._stubs[target]
