"""The checks that a replica passes before anybody may use it: made of this snapshot, with these rights, cut off.

They cost the same however large the data is: rows were counted and searched when the snapshot and its golden directory
were made, and the signed manifest says with what result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import DataopsError, PolicyError, VerificationError
from dataops.infra.platform.addresses import ProductionAddresses
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.infra.process.postgres_server import system_identifier
from dataops.snapshots.hosts import is_local, meaningful
from dataops.snapshots.hygiene import SWITCHES
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.restore import OWNER, mark_of

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

_MARK = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
_ROLES = "SELECT rolname, rolsuper FROM pg_roles WHERE rolname !~ '^pg_'"
_POWERS = """
SELECT rolname || ' may ' || power FROM pg_roles CROSS JOIN LATERAL (VALUES
  (rolcreaterole, 'make roles'), (rolreplication, 'replicate'), (rolbypassrls, 'pass by row security')) AS p(has, power)
WHERE has AND rolname !~ '^pg_' AND NOT rolsuper
UNION ALL
SELECT m.rolname || ' may ' || r.rolname FROM pg_roles m
JOIN pg_roles r ON pg_has_role(m.oid, r.oid, 'MEMBER')
WHERE r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
  'pg_create_subscription') AND m.rolname !~ '^pg_' AND NOT m.rolsuper"""
_PRIVILEGES = """
SELECT coalesce(r.rolname, 'public'), n.nspname, c.relname, lower(a.privilege_type)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT * FROM aclexplode(c.relacl)
  UNION ALL
  SELECT e.* FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) e WHERE t.attrelid = c.oid
) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND a.grantee <> c.relowner"""
_RELATIONS = """
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"""
_LINKS = """
SELECT 'the subscription ' || subname FROM pg_subscription
UNION ALL SELECT 'the replication slot ' || slot_name FROM pg_replication_slots
UNION ALL SELECT 'the foreign server ' || srvname FROM pg_foreign_server
UNION ALL SELECT 'a user mapping for ' || usename FROM pg_user_mappings
UNION ALL SELECT 'the setting ' || name FROM pg_settings
  WHERE name IN ('archive_command', 'archive_library', 'restore_command', 'primary_conninfo')
    AND setting NOT IN ('', '(disabled)')
UNION ALL SELECT CASE WHEN e.oid IS NULL THEN 'the trigger ' || t.tgname || ' on ' || t.tgrelid::regclass
    ELSE 'the event trigger ' || e.evtname END || ', which calls out'
  FROM pg_proc p LEFT JOIN pg_event_trigger e ON e.evtfoid = p.oid
  LEFT JOIN pg_trigger t ON t.tgfoid = p.oid AND NOT t.tgisinternal
  WHERE (e.oid IS NOT NULL OR t.oid IS NOT NULL) AND (
    p.prosrc ~* '\\m(dblink|http_(get|post|put|delete)|net\\.http_|aws_(s3|lambda)\\.|lo_export|pg_read_(binary_)?file)'
    OR p.prosrc ~* '\\m(from|to)\\s+program\\M')"""
_SCHEDULED = "SELECT to_regclass(%s) IS NOT NULL"
_JOBS = """
SELECT '{schema} job ' || coalesce(to_jsonb(j)->>'jobid', to_jsonb(j)->>'chain_id', ctid::text) FROM {schema}.{table} j
WHERE coalesce(to_jsonb(j)->>'{switch}', 'true') <> 'false'"""
_PASSWORDS = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Replica:
    """What is verified, and against what.

    Args:
        connection: how the superuser connects.
        database: the warehouse's database.
        data_directory, lake: where they lie.
        roles: database roles that must exist.
        forbidden_roles: database roles that must not.
        grants: `{role, schema, tables, privileges}`; `tables` without schema, or `["*"]` for all of them.
        variables: the environment's variables; values may be secret.
        production_hosts: addresses that nothing may point at.
        departing: grants as above that were declared before: an update takes them back at its end, after the checks.
    """

    connection: Mapping[str, Any]
    database: str
    data_directory: Path
    lake: Path
    roles: Sequence[str]
    forbidden_roles: Sequence[str]
    grants: Sequence[Mapping[str, Any]]
    variables: Mapping[str, str] = field(repr=False)
    production_hosts: Sequence[str]
    departing: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A check that was passed; `detail` says what was seen."""

    name: str
    detail: str


def verify(replica: Replica, manifest: Manifest) -> tuple[Check, ...]:
    """Checks a replica that was cloned from a golden directory.

    Args:
        replica: what to check.
        manifest: the snapshot's, its signature checked.

    Raises:
        VerificationError: it is not what it should be; says which check failed.
        PolicyError: something in it points at production; names the variable or the table, never the value.
    """
    with (
        connect(replica.connection, replica.database) as connection,
        postgres_errors(f"verifying the database {replica.database}"),
    ):
        checks: list[tuple[str, Callable[[], str]]] = [
            ("manifest", lambda: f"{manifest.id}, signed, {len(manifest.tables)} tables"),
            ("clone", lambda: _check_clone(connection, replica, manifest)),
            ("lake", lambda: _check_lake(replica)),
            ("roles", lambda: _check_roles(connection, replica)),
            ("grants", lambda: _check_grants(connection, replica)),
            ("links", lambda: _check_links(connection)),
            ("variables", lambda: _check_variables(replica)),
            ("production hosts in rows", lambda: _check_rows(replica, manifest)),
        ]
        return tuple(Check(name, run()) for name, run in checks)


