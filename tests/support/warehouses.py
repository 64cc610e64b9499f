"""Databases of one test each, on a server that tests share, and captures of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.capture import CaptureOptions, capture
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.references import References

PEOPLE = """
CREATE TABLE people (
  id int PRIMARY KEY, name text NOT NULL, mail text NOT NULL, age int, note text, changed int NOT NULL DEFAULT 0
) WITH (autovacuum_enabled = false);
INSERT INTO people SELECT i, 'Person ' || i, 'canary' || i || '@corp.example', i % 90, md5(i::text), 0
FROM generate_series(1, {rows}) AS i"""
POLICY: dict[str, Any] = {
    "tables": {"public.people": {"keep": ["id", "age", "note", "changed"], "name": "name", "mail": "email"}}
}


@dataclass(frozen=True)
class Warehouse:
    """A database, with the policy it is captured by and where the snapshots go."""

    layout: PlatformLayout
    connection: dict[str, Any]
    database: str
    masking: dict[str, Any]

    def capture(self, **options: Any) -> Manifest:
        """Takes a snapshot."""
        platform = Platform.model_validate(
            {
                "apiVersion": "dataops/v1",
                "name": "made",
                "stores": {"warehouse": {"database": self.database}},
                "masking": self.masking,
            }
        )
        lake = self.layout.home / "no-lake"
        given = CaptureOptions(**options)
        return capture(platform, self.connection, self.database, lake, self.layout, "c0ffee", "production", given)

    def capturing(self, **options: int) -> subprocess.Popen[str]:
        """Takes a snapshot in a process of its own, which prints a line for each thing that is done."""
        made = json.dumps([str(self.layout.home), self.layout.directory, self.connection, self.database, self.masking])
        words = [sys.executable, "-m", "support.warehouses", made, json.dumps(options)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs SQL; the rows of the last statement."""
        with connect(self.connection, self.database) as session:
            for statement in statements:
                cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def reached(self, connection: dict[str, Any]) -> Warehouse:
        """The same, reached otherwise."""
        return replace(self, connection=connection)

    def elsewhere(self, name: str) -> Warehouse:
        """The same, with a store and keys of its own."""
        return replace(self, layout=PlatformLayout(self.layout.home, name))

    def added(self, manifest: Manifest) -> int:
        """The bytes in the store that this snapshot alone has."""
        return References(self.layout.snapshots).shares(manifest.id).own


@contextmanager
def warehouse(
    connection: dict[str, Any], home: Path, database: str, script: str, masking: dict[str, Any] = POLICY
) -> Iterator[Warehouse]:
    """Makes a database by a script, gone at the end."""
    with connect(connection) as admin:
        admin.execute(f'CREATE DATABASE "{database}"'.encode())
    try:
        made = Warehouse(PlatformLayout(home, f"{database}-00000000"), connection, database, masking)
        made.run(script)
        yield made
    finally:
        with connect(connection) as admin:
            admin.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())


def main(made: str, options: str) -> None:
    """Takes a snapshot; see `Warehouse.capturing`."""
    home, directory, connection, database, masking = json.loads(made)
    source = Warehouse(PlatformLayout(Path(home), directory), connection, database, masking)
    source.capture(progress=lambda line: print(line, flush=True), **json.loads(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
