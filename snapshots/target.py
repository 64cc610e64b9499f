"""The database that a snapshot is restored into outside of any environment: what it is, has, lacks, and must not be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataops.infra.errors import ConfigurationError, LockedError, NotFoundError, PolicyError
from dataops.infra.platform.addresses import ProductionAddresses
from dataops.infra.process.postgres_connection import CONNECT_SECONDS, postgres_errors

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

LOCK = 0x64617461
"""The advisory lock of whoever restores into a database."""

SHOWN = 5
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _no_member(catalogue: str, oid: str) -> str:
    return f"""NOT EXISTS (SELECT FROM pg_depend e
  WHERE e.classid = '{catalogue}'::regclass AND e.objid = {oid} AND e.deptype = 'e')"""


_CONTENT = f"""
SELECT 'the relation ' || n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OWN} AND {_no_member("pg_class", "c.oid")}
UNION ALL SELECT 'the type ' || n.nspname || '.' || t.typname
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {_OWN} AND t.typrelid = 0 AND t.typelem = 0 AND {_no_member("pg_type", "t.oid")}
UNION ALL SELECT 'the function ' || n.nspname || '.' || p.proname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_OWN} AND {_no_member("pg_proc", "p.oid")}
UNION ALL SELECT 'the schema ' || n.nspname FROM pg_namespace n
WHERE {_OWN} AND n.nspname <> 'public' AND {_no_member("pg_namespace", "n.oid")}
UNION ALL SELECT 'the publication ' || pubname FROM pg_publication
UNION ALL SELECT 'the event trigger ' || evtname FROM pg_event_trigger t WHERE {_no_member("pg_event_trigger", "t.oid")}
UNION ALL SELECT 'the foreign server ' || srvname FROM pg_foreign_server
UNION ALL SELECT 'the large object ' || oid FROM pg_largeobject_metadata
UNION ALL SELECT 'the subscription ' || subname FROM pg_subscription s
  JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()"""
_CLEANED = f"""
SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication
UNION ALL SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger t
  WHERE {_no_member("pg_event_trigger", "t.oid")}
UNION ALL SELECT format('DROP SERVER %I CASCADE', srvname) FROM pg_foreign_server
UNION ALL SELECT format('SELECT lo_unlink(%s)', oid) FROM pg_largeobject_metadata
UNION ALL SELECT format('DROP SCHEMA %I CASCADE', n.nspname) FROM pg_namespace n
  WHERE {_OWN} AND {_no_member("pg_namespace", "n.oid")}
UNION ALL SELECT format('CREATE SCHEMA public AUTHORIZATION %I; GRANT USAGE ON SCHEMA public TO PUBLIC',
  pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = 'public'"""
_POLICY_ROLES = re.compile(rb"^CREATE POLICY .*? TO (.+?)(?= USING \(| WITH CHECK \(|;$)", re.M)
_EXTENSION = re.compile(rb'^CREATE EXTENSION IF NOT EXISTS "?([^"\s;]+)"?', re.M)
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^,\s]+)')


@dataclass(frozen=True, slots=True)
class Target:
    """A database to restore into.

    Args:
        connection: a session in it; nothing was changed yet.
        version: of its server, as `server_version_num`.
        database, user, place: the database, who works in it, and the server's address, in words.
        content: some of what it has.
    """

    connection: Connection
    version: int
    database: str
    user: str
    place: str
    content: tuple[str, ...]


def check_dsn(dsn: str, typed: bool, option: str = "--into") -> None:
    """Refuses what is no DSN, and one that showed its password to everybody who lists processes.

    Args:
        dsn: what was given.
        typed: that it stood on the command line.
        option: which one it was given with.

    Raises:
        ConfigurationError: it is one of these; the password is not told.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "it is no DSN", where=option, hint="write postgresql://user@host:5432/database, without the password"
        ) from None
    if typed and (given.get("password") or given.get("sslpassword")):
        raise ConfigurationError(
            "a password on the command line can be read by everybody on this machine",
            where=option,
            hint=f"leave it out and put it in PGPASSWORD or ~/.pgpass, or give the DSN on standard input: {option} -",
        )


