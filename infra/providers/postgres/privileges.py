"""A role's rights on the tables of a schema: what is declared, what the catalogue says, and how to get there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataops.infra.providers.postgres.statements import compose

if TYPE_CHECKING:
    from dataops.infra.providers.postgres.connection import Session

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
EVERY_TABLE = "*"
OWN_SCHEMA = "dataops"

Matrix = dict[str, list[str]]
"""Table to privileges, both in order."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a role shall be able to do in a schema; the whole of it, so that anything else is revoked.

    `tables` are names, or `*` for every table, present and future.
    """

    database: str
    role: str
    schema: str
    tables: tuple[str, ...]
    privileges: tuple[str, ...]

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Declaration:
        """The declaration in a resource's inputs."""
        return cls(
            database=str(inputs["database"]),
            role=str(inputs["role"]),
            schema=str(inputs["schema"]),
            tables=tuple(sorted(set(inputs["tables"]))),
            privileges=normalized(inputs["privileges"]),
        )

    def matrix(self) -> Matrix:
        """Table or `*` to privileges."""
        return {table: list(self.privileges) for table in self.tables}

    def wanted(self, table: str) -> set[str]:
        """The privileges on one table that exists."""
        return set(self.privileges) if {EVERY_TABLE, table} & set(self.tables) else set()


def normalized(privileges: Sequence[str]) -> tuple[str, ...]:
    """Privileges in upper case, without duplicates, `all` spelled out. Unknown ones are kept for `check` to name."""
    names = {str(privilege).upper() for privilege in privileges}
    if names & {"ALL", "ALL PRIVILEGES"}:
        names = (names - {"ALL", "ALL PRIVILEGES"}) | set(PRIVILEGES)
    return tuple(sorted(names))


def catalogue(opened: Session, declaration: Declaration) -> dict[str, set[str]] | None:
    """Every table and view of the schema with the role's own privileges on it; None without role or schema."""
    if (
        opened.execute(
            "SELECT 1 FROM pg_roles, pg_namespace WHERE rolname = %s AND nspname = %s",
            (declaration.role, declaration.schema),
        ).fetchone()
        is None
    ):
        return None
    rows = opened.execute(
        """
        SELECT c.relname::text,
               ARRAY(SELECT a.privilege_type::text FROM aclexplode(c.relacl) a
                     WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = %s))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        """,
        (declaration.role, declaration.schema),
    ).fetchall()
    return {str(table): set(privileges) for table, privileges in rows}


def covers_future(opened: Session, declaration: Declaration) -> bool:
    """Whether tables made later get what is declared: by default privileges for `*`, by an event trigger for names."""
    defaults = opened.execute(
        """
        SELECT 1 FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
        WHERE n.nspname = %s AND d.defaclrole = n.nspowner AND d.defaclobjtype = 'r'
          AND a.grantee = (SELECT oid FROM pg_roles WHERE rolname = %s)
        GROUP BY d.oid HAVING array_agg(a.privilege_type::text ORDER BY a.privilege_type::text) = %s
        """,
        (declaration.schema, declaration.role, list(declaration.privileges)),
    ).fetchone()
    triggers = opened.execute(
        "SELECT 1 FROM pg_event_trigger WHERE evtname = %s AND evtenabled <> 'D'", (trigger_name(declaration),)
    ).fetchone()
    return bool(defaults) if EVERY_TABLE in declaration.tables else bool(triggers)


def trigger_name(declaration: Declaration) -> str:
    """The name of the event trigger and its function: by role and schema, so that there is one for each pair."""
    digest = hashlib.sha256(f"{declaration.role}\0{declaration.schema}".encode()).hexdigest()[:16]
    return f"dataops_grant_{digest}"


def apply(opened: Session, declaration: Declaration) -> None:
    """Grants what is declared and revokes what is not, on the tables there are and on those to come."""
    role, schema = declaration.role, declaration.schema
    opened.execute(compose("GRANT CONNECT ON DATABASE {} TO {}", declaration.database, role))
    opened.execute(compose("GRANT USAGE ON SCHEMA {} TO {}", schema, role))
    for table, held in (catalogue(opened, declaration) or {}).items():
        wanted = declaration.wanted(table)
        if held - wanted:
            _on_table(opened, "REVOKE", "FROM", held - wanted, declaration, table)
        if wanted - held:
            _on_table(opened, "GRANT", "TO", wanted - held, declaration, table)
    _set_defaults(opened, declaration)
    _set_trigger(opened, declaration)


