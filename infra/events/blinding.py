"""Values in events: what is secret or unknown is not in them, but something that stands for it."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from typing import Any

from dataops.infra.resources.values import (
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_STRING,
    Archive,
    Asset,
    Output,
    ResourceReference,
    Secret,
    Unknown,
    Value,
    unwrap_secrets,
)


class Blinded(str):
    """What stands, in an event, for a value that must not or cannot be shown."""


_KEY = os.urandom(32)


class Hidden(Blinded):
    """`[secret]` in the place of a value. Two are equal when the values are, so that a change can be told, not shown.

    Args:
        value: what is hidden; only a digest is kept, under a key that no other process has.
    """

    __slots__ = ("_digest",)
    _digest: bytes

    def __new__(cls, value: Value) -> Hidden:
        hidden = super().__new__(cls, "[secret]")
        plain = json.dumps(unwrap_secrets(value), default=repr, sort_keys=True)
        hidden._digest = blake2b(plain.encode(errors="surrogatepass"), key=_KEY).digest()
        return hidden

    def __eq__(self, other: object) -> bool:
        return self._digest == other._digest if isinstance(other, Hidden) else str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


SECRET_SHOWN, UNKNOWN_SHOWN = Blinded("[secret]"), Blinded("[unknown]")
SECRET_JSON = {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "[secret]"}

_PLAIN = frozenset({str, bool, int, float, type(None)})


def blind(value: Value) -> Any:
    """A property value as JSON with `SECRET_SHOWN` and `UNKNOWN_SHOWN` where a value must not or cannot be shown."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {k: v if type(v) in _PLAIN else blind(v) for k, v in value.items()}
    if isinstance(value, Secret):
        return Hidden(value.value)
    if isinstance(value, Output):
        return Hidden(value.value) if value.secret else blind(value.value)
    if isinstance(value, Unknown) or value is UNKNOWN:
        return UNKNOWN_SHOWN
    if isinstance(value, dict):
        return {k: blind(v) for k, v in value.items()}
    if isinstance(value, list):
        return [blind(v) for v in value]
    if isinstance(value, ResourceReference):
        return value.urn
    if isinstance(value, (Asset, Archive)):
        return {k: blind(v) for k, v in value.fields.items() if k in ("path", "uri", "hash")}
    return value


def unblind(value: Any, secret: Any) -> Any:
    """A blinded value in Pulumi's JSON, where unknown values have a text of their own.

    Args:
        secret: what stands for each secret.
    """
    if isinstance(value, Blinded):
        return secret if value == SECRET_SHOWN else UNKNOWN_STRING
    if isinstance(value, dict):
        return {key: unblind(item, secret) for key, item in value.items()}
    if isinstance(value, list):
        return [unblind(item, secret) for item in value]
    return value
