"""Calls over a socket between two processes of one machine, for a servant that was started for nobody else.

Stands in for a gRPC channel where a stub is given one: the messages are the same, the frames around them are a number,
the method's name and the length. Several calls may be under way at once.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import grpc

_REQUEST = struct.Struct("!IIB")
_ANSWER = struct.Struct("!IIB")
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class CallError(grpc.RpcError):  # type: ignore[misc]
    """A call that failed, told as gRPC tells it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        """What kind of failure it is."""
        return self._code

    def details(self) -> str:
        """What the servant had to say."""
        return self._details

    def trailing_metadata(self) -> tuple[()]:
        """Nothing: these frames carry none."""
        return ()


class Answer:
    """The answer to one call, once it has come; for one who waits."""

    __slots__ = ("_come", "_data", "_error")

    def __init__(self) -> None:
        self._come = threading.Lock()
        self._come.acquire()
        self._data = b""
        self._error: CallError | None = None

    def give(self, data: bytes) -> None:
        """It has come; only once."""
        self._data = data
        self._come.release()

    def fail(self, error: CallError) -> None:
        """It will not come; only once, and instead of `give`."""
        self._error = error
        self._come.release()

    def result(self) -> bytes:
        """Waits for it; `CallError` when the call has failed."""
        with self._come:
            if self._error is not None:
                raise self._error
            return self._data


class SocketChannel:
    """The caller's end of a connected socket, which it closes.

    Every call that is under way or made when the other end is gone raises `CallError` with the code UNAVAILABLE.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._pending: dict[int, Answer] = {}
        self._lock = threading.Lock()
        self._gone = False
        self._reader = threading.Thread(target=self._read, name="socket-channel", daemon=True)
        self._reader.start()

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> _Method:
        """One method of the servant; asked for by the stubs that are generated for a service."""
        return _Method(self, method.rpartition("/")[2].encode(), request_serializer, response_deserializer)

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Callable[..., NoReturn]:
        """A method that answers with a stream: these frames carry none, and nothing here asks for one."""

        def refuse(request: Any, **_: Any) -> NoReturn:
            raise CallError(grpc.StatusCode.UNIMPLEMENTED, f"{method} answers with a stream")

        return refuse

    def send(self, method: bytes, data: bytes) -> Answer:
        """Sends a request; the answer's bytes come with what is returned."""
        number, answer = next(self._numbers), Answer()
        with self._lock:
            gone = self._gone
            self._pending[number] = answer
        if gone:
            self._fail_all()
            return answer
        head = _REQUEST.pack(len(data), number, len(method)) + method
        try:
            with self._sending:
                self._connection.sendall(head + data)
        except OSError:
            self._fail_all()
        return answer

    def close(self) -> None:
        """Hangs up; may be called again."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(timeout=5)
        self._connection.close()

    def _read(self) -> None:
        try:
            with self._connection.makefile("rb") as stream:
                while len(head := stream.read(_ANSWER.size)) == _ANSWER.size:
                    length, number, status = _ANSWER.unpack(head)
                    data = stream.read(length)
                    if len(data) < length:
                        break
                    self._answer(number, status, data)
        except OSError:
            pass
        self._fail_all()

    def _answer(self, number: int, status: int, data: bytes) -> None:
        with self._lock:
            answer = self._pending.pop(number)
        if status:
            code = _CODES.get(status, grpc.StatusCode.UNKNOWN)
            answer.fail(CallError(code, data.decode(errors="replace")))
        else:
            answer.give(data)

    def _fail_all(self) -> None:
        with self._lock:
            self._gone = True
            lost, self._pending = self._pending, {}
        for answer in lost.values():
            answer.fail(CallError(grpc.StatusCode.UNAVAILABLE, "the other end is gone"))


class _Method:
    """One method: call it and wait, or ask for the answer later with `future`."""

    def __init__(
        self, channel: SocketChannel, name: bytes, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]
    ) -> None:
        self._channel, self._name, self._encode, self._decode = channel, name, encode, decode

    def __call__(self, request: Any, **_: Any) -> Any:
        return self._decode(self._channel.send(self._name, self._encode(request)).result())

    def future(self, request: Any, **_: Any) -> Answer:
        """The bytes of the answer, later."""
        return self._channel.send(self._name, self._encode(request))
