"""The manifest of a snapshot: what it consists of, where it came from, what was masked.

`manifest.json` holds `{"manifest": {…}, "signature": …}`; the signature (Ed25519) covers the canonical JSON of the
manifest: keys sorted, no spaces, UTF-8. Hashes are BLAKE3 in hexadecimal; sizes are bytes; times are UTC, ISO 8601.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import VerificationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = "dataops-snapshot/2"
FILE = "manifest.json"
PRE_DATA, POST_DATA = "schema/pre-data", "schema/post-data"
SCHEMA = "schema"
"""Where production hosts are said to be named that the schema names."""


class UnknownFormatError(VerificationError):
    """A snapshot was made by an older or newer version of dataops, which laid it down otherwise."""


@dataclass(frozen=True, slots=True)
class StoredData:
    """Some data of the snapshot, as chunks; which ones, the encrypted index says.

    Args:
        chunks: how many.
        stored: bytes of the chunks in the store, those that other snapshots have too included.
        hash: keyed hash of the list of chunks: equal for equal data of one platform, and telling nothing else.
    """

    chunks: int
    stored: int
    hash: str


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """The encrypted index, which lies beside the manifest: its size and its hash."""

    stored: int
    hash: str


@dataclass(frozen=True, slots=True)
class TableEntry:
    """The rows of one table; `bytes` is their size as COPY text. `columns` are those in the data, in their order."""

    columns: tuple[str, ...]
    rows: int
    bytes: int
    data: StoredData


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One object of the lake as the clone will see it: `bytes` is the size of the (masked) object."""

    bytes: int
    rows: int | None
    data: StoredData


@dataclass(frozen=True, slots=True)
class SequenceEntry:
    """Where a sequence stands: its last value, and whether that was handed out."""

    last: int
    called: bool


@dataclass(frozen=True, slots=True)
class MaskedColumn:
    """What masking did to one column.

    Args:
        rule: the rule with its options, as in the policy.
        distinct: different values that were seen; a lower bound once it reaches a million.
        changed: rows (not distinct values) whose value differs afterwards.
    """

    rule: str
    distinct: int
    changed: int


@dataclass(frozen=True, slots=True)
class ProductionReference:
    """A production host that masked data still names; `where` is a table, an object or `schema`, never a value."""

    where: str
    host: str
    count: int


@dataclass(frozen=True, slots=True)
class Unsearched:
    """An object that was not searched for production hosts, or not to its end, and why."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Portion:
    """Of a subset, how much of a table it has and why.

    Args:
        why: `all` or `rule` for what rules say, `down` for rows that go along, `needed` for those that others refer to,
            `small` for a small table that nothing leads to, `empty` for one that is left out.
        of: how many rows the table has; None when it is taken whole.
        estimated: whether that is the server's estimate.
    """

    why: str
    of: int | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class SubsetEntry:
    """That a snapshot is a part of what was captured.

    Args:
        rules: which rows were asked for, see `subsets.rules`.
        tables: what is there of each table, by `schema.table`.
        objects: how many objects the lake had.
    """

    rules: tuple[str, ...]
    tables: Mapping[str, Portion]
    objects: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One snapshot.

    Args:
        id: time and content hash, `20261123T004042Z-1f0c9a2b3d4e`.
        platform, environment: what was captured.
        created: when the database snapshot was taken.
        git_commit: the commit that the environment ran.
        policy_hash, schema_hash: of the masking policy and of the database's schema.
        lsn: the position in the write-ahead log.
        server_version: of the captured server, as `server_version_num`.
        database: the name of the database.
        index: the list of the chunks.
        pre_data, post_data: its schema as SQL: what precedes the rows, and what follows.
        sequences: by `schema.sequence`.
        materialized_views: those to fill after the restore, in order.
        tables: by `schema.table`.
        objects: by path in the lake.
        masking: by `schema.table.column` or `lake:path.column`; only columns that are not kept.
        production_hosts: what the data was searched for.
        production_references: what was found.
        unsearched: what was not searched, or not to its end.
        subset: that it has a part of the rows only; None when it has all.
        left_out: what the database has and the snapshot does not carry, in words.
    """

    id: str
    platform: str
    environment: str
    created: str
    git_commit: str
    policy_hash: str
    schema_hash: str
    lsn: str
    server_version: int
    database: str
    index: IndexEntry
    pre_data: StoredData
    post_data: StoredData
    sequences: Mapping[str, SequenceEntry]
    materialized_views: tuple[str, ...]
    tables: Mapping[str, TableEntry]
    objects: Mapping[str, ObjectEntry]
    masking: Mapping[str, MaskedColumn]
    production_hosts: tuple[str, ...]
    production_references: tuple[ProductionReference, ...]
    unsearched: tuple[Unsearched, ...] = ()
    subset: SubsetEntry | None = None
    left_out: tuple[str, ...] = ()

    def canonical(self) -> bytes:
        """The bytes that are hashed and signed."""
        body = {"format": FORMAT, **asdict(self)}
        for late in ("unsearched", "subset", "left_out"):
            if not body[late]:
                del body[late]  # earlier snapshots have none, and keep their ids
        return canonical_json(body)

    @property
    def hash(self) -> str:
        """The hash of the whole manifest, id included."""
        return blake3_hex(self.canonical())

    def data(self) -> dict[str, StoredData]:
        """All data of the snapshot, by their label in the index."""
        return {
            PRE_DATA: self.pre_data,
            POST_DATA: self.post_data,
            **{table_label(name): entry.data for name, entry in self.tables.items()},
            **{object_label(path): entry.data for path, entry in self.objects.items()},
        }

    @property
    def size(self) -> int:
        """Bytes of all rows, as COPY text, and objects."""
        return sum(t.bytes for t in self.tables.values()) + sum(o.bytes for o in self.objects.values())

    def named(self) -> Manifest:
        """The same manifest under the id that its time and content give it."""
        content = replace(self, id="")
        stamp = self.created[:19].replace("-", "").replace(":", "")
        return replace(self, id=f"{stamp}Z-{blake3_hex(content.canonical())[:12]}")