def _check_clone(connection: Connection, replica: Replica, manifest: Manifest) -> str:
    mark = _one(connection, _MARK)
    if mark != mark_of(manifest):
        raise VerificationError(
            f"the database {replica.database} was not restored from the snapshot {manifest.id}",
            hint="`dataops env down`, then `dataops env up` again",
        )
    running = str(_one(connection, "SELECT system_identifier FROM pg_control_system()"))
    if running != system_identifier(replica.data_directory):
        raise VerificationError(f"the server that answers is not that of {replica.data_directory}")
    return f"restored from {manifest.id}, cluster {running}"


def _check_lake(replica: Replica) -> str:
    if not replica.lake.is_dir():
        raise VerificationError(f"there is no lake at {replica.lake}")
    return str(replica.lake)


def _check_roles(connection: Connection, replica: Replica) -> str:
    found: dict[str, bool] = dict(connection.execute(_ROLES).fetchall())
    _none(set(replica.roles) - found.keys(), "the replica lacks the role")
    _none(found.keys() & set(replica.forbidden_roles), "the replica has a role of production:")
    _none({name for name, power in found.items() if power} - {"postgres"}, "the replica has a superuser:")
    able = {str(row[0]) for row in connection.execute(_PASSWORDS)}
    # where the superuser shares no socket with its server, it has a password of our own making
    ours = {*replica.roles, *(["postgres"] if replica.connection.get("passwordFile") else [])}
    _none(able - ours, "the replica has a password that is not of its own making, that of the role")
    powers = {str(row[0]) for row in connection.execute(_POWERS)}
    _none(powers, "the replica has a role that reaches beyond its data:")
    return ", ".join(sorted(found))


def _check_grants(connection: Connection, replica: Replica) -> str:
    relations = connection.execute(_RELATIONS).fetchall()
    strange = {f"{schema}.{name}" for schema, name, owner in relations if owner != OWNER}
    _none(strange, f"not owned by {OWNER}:")
    tables = {(schema, name) for schema, name, _ in relations}
    declared, departing = _privileges(replica.grants, tables), _privileges(replica.departing, tables)
    granted = set(connection.execute(_PRIVILEGES).fetchall())
    words = {
        "declared but not granted:": declared - granted,
        "granted but not declared:": granted - declared - departing,
    }
    for what, difference in words.items():
        _none({f"{p} on {schema}.{name} to {role}" for role, schema, name, p in difference}, what)
    return f"{len(granted)} privileges as declared"


def _privileges(grants: Sequence[Mapping[str, Any]], tables: set[tuple[str, str]]) -> set[tuple[str, str, str, str]]:
    """Grants as role, schema, table and privilege, for the tables that there are."""
    return {
        (grant["role"], schema, name, privilege.lower())
        for grant in grants
        for schema, name in tables
        if schema == grant["schema"] and (name in grant["tables"] or "*" in grant["tables"])
        for privilege in grant["privileges"]
    }


def _check_links(connection: Connection) -> str:
    found = [str(row[0]) for row in connection.execute(_LINKS)]
    for (schema, table), switch in SWITCHES.items():
        row = connection.execute(_SCHEDULED.encode(), (f"{schema}.{table}",)).fetchone()
        if row and row[0]:
            jobs = connection.execute(_JOBS.format(schema=schema, table=table, switch=switch).encode())
            found += [f"the scheduled {name}" for (name,) in jobs]
    if found:
        raise PolicyError(
            f"the replica could reach other systems: it has {', '.join(found)}",
            hint="drop it on the branch, or take a new snapshot without it",
        )
    return "no subscriptions, slots, foreign servers, archiving, active scheduled jobs or triggers that call out"


def _check_variables(replica: Replica) -> str:
    for name, address in ProductionAddresses.of(replica.production_hosts).named_by(replica.variables):
        raise PolicyError(
            f"the variable {name} points at production ({address})",
            hint=f"set another `{name}` under `environments: replica: variables` in dataops.yaml, or in the program "
            "that gives it its value",
        )
    return f"{len(replica.variables)} variables"


def _check_rows(replica: Replica, manifest: Manifest) -> str:
    if manifest.production_references:
        first = manifest.production_references[0]
        places = sorted({reference.where for reference in manifest.production_references})
        raise PolicyError(
            f"the snapshot {manifest.id} names the production host {first.host} in {', '.join(places)}",
            hint="mask the columns that hold it, then take a new snapshot",
        )
    # addresses of this machine come and go with production's processes; declared ones must have been searched for
    declared = {host for host in meaningful(replica.production_hosts) if not is_local(host)}
    missing = declared - set(manifest.production_hosts)
    if missing:
        raise VerificationError(
            f"the snapshot {manifest.id} was not searched for the production host {min(missing)}",
            hint="take a new snapshot with `dataops snapshot capture`",
        )
    passed = f", {len(manifest.unsearched)} objects not searched" if manifest.unsearched else ""
    return f"{len(manifest.production_hosts)} hosts, none found{passed}"


def _one(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def _none(found: Iterable[str], what: str, error: type[DataopsError] = VerificationError) -> None:
    names = sorted(found)
    if names:
        raise error(f"{what} {', '.join(names)}")
