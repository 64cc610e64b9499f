"""What the answers of a capture depend on beside the rows: where it differs, no earlier answer can be used again."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from dataops.infra.platform.masking_rules import GROUP
from dataops.snapshots.chunks import derive
from dataops.snapshots.manifest import blake3_hex, canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataops.snapshots.catalogue import Connection
    from dataops.snapshots.source import Source

_MAY = "SELECT has_function_privilege('pg_control_system()', 'execute') AND " + (
    "has_function_privilege('pg_control_checkpoint()', 'execute')"
)
_CLUSTER = "SELECT system_identifier::text, timeline_id::text FROM pg_control_system(), pg_control_checkpoint()"
_STARTED = """
SELECT CASE WHEN current_setting('fsync') = 'off' OR current_setting('synchronous_commit') = 'off'
  THEN pg_postmaster_start_time()::text END"""
_STARTED_ANYHOW = "SELECT pg_postmaster_start_time()::text"
_DATABASE = "SELECT oid::text FROM pg_database WHERE datname = current_database()"


def grounds_of(source: Source, schema_hash: str, policy: str, masking_key: bytes, others: Sequence[str]) -> str:
    """The grounds of a capture, as a hash.

    Args:
        source: the database.
        schema_hash: of its schema.
        policy: the hash of the masking rules.
        masking_key: of the platform.
        others: what the data are searched for, and which part of them is taken.
    """
    rules = sorted({f"{p.dist.name} {p.dist.version}" for p in metadata.entry_points(group=GROUP) if p.dist})
    facts = [
        metadata.version("dataops"),
        rules,
        _server(source.leader),
        source.server_version,
        schema_hash,
        policy,
        derive(masking_key, "which key it is").hex(),
        list(others),
    ]
    return blake3_hex(canonical_json(facts))


def _server(connection: Connection) -> list[str | None]:
    """What tells this server, and this course of its history, from others.

    A server that does not wait for its disk may lose transactions in a crash, whose numbers it then uses again; so does
    one that was put back to an earlier time, which goes on in another timeline.
    """
    may = connection.execute(_MAY).fetchone()
    queries = [_DATABASE, *([_CLUSTER, _STARTED] if may and may[0] else [_STARTED_ANYHOW])]
    return [value for query in queries for value in (connection.execute(query.encode()).fetchone() or ())]
