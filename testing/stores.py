"""The warehouse and the lake of one test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dataops.infra.platform.lake_objects import objects_of

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TestedWarehouse:
    """A database of one test; whatever is written to it is gone afterwards. `url` holds a password."""

    __test__ = False

    url: str = field(repr=False)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in autocommit mode, with the rights of pipelines; close it, or use it in a `with` statement."""
        import psycopg

        return psycopg.connect(self.url, autocommit=True)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement, none where it has no result."""
        with self.connect() as session:
            found = session.execute(statement.encode(), parameters or None)
            return found.fetchall() if found.description else []

    def variables(self) -> dict[str, str]:
        """The variables with which programs find it, as in an environment."""
        parts = urlsplit(self.url)
        return {
            "WAREHOUSE_URL": self.url,
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port),
            "PGUSER": parts.username or "",
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": parts.path.lstrip("/"),
        }


@dataclass(frozen=True, slots=True)
class TestedLake:
    """The objects of one test, files below `path`; whatever is written to them is gone afterwards.

    With `bucket`, an S3 server stands before them, which lets in who has the `credentials`.
    """

    __test__ = False

    path: Path
    bucket: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """As programs find it in `LAKE_URL`: a folder, or a bucket of an S3 server."""
        return f"s3://{self.bucket}" if self.bucket else f"file://{self.path}"

    def objects(self) -> list[str]:
        """The paths of all objects, sorted."""
        return [path.relative_to(self.path).as_posix() for path in objects_of(self.path)]

    def read(self, path: str) -> pa.Table:
        """A Parquet object as a table."""
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.path / path).read()

    def write(self, path: str, table: pa.Table) -> None:
        """Writes a table as a Parquet object."""
        import pyarrow.parquet as pq

        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, self.path / path)

    def variables(self) -> dict[str, str]:
        """The variables with which programs find it, as in an environment."""
        return {"LAKE_URL": self.url, **self.credentials}
