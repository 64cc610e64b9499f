"""A stack's checkpoint file: finding it in its compressed forms, reading, writing."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.state.fold import features_of
from dataops.infra.state.property_json import dump
from dataops.infra.state.storage import Storage

SUFFIXES = ("", ".gz", ".zst")
VERSIONS = (3, 4)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it was found.

    Args:
        name: its name in the storage.
        data: its bytes.
        deployment: the deployment's JSON; empty for a stack that never had one.
    """

    name: str
    data: bytes
    deployment: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What a journal names its base by."""
        return digest(self.data)


def digest(data: bytes) -> str:
    """The hash of a checkpoint's bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_checkpoint(storage: Storage, name: str) -> Checkpoint | None:
    """The checkpoint of that name, ending in `.json`, or of a compressed form of it; None when there is none.

    Raises:
        VerificationError: it is damaged, or of a version that is not known here.
    """
    for suffix in SUFFIXES:
        data = storage.read(name + suffix)
        if data is not None:
            return Checkpoint(name + suffix, data, parse_checkpoint(data, storage.describe(name + suffix)))
    return None


def parse_checkpoint(data: bytes, where: str) -> Mapping[str, Any]:
    """The deployment in the bytes of a checkpoint. Raises as `read_checkpoint`."""
    try:
        document = json.loads(unpacked(data))
        version = document["version"]
        if version in VERSIONS:
            latest = document["checkpoint"].get("latest")
            latest = {} if latest is None else latest
            if not isinstance(latest, dict):
                raise TypeError
            return latest
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zlib.error) as error:
        raise VerificationError(
            "the stack's checkpoint is damaged", where=where, hint=f"compare it with the backup beside it: {where}.bak"
        ) from error
    raise VerificationError(
        f"the stack's checkpoint has version {version!r}, this version of dataops reads 3 and 4",
        where=where,
        hint="run `pulumi up` once to bring it up to date, or use a newer dataops",
    )


def unpacked(data: bytes) -> bytes:
    """Bytes without the compression that Pulumi may have applied."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        try:
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
        except zstandard.ZstdError as error:
            raise ValueError("damaged") from error
    return data


def checkpoint_bytes(stack: str, deployment: Mapping[str, Any]) -> bytes:
    """A checkpoint for the stack of that qualified name."""
    return dump({**envelope(deployment), "checkpoint": {"stack": stack, "latest": deployment}}).encode()


def envelope(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Version and features of a deployment, as checkpoints and exports begin with them."""
    features = features_of(deployment)
    return {"version": 4, "features": features} if features else {"version": 3}
