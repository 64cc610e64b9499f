"""What each test gets a copy of: a server with a filled database, and the objects of a lake, made once per test run.

They lie in the folder of an environment that is never recorded: the lease that the test run holds, and the marks of
containers and processes, are how `dataops gc` knows what a killed one left.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dataops.envs.lock import hold
from dataops.envs.synthetic.fill import fill, make_tables, schema_files
from dataops.envs.verification.servers import throwaway_server
from dataops.infra.errors import DataopsError, NotFoundError, ResourceError
from dataops.infra.platform.access import OWNER, PIPELINE
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process.cloning import clone_tree
from dataops.infra.process.ports import LOOPBACK, free_port
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.infra.process.removal import remove_tree
from dataops.testing.settings import Settings
from dataops.testing.stores import TestedLake

if TYPE_CHECKING:
    from dataops.envs.verification.lake_container import LakeServer

LAKES = "lakes"
ATTEMPTS = 3
"""How often a server is started on another port, when somebody was faster to take the first."""


@dataclass(frozen=True, slots=True)
class Template:
    """A filled database and a lake, of which copies are made.

    Args:
        root: the folder that everything lies in.
        connection: how the superuser connects.
        port: where others connect, on loopback.
        database: the filled database.
        lake: the folder of the objects.
        password: that of the role that pipelines have.
        server: the S3 server before the copies of the lake; None where programs see the folders themselves.
    """

    root: Path
    connection: Mapping[str, Any]
    port: int
    database: str
    lake: Path
    password: str = field(repr=False)
    server: LakeServer | None = None

    @contextmanager
    def database_copy(self) -> Iterator[str]:
        """A database of its own, as long as the block runs; gives its URL, which holds the password."""
        from psycopg import sql

        name = f"test_{secrets.token_hex(6)}"
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(self.database), sql.Identifier(OWNER)
            )
        )
        try:
            yield f"postgresql://{PIPELINE}:{quote(self.password)}@{LOOPBACK}:{self.port}/{name}"
        finally:
            self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def lake_copy(self) -> Iterator[TestedLake]:
        """The objects, as long as the block runs."""
        name = f"test-{secrets.token_hex(6)}"
        place = self.root / LAKES / name
        clone_tree(self.lake, place)
        try:
            if self.server is None:
                yield TestedLake(place)
            else:
                self.server.open(name)
                yield TestedLake(place, name, self.server.variables())
        finally:
            remove_tree(place)
            if self.server is not None:
                self.server.forget(name)

    def _administer(self, statement: Any) -> None:
        with connect(self.connection) as session, postgres_errors("copying the database of tests"):
            session.execute(statement)


@contextmanager
def template(settings: Settings, platform: Platform, layout: PlatformLayout) -> Iterator[Template]:
    """Makes the template as the settings say, and removes it with all copies.

    Raises:
        NotFoundError: there is no such snapshot, or none at all.
        ConfigurationError: there is nothing that rows could be made from; testcontainers is not installed.
        ResourceError: no engine answers; a server does not start.
    """
    image = platform.images.server if settings.target == "docker" else ""
    if image:
        from dataops.envs.verification.containers import require_engine

        require_engine()
    name = f"test-{secrets.token_hex(4)}"
    root = layout.environment(name).root
    with hold(layout.registry, name, "pytest"), ExitStack() as stack:
        stack.callback(remove_tree, root)
        (root / ".dataops").mkdir(parents=True)
        root.chmod(0o755)
        source, lake = _source(settings, platform, layout)
        port, connection = _started(stack, source, root, layout, image)
        database = platform.stores.warehouse.database
        objects = root / "lake"
        if settings.data == "snapshot" and lake is not None:
            clone_tree(lake, objects)
        else:
            objects.mkdir()
        if source is None:
            _make_database(connection, database, platform)
            make_tables(connection, database, platform, settings.folder)
        if settings.data == "synthetic":
            fill(connection, database, objects, platform, settings.seed)
        password = secrets.token_urlsafe(18)
        _make_roles(connection, password, platform)
        server = _lakes(stack, root, platform) if image else None
        yield Template(root, connection, port, database, objects, password, server)


def _lakes(stack: ExitStack, root: Path, platform: Platform) -> LakeServer:
    from dataops.envs.verification.lake_container import contained_lakes

    return stack.enter_context(contained_lakes(root, root / LAKES, platform))


def _source(settings: Settings, platform: Platform, layout: PlatformLayout) -> tuple[Path | None, Path | None]:
    """The cluster and the lake that the template is a clone of; None for a new cluster."""
    from dataops.snapshots.choosing import EMPTY, NEWEST, choose_snapshot
    from dataops.snapshots.golden import ensure_golden

    synthetic = settings.data == "synthetic"
    if synthetic and platform.verification.synthetic.schema_files:
        return None, None  # the code at hand says what its tables are
    try:
        golden = ensure_golden(choose_snapshot(EMPTY if synthetic else settings.snapshot or NEWEST, layout), layout)
    except NotFoundError as error:
        if not synthetic:
            error.hint = f"{error.hint}; or test with made-up rows: --dataops-data synthetic"
            raise
        schema_files(platform)
        raise
    return golden.data_directory, golden.lake_directory


def _started(
    stack: ExitStack, source: Path | None, root: Path, layout: PlatformLayout, image: str
) -> tuple[int, Mapping[str, Any]]:
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        try:
            server = throwaway_server(source, root, layout.home, root, image, port)
            return port, stack.enter_context(server)
        except DataopsError:
            if attempt == ATTEMPTS:
                raise
    raise ResourceError("no server could be started")


def _make_database(connection: Mapping[str, Any], database: str, platform: Platform) -> None:
    from psycopg import sql

    owner, named = sql.Identifier(OWNER), sql.Identifier(database)
    with connect(connection) as session, postgres_errors("making the database of tests"):
        session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(owner))
        session.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(named, owner))
    with connect(connection, database) as session, postgres_errors("making the schemas of tests"):
        for schema in platform.stores.warehouse.schemas:
            session.execute(
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(sql.Identifier(schema), owner)
            )


def _make_roles(connection: Mapping[str, Any], password: str, platform: Platform) -> None:
    """The role of pipelines, which acts as the owner of everything, as it does in environments, and those of products:
    what a snapshot carries may grant them rights on tables that are made.
    """
    from psycopg import sql

    role, owner = sql.Identifier(PIPELINE), sql.Identifier(OWNER)
    with connect(connection) as session, postgres_errors("making the login of tests"):
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
        session.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(role, sql.Literal(password), owner)
        )
        session.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(role, sql.Literal(OWNER)))
        there = {str(name) for (name,) in session.execute("SELECT rolname FROM pg_roles")}
        for name in sorted({*platform.access.roles} - there):
            session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