def withdraw(opened: Session, declaration: Declaration) -> None:
    """Takes back everything that `apply` gives; the right to connect only when no other schema needs it."""
    role, schema = declaration.role, declaration.schema
    opened.execute(compose("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}", schema, role))
    _change_defaults(opened, declaration, "REVOKE ALL ON TABLES FROM {}")
    _drop_trigger(opened, declaration)
    opened.execute(compose("REVOKE USAGE ON SCHEMA {} FROM {}", schema, role))
    other = opened.execute(
        """
        SELECT 1 FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = %s) AND a.privilege_type = 'USAGE'
        """,
        (role,),
    ).fetchone()
    if other is None:
        opened.execute(compose("REVOKE CONNECT ON DATABASE {} FROM {}", declaration.database, role))


def _on_table(
    opened: Session, verb: str, preposition: str, privileges: set[str], declaration: Declaration, table: str
) -> None:
    names = ", ".join(sorted(privileges))
    opened.execute(
        compose(f"{verb} {names} ON TABLE {{}}.{{}} {preposition} {{}}", declaration.schema, table, declaration.role)
    )


def _set_defaults(opened: Session, declaration: Declaration) -> None:
    _change_defaults(opened, declaration, "REVOKE ALL ON TABLES FROM {}")
    if EVERY_TABLE in declaration.tables:
        _change_defaults(opened, declaration, f"GRANT {', '.join(declaration.privileges)} ON TABLES TO {{}}")


def _change_defaults(opened: Session, declaration: Declaration, change: str) -> None:
    """Default privileges belong to who makes the tables: here the schema's owner, as whom pipelines work."""
    row = opened.execute(
        "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = %s", (declaration.schema,)
    ).fetchone()
    if row is not None:
        statement = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} " + change
        opened.execute(compose(statement, str(row[0]), declaration.schema, declaration.role))


def _set_trigger(opened: Session, declaration: Declaration) -> None:
    """Default privileges know no names of tables, and a table that is dropped and made anew loses its grants."""
    _drop_trigger(opened, declaration)
    if EVERY_TABLE in declaration.tables or not declaration.tables:
        return
    name = trigger_name(declaration)
    opened.execute(compose("CREATE SCHEMA IF NOT EXISTS {}", OWN_SCHEMA))
    names = ", ".join(["{!}"] * len(declaration.tables))
    grant = f"GRANT {', '.join(declaration.privileges)} ON TABLE %I.%I TO %I"
    body = compose(
        f"""
        DECLARE made record;
        BEGIN
            FOR made IN
                SELECT DISTINCT c.relname FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid
                JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                  AND n.nspname = {{!}} AND c.relname IN ({names})
            LOOP
                EXECUTE format('{grant}', {{!}}, made.relname, {{!}});
            END LOOP;
        END
        """,
        declaration.schema,
        *declaration.tables,
        declaration.schema,
        declaration.role,
    ).as_string(opened)
    opened.execute(
        compose(
            "CREATE FUNCTION {}.{}() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER "
            "SET search_path = pg_catalog, pg_temp AS {!}",
            OWN_SCHEMA,
            name,
            body,
        )
    )
    tags = "'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER TABLE'"
    opened.execute(
        compose(
            f"CREATE EVENT TRIGGER {{}} ON ddl_command_end WHEN TAG IN ({tags}) EXECUTE FUNCTION {{}}.{{}}()",
            name,
            OWN_SCHEMA,
            name,
        )
    )


def _drop_trigger(opened: Session, declaration: Declaration) -> None:
    name = trigger_name(declaration)
    opened.execute(compose("DROP EVENT TRIGGER IF EXISTS {}", name))
    exists = opened.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (OWN_SCHEMA,)).fetchone()
    if exists:
        opened.execute(compose("DROP FUNCTION IF EXISTS {}.{}()", OWN_SCHEMA, name))
