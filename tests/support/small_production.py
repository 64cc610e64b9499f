"""A small production for tests of snapshots: a real server with assorted types, a lake, and a policy that fits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.capture import CaptureOptions, capture
from dataops.snapshots.golden import Golden
from dataops.snapshots.manifest import Manifest
from support.postgres import FAST, open_directory, throwaway_cluster

DATABASE = "shop"
FPE = {"rule": "fpe", "alphabet": "upper_digits"}
SHIFT = {"rule": "date_shift", "days": 180}
POLICY: dict[str, Any] = {
    "tables": {
        "raw.passengers": {
            "keep": ["passenger_id"],
            "name": "name",
            "email": "email",
            "phone": "phone",
            "date_of_birth": SHIFT,
            "passport": FPE,
            "loyalty": "digits",
            "token": {"rule": "fpe", "alphabet": "hex"},
            "notes": "text",
            "secret": "null",
            "nick": {"rule": "constant", "value": "nobody"},
            "hashed": "hash",
            "born_at": SHIFT,
        },
        "raw.bookings": {
            "keep": ["booking_id", "class", "seats", "price", "paid", "blob", "details", "during", "waited", "ratio"]
            + ["tag", "flag", "address", "remark"],
            "passport": FPE,
            "loyalty": "digits",
        },
        "raw.events": {"keep": ["id", "at"], "kind": "hash"},
        "raw.teams": {"keep": ["team_id", "captain"]},
        "raw.players": {"keep": ["player_id", "team_id"]},
        "raw.empty": {"keep": ["id"]},
    },
    "lake": {
        "raw/passengers.parquet": {
            "keep": ["passenger_id"],
            "passport": FPE,
            "loyalty": "digits",
            "email": "email",
            "date_of_birth": SHIFT,
            "tier": "hash",
        },
        "raw/kept.parquet": {"keep": ["x", "y"]},
        "readme.txt": {},
    },
}
MASKED = {
    "raw.passengers": set(POLICY["tables"]["raw.passengers"]) - {"keep"},
    "raw.bookings": {"passport", "loyalty"},
    "raw.events_2025": {"kind"},
    "raw.events_2026": {"kind"},
}


def platform(masking: dict[str, Any] = POLICY, hosts: tuple[str, ...] = ()) -> Platform:
    """The platform with a masking policy. Its odd table, whose name no `dataops.yaml` takes, is dropped by then."""
    return Platform.model_validate(
        {
            "apiVersion": "dataops/v1",
            "name": "shop",
            "stores": {"warehouse": {"database": DATABASE}},
            "masking": masking,
            "productionHosts": hosts,
        }
    )


@dataclass(frozen=True)
class Production:
    """The source of captures."""

    layout: PlatformLayout
    connection: dict[str, Any]
    lake: Path

    def capture(self, masking: dict[str, Any] = POLICY, **options: Any) -> Manifest:
        hosts = options.pop("hosts", ())
        given = CaptureOptions(**options)
        return capture(
            platform(masking, hosts), self.connection, DATABASE, self.lake, self.layout, "c0ffee", "production", given
        )

    def elsewhere(self, name: str) -> Production:
        """The same production with a store and keys of its own."""
        return Production(PlatformLayout(self.layout.home, name), self.connection, self.lake)


def write_lake(lake: Path) -> None:
    """Objects that join `raw.passengers`."""
    (lake / "raw").mkdir(parents=True)
    numbers = range(1, 2001)
    table = pa.table(
        {
            "passenger_id": pa.array(numbers, pa.int64()),
            "passport": [f"QZ{i * 7919 % 1000003:07}" if i % 10 else None for i in numbers],
            "loyalty": pa.array([i * 3 - 500 for i in numbers], pa.int64()),
            "email": [f"Canary.Mail{i}@secret-host.example.net" for i in numbers],
            "date_of_birth": pa.array([-7305 + i % 20000 for i in numbers], pa.int32()).cast(pa.date32()),
            "tier": pa.array([f"canary-tier-{i % 3}" for i in numbers]).dictionary_encode(),
        }
    ).replace_schema_metadata({"comment": "canary-metadata"})
    pq.write_table(table, lake / "raw" / "passengers.parquet", row_group_size=500)
    pq.write_table(pa.table({"x": [1, 2, None], "y": ["a", "b", None]}), lake / "raw" / "kept.parquet")
    (lake / "readme.txt").write_text("what this is\n")
    (lake / ".being-written").write_text("canary-unfinished")


@contextmanager
def small_production() -> Iterator[Production]:
    """Runs it within a `with` statement."""
    with open_directory() as home, throwaway_cluster(home, "cluster") as connection:
        with connect(connection) as admin:
            admin.execute(f"CREATE DATABASE {DATABASE}".encode())
        psql = install_binaries(home, server_user()).path("psql")
        script = Path(__file__).with_name("small_production.sql")
        target = [f"--host={connection['host']}", f"--port={connection['port']}", f"--username={connection['user']}"]
        subprocess.run(
            [str(psql), "-Xqo/dev/null", "-vON_ERROR_STOP=1", *target, f"--dbname={DATABASE}", f"--file={script}"],
            check=True,
        )
        with connect(connection, DATABASE) as admin:
            admin.execute('DROP SCHEMA "Odd Schema" CASCADE')
        write_lake(home / "lake")
        yield Production(PlatformLayout(home, "shop-00000000"), connection, home / "lake")


@dataclass(frozen=True)
class Restored:
    """A snapshot of production and its golden directory."""

    production: Production
    manifest: Manifest
    golden: Golden


@contextmanager
def running_clone(golden: Golden, directory: Path) -> Iterator[dict[str, Any]]:
    """Clones a golden directory into `directory` and runs it; gives the superuser's connection."""
    user = server_user()
    data = directory / "clone"
    data.parent.mkdir(parents=True, exist_ok=True)
    postgres_server.clone(golden.data_directory, data)
    with postgres_server.temporary_server(
        data, install_binaries(golden.data_directory.parents[4], user), user, settings=FAST
    ) as connection:
        yield connection


def copy_text(connection: dict[str, Any], query: str, database: str = DATABASE) -> bytes:
    """The result of a query as COPY text."""
    with connect(connection, database) as session, session.cursor() as cursor:
        session.execute("SET timezone = 'UTC'; SET lc_monetary = 'C'")
        with cursor.copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
            return b"".join(bytes(block) for block in copy)
