"""Property values: what inputs and outputs consist of.

A value is None, bool, int, float, str, a list or dict of values, or one of the classes below. Numbers travel as doubles
on the wire; `number` gives them back as int where they are whole, as the Pulumi engine writes them.
The signatures are those of the Pulumi SDK (`sdk/go/common/resource/sig`), shared by the wire and the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value = Any
"""A property value; recursive, hence not expressible more closely without a cost in every signature."""

Properties = dict[str, Value]


class Unknown:
    """The type of `UNKNOWN`, a value that only an update can know."""

    _only: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: object) -> Unknown:
        return self


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is encrypted at rest and never shown."""

    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class Output:
    """An output value with its dependencies: what the SDK sends for arguments of remote components and calls.

    Args:
        value: the element, or UNKNOWN when it is not known.
        secret: whether it is secret.
        dependencies: URNs it depends on.
    """

    value: Value
    secret: bool = False
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceReference:
    """A reference to another resource of the stack; `id` is None for components and UNKNOWN in previews."""

    urn: str
    id: Value = None
    package_version: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file-like value, kept in its wire form without the signature: `text`, `path` or `uri`, and `hash`."""

    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Archive:
    """A tree of files, kept in its wire form without the signature: `assets`, `path` or `uri`, and `hash`."""

    fields: Mapping[str, Value]


def number(value: float) -> int | float:
    """A wire double as int where it is whole: `1.0` becomes `1`."""
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


def transform(value: Value, change: Callable[[Value], Value]) -> Value:
    """Rebuilds a value bottom-up, calling `change` on each node after its children."""
    if isinstance(value, dict):
        return change({k: transform(v, change) for k, v in value.items()})
    if isinstance(value, list):
        return change([transform(v, change) for v in value])
    if isinstance(value, Secret):
        return change(Secret(transform(value.value, change)))
    if isinstance(value, Output):
        return change(Output(transform(value.value, change), value.secret, value.dependencies))
    return change(value)


def contains(value: Value, test: Callable[[Value], bool]) -> bool:
    """Whether any node of a value passes `test`."""
    if test(value):
        return True
    if isinstance(value, dict):
        return any(contains(v, test) for v in value.values())
    if isinstance(value, list):
        return any(contains(v, test) for v in value)
    if isinstance(value, (Secret, Output)):
        return contains(value.value, test)
    return False


def has_unknowns(value: Value) -> bool:
    """Whether some part of a value is not known yet."""
    return contains(value, lambda v: v is UNKNOWN)


def has_secrets(value: Value) -> bool:
    """Whether some part of a value is secret."""
    return contains(value, lambda v: isinstance(v, Secret) or (isinstance(v, Output) and v.secret))


def unwrap_secrets(value: Value) -> Value:
    """The same value with secrets as plain values: for a provider that has to use them, never for printing."""
    return transform(value, lambda v: v.value if isinstance(v, (Secret, Output)) else v)
