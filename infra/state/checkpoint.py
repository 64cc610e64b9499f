"""A stack's checkpoint file: finding it in its compressed forms, reading, writing."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.errors import ConfigurationError, VerificationError
from dataops.infra.state.fold import features_of
from dataops.infra.state.migration import upgraded
from dataops.infra.state.property_json import dump
from dataops.infra.state.storage import Storage

SUFFIXES = ("", ".gz", ".zst")


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
    found = find_checkpoint(storage, name)
    if found is None:
        return None
    return Checkpoint(*found, parse_checkpoint(found[1], storage.describe(found[0])))


def find_checkpoint(storage: Storage, name: str) -> tuple[str, bytes] | None:
    """Name and bytes of a checkpoint, damaged or not; of several forms the one that was written last."""
    folder, _, file = name.rpartition("/")
    beside = storage.names(folder, beginning=file)
    forms = [name + suffix for suffix in SUFFIXES if file + suffix in beside]
    if len(forms) > 1:
        forms.sort(key=storage.modified, reverse=True)
    for form in forms:
        if (data := storage.read(form)) is not None:
            return form, data
    return None


def parse_checkpoint(data: bytes, where: str) -> Mapping[str, Any]:
    """The deployment in the bytes of a checkpoint. Raises as `read_checkpoint`."""
    try:
        document = json.loads(unpacked(data))
        # Before checkpoints had versions, the document was the checkpoint itself.
        version = document.get("version", 0)
        inner = document["checkpoint"] if version else {"latest": document["latest"], "stack": document["stack"]}
        latest = inner.get("latest")
        latest = {} if latest is None else latest
        if not isinstance(latest, dict) or not isinstance(version, int):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zlib.error) as error:
        raise damaged(where) from error
    return upgraded(
        latest, version, document.get("features") or (), f"the stack's checkpoint has version {version}", where
    )


def damaged(where: str) -> VerificationError:
    """The error for a checkpoint that cannot be read."""
    return VerificationError(
        "the stack's checkpoint is damaged",
        where=where,
        hint="see which good copies there are: `dataops stack recover`; nothing has been changed",
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


def packed(data: bytes, suffix: str) -> bytes:
    """Bytes compressed as the suffix of their name says; the same bytes each time."""
    if suffix == ".gz":
        return gzip.compress(data, mtime=0)
    if suffix == ".zst":
        import zstandard

        return zstandard.ZstdCompressor().compress(data)
    return data


def compression(environment: Mapping[str, str]) -> str:
    """The suffix of the compression that Pulumi's variables ask for, "" for none.

    Raises:
        ConfigurationError: they ask for two.
    """
    asked = [
        suffix
        for suffix, names in (
            (".gz", ("PULUMI_DIY_BACKEND_GZIP", "PULUMI_SELF_MANAGED_STATE_GZIP")),
            (".zst", ("PULUMI_DIY_BACKEND_ZSTD",)),
        )
        if any(environment.get(name, "").lower() in ("1", "t", "true") for name in names)
    ]
    if len(asked) > 1:
        raise ConfigurationError(
            "PULUMI_DIY_BACKEND_GZIP and PULUMI_DIY_BACKEND_ZSTD are both set", hint="unset one of them"
        )
    return asked[0] if asked else ""


def checkpoint_bytes(stack: str, deployment: Mapping[str, Any]) -> bytes:
    """A checkpoint for the stack of that qualified name."""
    return dump({**envelope(deployment), "checkpoint": {"stack": stack, "latest": deployment}}).encode()


def envelope(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Version and features of a deployment, as checkpoints and exports begin with them."""
    features = features_of(deployment)
    return {"version": 4, "features": features} if features else {"version": 3}
