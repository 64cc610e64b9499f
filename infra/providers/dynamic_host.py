"""Serves the dynamic providers of a program: run by the program's interpreter, never imported.

The SDK's own servant does the work. The one thing that is not the SDK's is the transport: instead of a gRPC server on a
port that every user of the machine can reach, and that costs more than the calls themselves, frames on the socket whose
descriptor is in argv[1] (see `socket_channel.py` for its other end). It ends when whoever started it is gone.
"""

import gc
import os
import runpy
import socket
import struct
import sys
import threading
from typing import Any

REQUEST = struct.Struct("!IIB")
ANSWER = struct.Struct("!IIB")
UNKNOWN, UNIMPLEMENTED = 2, 12


class Aborted(Exception):
    """The servant has given up a call."""


class Context:
    """What a servant is told of a call, as far as the SDK's asks: only how to say that it has failed."""

    def __init__(self) -> None:
        self.status, self.reason = 0, ""

    def set_code(self, code: Any) -> None:
        self.status = code.value[0]

    def set_details(self, details: str) -> None:
        self.reason = details

    def abort(self, code: Any, details: str) -> None:
        self.set_code(code)
        self.set_details(details)
        raise Aborted


class SocketServer:
    """Takes the place of the `grpc.Server` that the SDK makes: the same handlers, called by frames on a socket.

    Args:
        threads: what the SDK gave its server to run calls in.
    """

    def __init__(self, connection: socket.socket, threads: Any) -> None:
        self._connection, self._threads = connection, threads
        self._services: list[Any] = []
        self._sending = threading.Lock()

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._services += handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """The same handlers once more, by another way."""

    def add_insecure_port(self, address: str) -> str:
        return ""

    def start(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self, grace: Any) -> None:
        self._connection.close()

    def _serve(self) -> None:
        try:
            with self._connection.makefile("rb") as stream:
                while len(head := stream.read(REQUEST.size)) == REQUEST.size:
                    length, number, named = REQUEST.unpack(head)
                    method = stream.read(named).decode()
                    self._threads.submit(self._call, number, method, stream.read(length))
        finally:
            os._exit(0)

    def _call(self, number: int, method: str, data: bytes) -> None:
        context = Context()
        try:
            handler = self._handler(method)
            if handler is None:
                context.status, context.reason = UNIMPLEMENTED, f"there is no method {method}"
            else:
                answer = handler.unary_unary(handler.request_deserializer(data), context)
                data = b"" if context.status else handler.response_serializer(answer)
        except BaseException as error:
            context.status = context.status or UNKNOWN
            context.reason = context.reason or f"{type(error).__name__}: {error}"
        if context.status:
            data = context.reason.encode()
        with self._sending:
            self._connection.sendall(ANSWER.pack(len(data), number, context.status) + data)

    def _handler(self, method: str) -> Any:
        call = Call(f"/pulumirpc.ResourceProvider/{method}")
        return next((found for service in self._services if (found := service.service(call)) is not None), None)


class Call:
    """The name of a method, as gRPC asks for its handler."""

    def __init__(self, method: str) -> None:
        self.method, self.invocation_metadata = method, ()


def main() -> None:
    """Serves the SDK's dynamic providers on the socket whose descriptor is argv[1], until its other end closes."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    connection = socket.socket(fileno=descriptor)
    # Rarely: little of what the imports and the calls make is garbage.
    gc.set_threshold(50_000, 20, 20)
    sys.path[0] = os.getcwd()
    import grpc

    original = grpc.server

    def server(threads: Any, *args: Any, **settings: Any) -> Any:
        grpc.server = original
        return SocketServer(connection, threads)

    grpc.server = server
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
