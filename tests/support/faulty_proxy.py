"""A proxy before an S3 server that answers 503, or cuts what is being transferred, when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

BUSY = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
KEPT_TO_ITSELF = {"transfer-encoding", "connection", "content-length", "expect"}

Fault = Callable[[str, int], str]
"""What goes wrong with a request, by its method and how often the same was asked, beginning with 1.

One of "busy", "cut request", "cut answer" and "".
"""


class FaultyProxy:
    """A running proxy; `fault` may be changed at any time. `met` counts the faults of each kind.

    Args:
        target: the URL of the server.
    """

    def __init__(self, target: str) -> None:
        self.fault: Fault = lambda method, number: ""
        self.met: dict[str, int] = {}
        self._target = urlsplit(target).netloc
        self._asked: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                proxy._handle(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass

            def log_message(self, *words: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[FaultyProxy]:
        """Serves within the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            what = (request.command, request.path)
            self._asked[what] = self._asked.get(what, 0) + 1
            fault = self.fault(request.command, self._asked[what])
            size = int(request.headers.get("Content-Length") or 0)
            if fault == "cut request" and not size or fault == "cut answer" and request.command != "GET":
                fault = ""
            if fault:
                self.met[fault] = self.met.get(fault, 0) + 1
        if fault == "cut request":
            request.rfile.read(size // 2)
            request.close_connection = True
            return
        body = request.rfile.read(size)
        if fault == "busy":
            self._answer(request, 503, [("Content-Type", "application/xml")], BUSY, len(BUSY))
            return
        connection = HTTPConnection(self._target, timeout=30)
        given = {name: value for name, value in request.headers.items() if name.lower() not in KEPT_TO_ITSELF}
        connection.request(request.command, request.path, body, {**given, "Content-Length": str(size)})
        answer = connection.getresponse()
        data = answer.read()
        length = int(answer.headers.get("Content-Length") or len(data)) if request.command == "HEAD" else len(data)
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in KEPT_TO_ITSELF]
        self._answer(request, answer.status, headers, data[: len(data) // 2] if fault else data, length)
        if fault:
            request.close_connection = True
        connection.close()

    @staticmethod
    def _answer(
        request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], data: bytes, length: int
    ) -> None:
        request.send_response_only(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)
