"""Fills a warehouse and a lake with made-up rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.envs.synthetic.rows import Row, make_rows
from dataops.envs.synthetic.shapes import TableShape, read_shapes
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.access import OWNER
from dataops.infra.platform.model import Platform
from dataops.infra.platform.names import Dataset
from dataops.infra.process.postgres_connection import connect, postgres_errors

if TYPE_CHECKING:
    import psycopg

_SERIAL = "SELECT setval(pg_get_serial_sequence(%s, %s), %s) WHERE pg_get_serial_sequence(%s, %s) IS NOT NULL"


def make_tables(connection: Mapping[str, Any], database: str, platform: Platform, folder: Path) -> None:
    """Makes the tables of a platform in an empty warehouse, from the SQL files that it names for that.

    Args:
        connection: how the superuser connects.
        folder: the platform's folder, which the files are relative to.

    Raises:
        ConfigurationError: it names none, or one is not there.
        ResourceError: Postgres refuses one.
    """
    files = schema_files(platform)
    with connect(connection, database) as session:
        with postgres_errors("making the schemas"):
            session.execute(f"SET ROLE {OWNER}")
        for name in files:
            path = folder / name
            if not path.is_file():
                raise ConfigurationError(f"there is no {name}", where="verification.synthetic.schemaFiles")
            with postgres_errors(f"running {name}"):
                session.execute(path.read_bytes())


def schema_files(platform: Platform) -> tuple[str, ...]:
    """The SQL files that make the tables of a platform.

    Raises:
        ConfigurationError: it names none.
    """
    if files := platform.verification.synthetic.schema_files:
        return files
    raise ConfigurationError(
        "there is nothing to make rows from: no snapshot that has the schema, and no files of it",
        hint="name the SQL files that make the tables as `verification.synthetic.schemaFiles` in dataops.yaml",
    )


def fill(connection: Mapping[str, Any], database: str, lake: Path, platform: Platform, seed: int) -> dict[str, int]:
    """Fills what steps of pipelines begin with: tables that no step makes of others, and objects that are like tables.

    Args:
        connection: how the superuser connects.
        database: the warehouse's database, whose tables are there.
        lake: the folder of the lake.
        platform: what is declared of them.
        seed: what all is drawn from.

    Returns:
        Rows by table.

    Raises:
        ConfigurationError: nothing is known of a type.
        ResourceError: Postgres refuses a row.
    """
    synthetic = platform.verification.synthetic
    with connect(connection, database) as session:
        with postgres_errors("reading the schema"):
            shapes = read_shapes(session, platform.stores.warehouse.schemas)
        rows = make_rows(shapes, synthetic, platform.policy, seed)
        derived = derived_tables(platform)
        with postgres_errors("filling the warehouse with made-up rows"), session.transaction():
            # tables may refer to one another in circles; what they refer to is there in the end
            session.execute("SET LOCAL session_replication_role = replica")
            for name, shape in shapes.items():
                if name not in derived:
                    _copy(session, shape, rows[name])
    for path, table in objects_of(platform).items():
        if table in shapes:
            columns = platform.policy.object_rules(path)
            _write(lake / path, shapes[table], rows[table], set(columns) if columns else None)
    return {name: len(found) for name, found in rows.items() if name not in derived}


def derived_tables(platform: Platform) -> set[str]:
    """The tables that a step makes of other tables: they are left to the pipelines."""
    found = set()
    for step in (step for pipeline in platform.pipelines.values() for step in pipeline.steps):
        if any(Dataset.parse(read).store == "warehouse" for read in step.inputs):
            found |= {Dataset.parse(made).name for made in step.outputs if Dataset.parse(made).store == "warehouse"}
    return found


def needless_steps(platform: Platform, pipeline: str) -> frozenset[str]:
    """The steps of a pipeline that only bring in, from elsewhere, what is made up: they would write over it."""
    derived, objects = derived_tables(platform), objects_of(platform)

    def made_up(made: Dataset) -> bool:
        return made.name in objects if made.store == "lake" else made.name not in derived

    return frozenset(
        step.name
        for step in platform.pipelines[pipeline].steps
        if step.outputs and not step.inputs and all(made_up(Dataset.parse(output)) for output in step.outputs)
    )


def objects_of(platform: Platform) -> dict[str, str]:
    """The objects of the lake that have the rows of a table: those that masking says are like it, and declared ones."""
    masked = {path: rules.like for path, rules in platform.masking.lake.items() if rules.like}
    return {**masked, **platform.verification.synthetic.objects}


def _copy(session: psycopg.Connection[tuple[Any, ...]], shape: TableShape, rows: Sequence[Row]) -> None:
    from psycopg import sql

    place = sql.Identifier(*shape.name.split(".", 1))
    names = [column.name for column in shape.columns]
    session.execute(sql.SQL("DELETE FROM {}").format(place))
    if not rows or not names:
        return
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(place, sql.SQL(", ").join(map(sql.Identifier, names)))
    with session.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])
    quoted = place.as_string(session)
    for name in names:
        last = rows[-1][name]
        if isinstance(last, int) and not isinstance(last, bool):
            session.execute(_SERIAL, (quoted, name, max(row[name] or 1 for row in rows), quoted, name))


def _write(path: Path, shape: TableShape, rows: Sequence[Row], columns: set[str] | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(), "float4": pa.float32(), "float8": pa.float64(),
        "bool": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us"), "bytea": pa.binary(),
        "timestamptz": pa.timestamp("us", tz="UTC"), "numeric": pa.decimal128(38, 6), "time": pa.time64("us"),
        "interval": pa.duration("us"),
    }  # fmt: skip
    arrays = {}
    for column in shape.columns:
        if columns is None or column.name in columns:
            values = [row[column.name] for row in rows]
            kind = types.get(column.type, pa.string())
            if kind == pa.string():
                values = [None if value is None else str(value) for value in values]
            arrays[column.name] = pa.array(values, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a clone that is not to be written to
    pq.write_table(pa.table(arrays), path, compression="zstd")