def table_label(table: str) -> str:
    """The label of a table's rows in the index."""
    return f"tables/{table}"


def object_label(path: str) -> str:
    """The label of an object in the index."""
    return f"lake/{path}"


def blake3_hex(data: bytes) -> str:
    """The BLAKE3 hash of some bytes, in hexadecimal."""
    from blake3 import blake3

    return blake3(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON in the one form that hashes and signatures are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def seal(manifest: Manifest, key: Ed25519PrivateKey) -> bytes:
    """The contents of `manifest.json`: the manifest and its signature."""
    body = json.loads(manifest.canonical())
    signature = base64.b64encode(key.sign(manifest.canonical())).decode()
    return json.dumps({"manifest": body, "signature": signature}, indent=1, sort_keys=True).encode() + b"\n"


def unseal(text: bytes, key: Ed25519PublicKey, *, where: str) -> Manifest:
    """Reads `manifest.json` and checks its signature and its id.

    Raises:
        VerificationError: torn, tampered with, signed by another key, or of an unknown format.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        document = json.loads(text)
        body = document["manifest"]
        key.verify(base64.b64decode(document["signature"]), canonical_json(body))
        if (found := body.pop("format")) != FORMAT:
            raise UnknownFormatError(
                f"the snapshot is in the format {str(found)[:40]!r}, which this version of dataops does not read",
                where=where,
                hint="capture anew with `dataops snapshot capture`, and remove this one with `dataops snapshot rm`",
            )
        manifest = _parse(body)
    except InvalidSignature:
        raise VerificationError(
            "the manifest's signature does not fit: it was changed, or signed by another key",
            where=where,
            hint="take a new snapshot with `dataops snapshot capture`",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise VerificationError(
            "the manifest cannot be read: it is torn or not one of ours",
            where=where,
            hint="take a new snapshot with `dataops snapshot capture`",
        ) from None
    if manifest.named().id != manifest.id:
        raise VerificationError("the snapshot's id does not fit its content", where=where)
    return manifest


def _parse(body: dict[str, Any]) -> Manifest:
    def stored(value: dict[str, Any]) -> StoredData:
        return StoredData(**value)

    return Manifest(
        **{
            **body,
            "index": IndexEntry(**body["index"]),
            "pre_data": stored(body["pre_data"]),
            "post_data": stored(body["post_data"]),
            "sequences": {name: SequenceEntry(**entry) for name, entry in body["sequences"].items()},
            "materialized_views": tuple(body["materialized_views"]),
            "tables": {
                name: TableEntry(tuple(entry["columns"]), entry["rows"], entry["bytes"], stored(entry["data"]))
                for name, entry in body["tables"].items()
            },
            "objects": {
                name: ObjectEntry(entry["bytes"], entry["rows"], stored(entry["data"]))
                for name, entry in body["objects"].items()
            },
            "masking": {name: MaskedColumn(**entry) for name, entry in body["masking"].items()},
            "production_hosts": tuple(body["production_hosts"]),
            "production_references": tuple(ProductionReference(**entry) for entry in body["production_references"]),
            "unsearched": tuple(Unsearched(**entry) for entry in body.get("unsearched", ())),
            "subset": _subset(body.get("subset")),
            "left_out": tuple(body.get("left_out", ())),
        }
    )


def _subset(entry: dict[str, Any] | None) -> SubsetEntry | None:
    if entry is None:
        return None
    tables = {name: Portion(**portion) for name, portion in entry["tables"].items()}
    return SubsetEntry(tuple(entry["rules"]), tables, entry["objects"])
