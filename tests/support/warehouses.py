"""Databases of one test each, on a server that tests share, and captures of them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
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
from dataops.snapshots.unfinished import SETTLING_SECONDS

LAST = 8
"""How many ranges a capture that is to be stopped does after it has waited."""

PEOPLE = """
CREATE TABLE people (
  id int PRIMARY KEY, name text NOT NULL, mail text NOT NULL, age int, note text, changed int NOT NULL DEFAULT 0
) WITH (autovacuum_enabled = false);
INSERT INTO people SELECT i, 'Person ' || i, 'canary' || i || '@corp.example', i % 90, md5(i::text), 0
FROM generate_series(1, {rows}) AS i"""
POLICY: dict[str, Any] = {
    "tables": {"public.people": {"keep": ["id", "age", "note", "changed"], "name": "name", "mail": "email"}}
}


class Ranges:
    """Counts the ranges that a capture tells of."""

    def __init__(self) -> None:
        self.count = 0
        self._began = 0.0

    def add(self, line: str) -> None:
        """Counts what a line tells, if it tells of a range."""
        if line.startswith("public."):
            self._began = self._began or time.monotonic()
            self.count += 1

    def settle(self) -> None:
        """Waits until what is done from now on is recorded, with all that was done before."""
        time.sleep(max(0.0, self._began + SETTLING_SECONDS + 0.2 - time.monotonic()))


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

    def capturing(self, stop: int, **options: int) -> subprocess.Popen[str]:
        """Takes a snapshot in a process of its own, which prints a line for each thing that is done.

        Args:
            stop: after so many ranges it does nothing more. Before the last few it waits until what was done is
                recorded, which it is only when the server must have it on its disk.
        """
        made = json.dumps([str(self.layout.home), self.layout.directory, self.connection, self.database, self.masking])
        words = [sys.executable, "-m", "support.warehouses", made, str(stop), json.dumps(options)]
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


def main(made: str, stop: str, options: str) -> None:
    """Takes a snapshot as far as it should; see `Warehouse.capturing`."""
    home, directory, connection, database, masking = json.loads(made)
    source = Warehouse(PlatformLayout(Path(home), directory), connection, database, masking)
    lock, done = threading.Lock(), Ranges()

    def tell(line: str) -> None:
        with lock:
            print(line, flush=True)
            done.add(line)
            reached = done.count
        if reached >= int(stop):
            threading.Event().wait()
        if reached >= int(stop) - LAST:
            done.settle()

    source.capture(progress=tell, **json.loads(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
