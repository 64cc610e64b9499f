"""Calls over a socket: answers find their callers, and nobody waits for one that cannot come."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from dataops.infra.providers.socket_channel import CallError, SocketChannel

HEAD = struct.Struct("!IIB")


class Servant:
    """The other end, answering by hand."""

    def __init__(self) -> None:
        ours, self.end = socket.socketpair()
        self.channel = SocketChannel(ours)
        self.stream = self.end.makefile("rb")

    def asked(self) -> tuple[int, bytes, bytes]:
        length, number, named = HEAD.unpack(self.stream.read(HEAD.size))
        return number, self.stream.read(named), self.stream.read(length)

    def answer(self, number: int, data: bytes, status: int = 0) -> None:
        self.end.sendall(HEAD.pack(len(data), number, status) + data)

    def hang_up(self) -> None:
        self.stream.close()
        self.end.close()


def test_answers_find_their_callers_in_whatever_order_they_come() -> None:
    servant = Servant()
    method = servant.channel.unary_unary("/service/Method", str.encode, bytes.decode)
    with ThreadPoolExecutor(2) as callers:
        first, second = callers.submit(method, "one"), callers.submit(method, "two")
        asked = [servant.asked(), servant.asked()]
        for number, name, data in reversed(asked):
            assert name == b"Method"
            servant.answer(number, b"answer to " + data)
        assert (first.result(), second.result()) == ("answer to one", "answer to two")
    servant.channel.close()
    servant.hang_up()


def test_a_refusal_comes_with_its_code_and_its_words() -> None:
    servant = Servant()
    method = servant.channel.unary_unary("/service/Method", str.encode, bytes.decode)
    with ThreadPoolExecutor(1) as callers:
        call = callers.submit(method, "one")
        servant.answer(servant.asked()[0], b"no such thing", grpc.StatusCode.UNKNOWN.value[0])
        with pytest.raises(CallError) as raised:
            call.result()
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNKNOWN, "no such thing")
    servant.channel.close()
    servant.hang_up()


def test_calls_fail_when_the_other_end_is_gone_whether_under_way_or_new() -> None:
    servant = Servant()
    method = servant.channel.unary_unary("/service/Method", str.encode, bytes.decode)
    with ThreadPoolExecutor(1) as callers:
        call = callers.submit(method, "one")
        servant.asked()
        servant.hang_up()
        with pytest.raises(CallError) as under_way:
            call.result()
    with pytest.raises(CallError) as new:
        method("two")
    assert {under_way.value.code(), new.value.code()} == {grpc.StatusCode.UNAVAILABLE}
    servant.channel.close()
    servant.channel.close()


def test_a_method_that_answers_with_a_stream_is_refused() -> None:
    servant = Servant()
    with pytest.raises(CallError) as raised:
        servant.channel.unary_stream("/service/List")("one")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    servant.channel.close()
    servant.hang_up()
