"""Property values in the JSON of Pulumi's checkpoints, secrets sealed."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.resources.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    RESOURCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_STRING,
    Archive,
    Asset,
    Output,
    Properties,
    ResourceReference,
    Secret,
    Unknown,
    Value,
    number,
)

FLOAT_SIGNATURE = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"

Seal = Callable[[str], dict[str, str]]
"""Turns the JSON text of a secret into `{"ciphertext": …}` or `{"plaintext": …}`."""

Open = Callable[[Mapping[str, Any]], str]
"""Turns either back into the JSON text."""


def dump(value: Any) -> str:
    """JSON as Pulumi's self-managed backend writes it: compact, not escaped beyond need."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain(text: str) -> dict[str, str]:
    """A `Seal` that does not: for `--show-secrets`."""
    return {"plaintext": text}


def encode(value: Value, seal: Seal) -> Any:
    """A property value as JSON; objects are sorted by key, so that equal values give equal text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return number(value)
        return {SIGNATURE: FLOAT_SIGNATURE, "value": struct.pack(">d", value).hex()}
    if isinstance(value, dict):
        return {key: encode(value[key], seal) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [encode(element, seal) for element in value]
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET_SIGNATURE, **seal(dump(encode(value.value, plain)))}
    if isinstance(value, Output):
        known = value.value
        return encode(Secret(known) if value.secret else known, seal)
    if isinstance(value, Unknown):
        return UNKNOWN_STRING
    if isinstance(value, (Asset, Archive)):
        signature = ASSET_SIGNATURE if isinstance(value, Asset) else ARCHIVE_SIGNATURE
        return {SIGNATURE: signature, **{key: encode(value.fields[key], seal) for key in sorted(value.fields)}}
    if isinstance(value, ResourceReference):
        said = {SIGNATURE: RESOURCE_SIGNATURE, "urn": value.urn, "packageVersion": value.package_version}
        return said if value.id is None else {**said, "id": encode(value.id, seal)}
    raise TypeError(f"not a property value: {type(value).__name__}")


def decode(value: Any, open_: Open) -> Value:
    """The inverse of `encode`; objects with a signature that is not known here stay as they are."""
    if isinstance(value, str):
        return UNKNOWN if value == UNKNOWN_STRING else value
    if isinstance(value, list):
        return [decode(element, open_) for element in value]
    if not isinstance(value, dict):
        return value
    signature = value.get(SIGNATURE)
    if signature is None:
        return {key: decode(element, open_) for key, element in value.items()}
    if signature == SECRET_SIGNATURE:
        return Secret(decode(json.loads(open_(value)), open_))
    if signature == RESOURCE_SIGNATURE:
        id_ = decode(value["id"], open_) if "id" in value else None
        return ResourceReference(value["urn"], id_, value.get("packageVersion", ""))
    fields = {key: decode(element, open_) for key, element in value.items() if key != SIGNATURE}
    if signature == ASSET_SIGNATURE:
        return Asset(fields)
    if signature == ARCHIVE_SIGNATURE:
        return Archive(fields)
    if signature == FLOAT_SIGNATURE:
        found: float = struct.unpack(">d", bytes.fromhex(fields["value"]))[0]
        return found
    return value


def encode_properties(properties: Properties, seal: Seal) -> dict[str, Any]:
    """`encode` for a resource's inputs or outputs."""
    return {key: encode(properties[key], seal) for key in sorted(properties)}


def reveal(document: Any, open_: Open) -> Any:
    """JSON with every sealed secret in plain text, everything else untouched."""
    if isinstance(document, list):
        return [reveal(element, open_) for element in document]
    if isinstance(document, dict):
        if document.get(SIGNATURE) == SECRET_SIGNATURE:
            return {SIGNATURE: SECRET_SIGNATURE, "plaintext": open_(document)}
        return {key: reveal(element, open_) for key, element in document.items()}
    return document


def conceal(document: Any, seal: Seal) -> Any:
    """JSON with every secret that is in plain text sealed, everything else untouched."""
    if isinstance(document, list):
        return [conceal(element, seal) for element in document]
    if isinstance(document, dict):
        if document.get(SIGNATURE) == SECRET_SIGNATURE and "plaintext" in document:
            return {SIGNATURE: SECRET_SIGNATURE, **seal(str(document["plaintext"]))}
        return {key: conceal(element, seal) for key, element in document.items()}
    return document


def sealed_text(secret: Mapping[str, Any]) -> tuple[str, bool]:
    """What a secret in JSON holds, and whether that is its plain text."""
    plaintext, ciphertext = secret.get("plaintext"), secret.get("ciphertext")
    if isinstance(plaintext, str) and ciphertext is None:
        return plaintext, True
    if isinstance(ciphertext, str) and plaintext is None:
        return ciphertext, False
    raise VerificationError("a secret in the state has neither a ciphertext nor a plain text, or both")
