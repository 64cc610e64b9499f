from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataops.infra.process.postgres_connection import connect
from dataops.infra.providers.base import Changes
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.providers.postgres import postgres_handlers
from dataops.infra.resources.values import UNKNOWN, Secret

URN = "urn:pulumi:dev::flights::dataops:postgres:Role::role"
SHARED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=15).filter(
    lambda name: not name.startswith("pg_") and name not in {"public", "none", "postgres"}
)


@pytest.fixture
def provider() -> HandlerProvider:
    return HandlerProvider(postgres_handlers())


@pytest.fixture
def name(connection: dict[str, Any]) -> Iterator[str]:
    name = f"role {uuid.uuid4().hex[:8]}"
    yield name
    with connect(connection) as opened:
        opened.execute(f'DROP ROLE IF EXISTS "{name}"')


def login(connection: dict[str, Any], role: str, password: str) -> psycopg.Connection[Any]:
    return connect({**connection, "user": role, "password": password})


def test_a_role_that_may_log_in_gets_a_secret_password_that_works(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    made = provider.create(URN, {"connection": connection, "name": name, "login": True}, 0, preview=False)
    password = made.outputs["password"]
    assert isinstance(password, Secret)
    with login(connection, name, password.value) as opened:
        assert opened.execute("SELECT current_user").fetchone() == (name,)
    with pytest.raises(Exception, match="password authentication failed"):
        login(connection, name, "wrong")


def test_the_password_of_a_role_is_kept_by_updates(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    inputs = {"connection": connection, "name": name, "login": True}
    made = provider.create(URN, inputs, 0, preview=False)
    changed = provider.update(
        URN, made.id, inputs, made.outputs, {**inputs, "setRole": "postgres"}, 0, [], preview=False
    )
    assert changed.outputs["password"] == made.outputs["password"]


def test_a_role_without_login_has_no_password(provider: HandlerProvider, connection: dict[str, Any], name: str) -> None:
    made = provider.create(URN, {"connection": connection, "name": name}, 0, preview=False)
    assert made.outputs["password"] == Secret("")


def test_creating_a_role_that_a_crash_left_behind_adopts_it(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    inputs = {"connection": connection, "name": name, "login": True}
    provider.create(URN, inputs, 0, preview=False)
    again = provider.create(URN, inputs, 0, preview=False)
    login(connection, name, again.outputs["password"].value).close()


def test_a_membership_no_longer_declared_is_revoked(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    inputs = {"connection": connection, "name": name, "memberOf": ["pg_monitor", "pg_read_all_data"]}
    made = provider.create(URN, inputs, 0, preview=False)
    fewer = {**inputs, "memberOf": ["pg_monitor"]}
    provider.update(URN, made.id, inputs, made.outputs, fewer, 0, [], preview=False)
    read = provider.read(URN, made.id, fewer, made.outputs)
    assert read.outputs["memberOf"] == ["pg_monitor"]


def test_a_membership_granted_by_hand_is_drift(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    inputs = {"connection": connection, "name": name}
    made = provider.create(URN, inputs, 0, preview=False)
    with connect(connection) as opened:
        opened.execute(f'GRANT pg_read_all_data TO "{name}"')
    read = provider.read(URN, made.id, inputs, made.outputs)
    diff = provider.diff(URN, made.id, inputs, read.outputs, inputs, [])
    assert (diff.changes, diff.changed, diff.replaces) == (Changes.SOME, ("memberOf",), ())


def test_a_role_assumed_at_login_owns_what_is_made(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    inputs = {
        "connection": connection,
        "name": name,
        "login": True,
        "memberOf": ["pg_monitor"],
        "setRole": "pg_monitor",
    }
    made = provider.create(URN, inputs, 0, preview=False)
    with login(connection, name, made.outputs["password"].value) as opened:
        assert opened.execute("SELECT current_user").fetchone() == ("pg_monitor",)


def test_a_deleted_role_leaves_its_tables_to_postgres(
    provider: HandlerProvider, connection: dict[str, Any], name: str
) -> None:
    inputs = {"connection": connection, "name": name}
    made = provider.create(URN, inputs, 0, preview=False)
    with connect(connection) as opened:
        opened.execute(f'CREATE SCHEMA s_{name[5:]} AUTHORIZATION "{name}"')
    provider.delete(URN, made.id, inputs, made.outputs, 0)
    provider.delete(URN, made.id, inputs, made.outputs, 0)
    assert provider.read(URN, made.id, inputs, made.outputs).id == ""
    with connect(connection) as opened:
        opened.execute(f"DROP SCHEMA s_{name[5:]}")


def test_what_cannot_be_reached_is_left_as_recorded(provider: HandlerProvider, tmp_path: Path) -> None:
    inputs = {"connection": {"host": str(tmp_path), "port": 5432, "user": "postgres"}, "name": "x"}
    read = provider.read(URN, "x", inputs, {"name": "x", "password": Secret("p")})
    assert (read.id, read.outputs) == ("x", {"name": "x", "password": Secret("p")})
    provider.delete(URN, "x", inputs, {}, 0)


def test_a_name_that_postgres_would_cut_off_is_refused(provider: HandlerProvider) -> None:
    check = provider.check(URN, None, {"connection": UNKNOWN, "name": "ü" * 32})
    assert [failure.property for failure in check.failures] == ["name"]


@pytest.mark.parametrize("taken", ["postgres", "pg_monitor", ""])
def test_a_name_of_postgres_own_is_refused(provider: HandlerProvider, taken: str) -> None:
    assert provider.check(URN, None, {"connection": UNKNOWN, "name": taken}).failures


@SHARED
@given(name=names)
def test_any_name_that_postgres_allows_works(connection: dict[str, Any], name: str) -> None:
    provider = HandlerProvider(postgres_handlers())
    inputs = {"connection": connection, "name": name, "login": True, "setRole": name}
    assert not provider.check(URN, None, inputs).failures
    made = provider.create(URN, inputs, 0, preview=False)
    try:
        read = provider.read(URN, made.id, inputs, made.outputs)
        assert provider.diff(URN, made.id, inputs, read.outputs, inputs, []).changes is Changes.NONE
        with login(connection, name, made.outputs["password"].value) as opened:
            assert opened.execute("SELECT session_user::text").fetchone() == (name,)
    finally:
        provider.delete(URN, made.id, inputs, made.outputs, 0)
    assert provider.read(URN, made.id, inputs, made.outputs).id == ""


def test_a_password_is_in_no_log_and_no_process_list(
    provider: HandlerProvider, connection: dict[str, Any], name: str, cluster_home: Path
) -> None:
    made = provider.create(URN, {"connection": connection, "name": name, "login": True}, 0, preview=False)
    password = made.outputs["password"].value
    with connect(connection) as opened, pytest.raises(psycopg.Error):
        opened.execute(f"ALTER ROLE nobody_of_that_name PASSWORD '{password}'")
    shown = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in shown if password in line]
    logs = [path for path in cluster_home.rglob("*.log")]
    assert logs
    assert not [path for path in logs if password in path.read_text(errors="replace")]
    assert password not in repr(made)
