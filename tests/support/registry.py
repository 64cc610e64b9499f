"""A registry on loopback that wants a password, and what a registry says that does not work."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dataops.infra.process.ports import LOOPBACK, free_port

PROGRAM = "docker-registry"
USER, PASSWORD = "team", "s3cr3t-of-the-registry"
HASHED = "$2y$05$abcdefghijklmnopqrstuuESR8NcBixma.YNB0QOjgIcNXyVLnPmi"
PATIENCE = 30.0


@dataclass(frozen=True)
class LocalRegistry:
    """A registry that runs: `host` is `127.0.0.1:port`."""

    host: str
    folder: Path

    def configuration(self, password: str = PASSWORD) -> Path:
        """A folder for `DOCKER_CONFIG`, with a password that need not be right."""
        folder = self.folder / f"docker-{len(password)}"
        folder.mkdir(exist_ok=True)
        text = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": text}}}))
        return folder


def is_installed() -> bool:
    """Whether there is a registry to run: Debian's package `docker-registry`."""
    return shutil.which(PROGRAM) is not None


@contextmanager
def local_registry(folder: Path) -> Iterator[LocalRegistry]:
    """A registry for as long as the block lasts."""
    (folder / "users").write_text(f"{USER}:{HASHED}\n")
    for _ in range(5):
        host = f"{LOOPBACK}:{free_port()}"
        (folder / "registry.yml").write_text(
            f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{host}'}}\nauth: {{htpasswd: {{realm: tests, path: {folder}/users}}}}\n"
        )
        with open(folder / "registry.log", "ab") as log:
            process = subprocess.Popen([PROGRAM, "serve", str(folder / "registry.yml")], stdout=log, stderr=log)
        try:
            if _answers(host, process):
                yield LocalRegistry(host, folder)
                return
        finally:
            process.kill()
            process.wait()
    raise RuntimeError((folder / "registry.log").read_text())


def _answers(host: str, process: subprocess.Popen[bytes]) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            opener.open(f"http://{host}/v2/", timeout=5).close()
            return True
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401
        except OSError:
            time.sleep(0.05)
    return False


@contextmanager
def broken_registry(
    status: int, code: str = "", address: str = LOOPBACK, certificate: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """The host of a registry that answers everything with one status.

    Args:
        code: what it calls its trouble; without one the answer is a page, as proxies give it.
        address, certificate: where it listens, and certificate and key, for TLS.
    """
    said = json.dumps({"errors": [{"code": code, "message": "so it is"}]}) if code else "<html>so it is</html>"

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = said.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if code else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _answer

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer((address, 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
