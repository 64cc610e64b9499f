"""Captures of servers that take nothing but TLS: checked as libpq checks them, with the password in no process list."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest

from dataops.infra.errors import AuthenticationError, ConfigurationError, DataopsError, ResourceError
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.tls_bridge import context_of
from dataops.snapshots.origin import read_origin
from support.older_postgres import older_postgres
from support.postgres import open_directory
from support.stored_snapshots import texts
from support.tls_postgres import PASSWORD, TlsServer, tls_server
from support.warehouses import PEOPLE, Warehouse, warehouse

POLICY = {"tables": {"public.people": {"keep": ["id", "name", "age", "note", "changed"], "mail": "email"}}}


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        ("host=a,b dbname=x", "several servers"),
        ("host=a dbname=x channel_binding=require", "channel binding"),
    ],
)
def test_a_dsn_that_cannot_be_followed_is_refused(dsn: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read_origin(dsn, "--from")


def test_a_dsn_says_how_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "from-the-environment")
    connection, database = read_origin("postgresql://ada@db.example.com/shop?sslmode=verify-full&sslrootcert=r", "x")
    assert database == "shop"
    assert (connection["host"], connection["port"], connection["user"]) == ("db.example.com", 5432, "ada")
    assert connection["password"] == "from-the-environment"
    assert (connection["tls"]["sslmode"], connection["tls"]["sslrootcert"]) == ("verify-full", "r")
    assert "tls" not in read_origin("host=/run/postgresql dbname=shop", "x")[0]


@pytest.mark.parametrize(
    "options", [{"sslmode": "verify-full", "sslrootcert": "/none/x.crt"}, {"sslcert": "/none/x.crt"}]
)
def test_certificates_that_are_not_there_are_named(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as raised:
        context_of(options)
    assert raised.value.where == "/none/x.crt"


if programs := older_postgres():
    pytestmark = pytest.mark.slow

    @pytest.fixture(scope="module")
    def server() -> Iterator[TlsServer]:
        assert programs is not None
        with open_directory() as folder, tls_server(programs, folder) as running:
            yield running

    @pytest.fixture(scope="module")
    def people(server: TlsServer) -> Iterator[Warehouse]:
        home = server.root.parent
        with warehouse(server.admin, home, "people", PEOPLE.format(rows=3000), POLICY) as made:
            made.run(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE certain LOGIN SUPERUSER")
            made.run("GRANT pg_read_all_data TO reader")
            yield made
            made.run("REVOKE pg_read_all_data FROM reader; DROP ROLE reader; DROP ROLE certain")

    def over_tls(people: Warehouse, dsn: str) -> Warehouse:
        connection, database = read_origin(dsn, "--from")
        return replace(people, connection=connection, database=database)

    def test_the_server_takes_nothing_but_tls(server: TlsServer, people: Warehouse) -> None:
        connection, _ = read_origin(server.dsn("people"), "--from")
        with pytest.raises(ResourceError):
            connect({**connection, "tls": {"sslmode": "disable"}}, "people")

    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full", "prefer"])
    def test_a_capture_over_tls_is_the_capture_without(server: TlsServer, people: Warehouse, mode: str) -> None:
        plain = people.capture()
        seen: list[str] = []
        ending = threading.Event()

        def watch() -> None:
            while not ending.wait(0.01):
                for process in psutil.process_iter():
                    try:
                        seen.append(" ".join(process.cmdline()))
                    except psutil.Error:
                        continue

        watcher = threading.Thread(target=watch)
        watcher.start()
        options: dict[str, Any] = {"sslrootcert": server.root} if mode.startswith("verify") else {}
        secure = over_tls(people, server.dsn("people", sslmode=mode, **options))
        try:
            told = secure.capture(range_bytes=1 << 17)
        finally:
            ending.set()
            watcher.join()
        assert texts(people.layout, told)["tables/public.people"] == texts(people.layout, plain)["tables/public.people"]
        assert any("psql" in line for line in seen)
        assert not any(PASSWORD in line for line in seen)

    def test_a_client_certificate_logs_in(server: TlsServer, people: Warehouse) -> None:
        certificate, key = server.client
        dsn = server.dsn(
            "people", "certain", sslmode="verify-full", sslrootcert=server.root, sslcert=certificate, sslkey=key
        )
        assert over_tls(people, dsn).capture().tables["public.people"].rows == 3000

    def test_an_encrypted_key_is_opened_with_its_password_alone(server: TlsServer, people: Warehouse) -> None:
        certificate, key = server.locked
        options: dict[str, Any] = {
            "sslmode": "verify-ca",
            "sslrootcert": server.root,
            "sslcert": certificate,
            "sslkey": key,
        }
        dsn = server.dsn("people", user="certain", **options, sslpassword="key-secret")
        assert over_tls(people, dsn).capture().tables["public.people"].rows == 3000
        with pytest.raises(AuthenticationError, match="certificate or key") as raised:
            context_of({key: str(value) for key, value in options.items()} | {"sslpassword": "wrong-password"})
        assert "wrong-password" not in str(raised.value)

    @pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
    def test_a_server_that_somebody_else_vouches_for_is_refused(
        server: TlsServer, people: Warehouse, mode: str
    ) -> None:
        secure = over_tls(people, server.dsn("people", sslmode=mode, sslrootcert=server.stranger))
        with pytest.raises(DataopsError, match="certificate") as raised:
            secure.capture()
        assert PASSWORD not in str(raised.value)

    def test_a_certificate_for_another_name_is_refused_where_names_count(server: TlsServer, people: Warehouse) -> None:
        named: dict[str, Any] = {"host": "localhost", "sslrootcert": server.root}
        with pytest.raises(DataopsError, match="certificate"):
            over_tls(people, server.dsn("people", sslmode="verify-full", **named)).capture()
        assert over_tls(people, server.dsn("people", sslmode="verify-ca", **named)).capture().tables
