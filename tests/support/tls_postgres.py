"""A Postgres that takes nothing but TLS, on loopback, and certificates made for it and for its clients."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dataops.infra.process.ports import free_port
from dataops.infra.process.users import server_user
from support.older_postgres import initialized

PASSWORD = "tls-secret-password"
HBA = """
local all all trust
hostssl all certain 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class Authority:
    """Who signs certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _builder(subject, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        signed = made.add_extension(usage, critical=True).add_extension(identifier, critical=False)
        return cls(signed.sign(key, hashes.SHA256()), key)

    def issue(self, folder: Path, file: str, name: str, password: str = "") -> tuple[Path, Path]:
        """Writes a certificate for a name, or an address, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternative: list[x509.GeneralName] = [x509.DNSName(name)]
        if name[0].isdigit():
            alternative = [x509.IPAddress(ipaddress.ip_address(name))]
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            _builder(subject, self.certificate.subject, key)
            .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
            .add_extension(own, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        paths = folder / f"{file}.crt", folder / f"{file}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        encryption: Any = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        form = serialization.PrivateFormat.PKCS8
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
        paths[1].chmod(0o600)
        return paths

    def write(self, path: Path) -> Path:
        """Writes its own certificate."""
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=10))
    )


@dataclass(frozen=True)
class TlsServer:
    """The server: its port, the superuser's plain connection for setting it up, and files of a client."""

    port: int
    admin: dict[str, Any]
    root: Path
    stranger: Path
    client: tuple[Path, Path]
    locked: tuple[Path, Path]

    def dsn(self, database: str, user: str = "reader", **options: object) -> str:
        """How a client connects over TCP."""
        password = {"password": PASSWORD} if user == "reader" else {}
        given = {"host": "127.0.0.1", "port": self.port, "user": user, "dbname": database, **password, **options}
        return " ".join(f"{key}='{value}'" for key, value in given.items())


@contextmanager
def tls_server(programs: Path, folder: Path, name: str = "127.0.0.1") -> Iterator[TlsServer]:
    """Runs it on a Postgres of the system, which has TLS.

    Args:
        programs: the folder of its programs.
        folder: one that every user may enter.
        name: for which its certificate is.
    """
    user, port = server_user(), free_port()
    data, run = initialized(programs, folder / "tls")
    authority, stranger = Authority.new("our authority"), Authority.new("somebody else")
    for path in (*authority.issue(data, "server", name), authority.write(data / "root.crt")):
        user.own(path)
    (data / "pg_hba.conf").write_text(HBA)
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={data} -c fsync=off -c ssl=on"
    files = " -c ssl_cert_file=server.crt -c ssl_key_file=server.key -c ssl_ca_file=root.crt"
    run("pg_ctl", "-w", "-l", str(data / "log"), "-o", options + files, "start")
    try:
        yield TlsServer(
            port,
            {"host": str(data), "port": port, "user": "postgres"},
            authority.write(folder / "root.crt"),
            stranger.write(folder / "stranger.crt"),
            authority.issue(folder, "client", "certain"),
            authority.issue(folder, "locked", "certain", "key-secret"),
        )
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