def refuse_production(dsn: str, production: Iterable[str]) -> None:
    """Refuses a DSN that points at production, before anybody connects.

    Raises:
        PolicyError: it does; names the address.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    addresses = ProductionAddresses.of(production)
    given = {**libpq_defaults(), **{key: str(value) for key, value in conninfo_to_dict(dsn).items() if value}}
    hosts, ports = (str(given.get(key) or "").split(",") for key in ("host", "port"))
    spellings = [dsn, make_conninfo(**{k: v for k, v in given.items() if k in ("host", "hostaddr", "port", "dbname")})]
    for key in ("host", "hostaddr"):
        for index, host in enumerate(str(given.get(key) or "localhost").split(",")):
            port = (ports[index] if index < len(ports) else ports[0]) or "5432"
            spellings += [host if host.startswith("/") else f"postgresql://{host}:{port}/"]
            if host.startswith("/") or not hosts[0]:
                spellings.append(f"postgresql://127.0.0.1:{port}/")  # a socket: the same server listens there, too
    for spelling in spellings:
        if address := addresses.named_in(spelling):
            raise PolicyError(
                f"the database is production's ({address})", where="--into", hint="restore into a database of your own"
            )


def libpq_defaults() -> dict[str, str]:
    """What libpq takes from variables, service files and defaults where a DSN says nothing."""
    from psycopg.pq import Conninfo

    return {default.keyword.decode(): default.val.decode() for default in Conninfo.get_defaults() if default.val}


@contextmanager
def open_target(dsn: str, production_clusters: Iterable[str]) -> Iterator[Target]:
    """Connects to the database; what is done in the `with` statement is one transaction, kept if it ends well.

    Args:
        production_clusters: the system identifiers of production's clusters.

    Raises:
        ResourceError: the server refuses or is not there.
        PolicyError: the server is production's.
        LockedError: somebody restores into the same database.
    """
    import psycopg

    with postgres_errors("connecting to the database to restore into"):
        connection = psycopg.connect(
            dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="dataops snapshot restore"
        )
    with connection, postgres_errors("restoring the snapshot"):
        info = connection.info
        place = f"{info.host}:{info.port}"
        if _identifier(connection) in set(production_clusters):
            raise PolicyError(f"the server at {place} is production's", hint="restore into a database of your own")
        with connection.transaction():
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s), pg_is_in_recovery()", (LOCK,)).fetchone()
            if row is None or not row[0]:
                raise LockedError(f"somebody restores a snapshot into {info.dbname} at {place}")
            if row[1]:
                raise PolicyError(f"the server at {place} is a standby: nothing can be written to it")
            content = tuple(str(found[0]) for found in connection.execute(_CONTENT.encode()))
            yield Target(connection, info.server_version, info.dbname, info.user, place, content)


def require_empty(target: Target) -> None:
    """Refuses a database with anything in it.

    Raises:
        PolicyError: it has; names some of it.
    """
    if target.content:
        more = f" and {len(target.content) - SHOWN} more" if len(target.content) > SHOWN else ""
        raise PolicyError(
            f"the database {target.database} is not empty: it has {', '.join(target.content[:SHOWN])}{more}",
            where=target.place,
            hint="choose an empty database, or give everything in it up with --clean",
        )


def clean(target: Target) -> None:
    """Removes everything in the database, within the transaction: it is all there again if anything fails.

    Raises:
        PolicyError: it has a subscription, which cannot be dropped in a transaction.
    """
    if kept := [what for what in target.content if what.startswith("the subscription")]:
        raise PolicyError(f"the database {target.database} has {kept[0]}", hint="drop it first")
    for (statement,) in target.connection.execute(_CLEANED.encode()).fetchall():
        target.connection.execute(str(statement).encode())


def require_extensions(target: Target, script: bytes) -> None:
    """Refuses when the server lacks an extension that the schema needs.

    Raises:
        NotFoundError: it does; names all of them.
    """
    wanted = [name.decode() for name in _EXTENSION.findall(script)]
    known = {row[0] for row in target.connection.execute("SELECT name FROM pg_available_extensions")}
    if missing := sorted({*wanted} - known):
        raise NotFoundError(
            f"the server lacks what the schema needs: the extensions {', '.join(missing)}",
            where=target.place,
            hint="install them on the server, then run the command again",
        )


def require_roles(target: Target, script: bytes) -> None:
    """Refuses when the server lacks roles that policies of row security are for.

    Raises:
        NotFoundError: it does; names all of them, and how they are made.
    """
    listed = " , ".join(found.decode() for found in _POLICY_ROLES.findall(script))
    names = {quoted.replace('""', '"') if quoted else plain for quoted, plain in _NAME.findall(listed)}
    known = {row[0] for row in target.connection.execute("SELECT rolname FROM pg_roles")}
    if missing := sorted(names - known - {"PUBLIC", "public"}):
        raise NotFoundError(
            f"the server lacks roles that the schema names: {', '.join(missing)}",
            where=target.place,
            hint="; ".join(f'CREATE ROLE "{name}"' for name in missing),
        )


def _identifier(connection: Connection) -> str:
    """The number that names the cluster, "" when this user may not see it."""
    import psycopg

    try:
        row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return str(row[0]) if row else ""
