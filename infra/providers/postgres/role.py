"""`dataops:postgres:Role`: who may log in, and groups of rights."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)
from dataops.infra.providers.postgres.connection import check_names, is_reachable, session
from dataops.infra.providers.postgres.statements import compose

if TYPE_CHECKING:
    from dataops.infra.providers.postgres.connection import Session

PASSWORD_BYTES = 32


class RoleHandler(ResourceHandler):
    """A role. One that may log in gets a generated password, which is kept as long as the role is.

    Memberships that are not declared are revoked. Deleting a role leaves what it owned to `postgres`.
    """

    token = "dataops:postgres:Role"
    required = frozenset({"connection", "name"})
    optional = frozenset({"login", "memberOf", "setRole"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "password", "login", "memberOf", "setRole"})
    secret_outputs = frozenset({"password"})

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        failures = list(check_names(inputs, ("name", "memberOf", "setRole")))
        name = inputs.get("name", "x")
        if name == "" or name == "postgres" or str(name).startswith("pg_"):
            failures.append(CheckFailure("name", f"{name!r} is not a name that dataops may give to a role"))
        return failures

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        return CreateResult(inputs["name"], _ensure(inputs, ""))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        connection = recorded.inputs["connection"]
        if not is_reachable(connection):  # the cluster says so; its roles are as they were
            return ReadResult(recorded.id, recorded.outputs)
        with session(connection, f"reading the role {recorded.id}") as opened:
            found = _find(opened, recorded.id)
        if found is None:
            return ReadResult("", {})
        return ReadResult(recorded.id, {**recorded.outputs, **found})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        wanted = _wanted(inputs)
        return [name for name, value in recorded.outputs.items() if name in wanted and value != wanted[name]]

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_ensure(inputs, str(recorded.outputs.get("password") or "")))

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        connection, name = recorded.inputs["connection"], recorded.id
        if not is_reachable(connection):
            return
        doing = f"dropping the role {name}"
        with session(connection, doing) as opened:
            if _find(opened, name) is None:
                return
            query = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname = current_database()"
            databases = [str(row[0]) for row in opened.execute(query).fetchall()]
        for database in databases:
            try:
                with session(connection, doing, database) as opened:
                    _leave(opened, name)
            except ResourceError:
                # databases and roles are deleted side by side: what is gone has nothing of the role's
                if _exists(connection, doing, database):
                    raise
        with session(connection, doing) as opened:
            opened.execute(compose("DROP ROLE IF EXISTS {}", name))


def _wanted(inputs: dict[str, Any]) -> dict[str, Any]:
    wanted = {}
    if "login" in inputs or "name" in inputs:
        wanted = {
            "login": bool(inputs.get("login", False)),
            "memberOf": sorted(set(inputs.get("memberOf") or [])),
            "setRole": str(inputs.get("setRole") or ""),
        }
    return wanted


def _ensure(inputs: dict[str, Any], password: str) -> dict[str, Any]:
    """Makes or changes the role; `password` is the one to keep, "" to make a new one where one is needed."""
    name, wanted = str(inputs["name"]), _wanted(inputs)
    if wanted["login"]:
        password = password or secrets.token_urlsafe(PASSWORD_BYTES)
    else:
        password = ""
    with session(inputs["connection"], f"making the role {name}") as opened, opened.transaction():
        found = _find(opened, name)
        if found is None:
            opened.execute(compose("CREATE ROLE {}", name))
            found = {"login": False, "memberOf": [], "setRole": ""}
        rights = "LOGIN" if wanted["login"] else "NOLOGIN"
        plain = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT"
        verifier = _verifier(opened, name, password)
        opened.execute(compose(f"ALTER ROLE {{}} {rights} {plain} PASSWORD {{!}}", name, verifier))
        for group in sorted(set(found["memberOf"]) - set(wanted["memberOf"])):
            opened.execute(compose("REVOKE {} FROM {}", group, name))
        for group in sorted(set(wanted["memberOf"]) - set(found["memberOf"])):
            opened.execute(compose("GRANT {} TO {}", group, name))
        if wanted["setRole"]:
            opened.execute(compose("ALTER ROLE {} SET role TO {!}", name, wanted["setRole"]))
        else:
            opened.execute(compose("ALTER ROLE {} RESET role", name))
    return {"name": name, "password": password, **wanted}


def _verifier(opened: Session, name: str, password: str) -> str | None:
    """What the server keeps of a password: sent instead of it, so that no log or statistic can ever show it."""
    if not password:
        return None
    return opened.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()


def _find(opened: Session, name: str) -> dict[str, Any] | None:
    """The role as the catalogue has it; None when there is none."""
    row = opened.execute(
        """
        SELECT r.rolcanlogin,
               ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                     WHERE m.member = r.oid),
               (SELECT substr(entry, 6) FROM pg_db_role_setting s, unnest(s.setconfig) entry
                WHERE s.setrole = r.oid AND s.setdatabase = 0 AND entry LIKE 'role=%%')
        FROM pg_roles r WHERE r.rolname = %s
        """,
        (name,),
    ).fetchone()
    if row is None:
        return None
    return {"login": bool(row[0]), "memberOf": sorted(set(row[1])), "setRole": str(row[2] or "")}


def _exists(connection: dict[str, Any], doing: str, database: str) -> bool:
    with session(connection, doing) as opened:
        found = opened.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
    return found is not None


def _leave(opened: Session, name: str) -> None:
    """Gives what a role owns in this database to `postgres` and takes its rights away."""
    opened.execute(compose("REASSIGN OWNED BY {} TO postgres", name))
    opened.execute(compose("DROP OWNED BY {}", name))
