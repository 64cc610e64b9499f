"""Property values on the wire: between `google.protobuf.Struct` and `dataops.infra.resources.values`.

Runs for every resource several times, so it is written for speed: no options object, no visitor.
"""

from __future__ import annotations

import math
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.resources.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    OUTPUT_SIGNATURE,
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
    Value,
)

_UNKNOWNS = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # an array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)


def from_struct(struct: Any) -> Properties:
    """The properties in a Struct, with everything special as an instance of its class."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: Any) -> Value:
    """One value of the wire."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if len(text) == 36 and text in _UNKNOWNS else text
    if kind == "number_value":
        number = value.number_value
        if number.is_integer():
            return int(number) if abs(number) < 2**63 else number
        if not math.isfinite(number):
            raise ResourceError(f"{number} cannot be a property: JSON, and so the state, has no such number")
        return number
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields:
            return _special({key: item for key, item in fields.items()})
        return {key: from_value(item) for key, item in fields.items()}
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    return None


def _special(fields: dict[str, Any]) -> Value:
    signature = fields.pop(SIGNATURE).string_value
    if signature == SECRET_SIGNATURE:
        return Secret(from_value(fields["value"])) if "value" in fields else Secret(None)
    plain = {key: from_value(item) for key, item in fields.items()}
    if signature == OUTPUT_SIGNATURE:
        value = plain["value"] if "value" in plain else UNKNOWN
        return Output(value, bool(plain.get("secret")), tuple(plain.get("dependencies") or ()))
    if signature == RESOURCE_SIGNATURE:
        id_ = plain.get("id")
        return ResourceReference(
            plain["urn"], UNKNOWN if "id" in plain and id_ == "" else id_, plain.get("packageVersion") or ""
        )
    if signature == ASSET_SIGNATURE:
        return Asset(plain)
    if signature == ARCHIVE_SIGNATURE:
        return Archive(plain)
    raise ResourceError(f"a property has the unknown signature {signature!r}", hint="a newer SDK may have made it")


def to_struct(
    properties: Properties,
    *,
    secrets: bool = True,
    unknowns: bool = True,
    references: bool = True,
    outputs: bool = False,
    into: Any = None,
) -> Any:
    """Properties as a Struct.

    Args:
        secrets: whether the receiver understands secrets; if not, they are sent as plain values.
        unknowns: whether unknown values are sent (as the sentinel string); if not, they are left out.
        references: whether the receiver understands resource references; if not, it gets their id or URN.
        outputs: whether output values are sent with their dependencies, rather than as what they hold.
        into: a Struct to fill instead of a new one.
    """
    if outputs:
        properties = {key: _spelled_out(value) for key, value in properties.items()}
    if into is None:
        from google.protobuf.struct_pb2 import Struct

        into = Struct()
    fields = into.fields
    for key, value in properties.items():
        if value is UNKNOWN and not unknowns:
            continue
        _put(fields[key], value, secrets, unknowns, references)
    return into


def to_value(value: Value) -> Any:
    """One value for the wire, with secrets, unknowns and references kept."""
    from google.protobuf.struct_pb2 import Value as WireValue

    wire = WireValue()
    _put(wire, value, True, True, True)
    return wire


def _put(wire: Any, value: Value, secrets: bool, unknowns: bool, references: bool) -> None:
    kind = type(value)
    if kind is str:
        wire.string_value = value
    elif kind is bool:
        wire.bool_value = value
    elif kind is int or kind is float:
        wire.number_value = value
    elif value is None:
        wire.null_value = 0
    elif kind is dict:
        wire.struct_value.SetInParent()
        fields = wire.struct_value.fields
        for key, item in value.items():
            if item is UNKNOWN and not unknowns:
                continue
            _put(fields[key], item, secrets, unknowns, references)
    elif kind is list or kind is tuple:
        wire.list_value.SetInParent()
        values = wire.list_value.values
        for item in value:
            _put(values.add(), None if item is UNKNOWN and not unknowns else item, secrets, unknowns, references)
    elif value is UNKNOWN:
        wire.string_value = UNKNOWN_STRING
    elif isinstance(value, Secret):
        if secrets:
            fields = wire.struct_value.fields
            fields[SIGNATURE].string_value = SECRET_SIGNATURE
            _put(fields["value"], value.value, secrets, unknowns, references)
        else:
            _put(wire, value.value, secrets, unknowns, references)
    elif isinstance(value, Output):
        _put(wire, Secret(value.value) if value.secret else value.value, secrets, unknowns, references)
    elif isinstance(value, ResourceReference):
        _put_reference(wire, value, references)
    elif isinstance(value, (Asset, Archive)):
        signature = ASSET_SIGNATURE if isinstance(value, Asset) else ARCHIVE_SIGNATURE
        fields = wire.struct_value.fields
        fields[SIGNATURE].string_value = signature
        for key, item in value.fields.items():
            _put(fields[key], item, secrets, unknowns, references)
    else:
        raise ResourceError(f"a value of type {kind.__name__} cannot be a property")


def _put_reference(wire: Any, value: ResourceReference, references: bool) -> None:
    if not references:
        wire.string_value = value.urn if value.id is None else UNKNOWN_STRING if value.id is UNKNOWN else value.id
        return
    fields = wire.struct_value.fields
    fields[SIGNATURE].string_value = RESOURCE_SIGNATURE
    fields["urn"].string_value = value.urn
    if value.id is not None:
        fields["id"].string_value = "" if value.id is UNKNOWN else value.id
    if value.package_version:
        fields["packageVersion"].string_value = value.package_version


def _spelled_out(value: Value) -> Value:
    """Output values as the objects that stand for them on the wire."""
    if isinstance(value, Output):
        plain: dict[str, Value] = {SIGNATURE: OUTPUT_SIGNATURE}
        if value.value is not UNKNOWN:
            plain["value"] = _spelled_out(value.value)
        if value.secret:
            plain["secret"] = True
        if value.dependencies:
            plain["dependencies"] = list(value.dependencies)
        return plain
    if isinstance(value, dict):
        return {key: _spelled_out(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled_out(item) for item in value]
    return value


def annotate_secrets(outputs: Properties, inputs: Properties) -> None:
    """Marks what a provider that knows no secrets gave back: an output named like a secret input is secret."""
    for key, given in inputs.items():
        if key not in outputs:
            continue
        returned = outputs[key]
        if isinstance(returned, dict) and isinstance(given, dict):
            annotate_secrets(returned, given)
        elif not isinstance(returned, Secret) and _holds_secret(given):
            outputs[key] = Secret(returned)


def _holds_secret(value: Value) -> bool:
    kind = type(value)
    if kind is Secret:
        return True
    if kind is dict:
        return any(_holds_secret(item) for item in value.values())
    if kind is list:
        return any(_holds_secret(item) for item in value)
    return kind is Output and (value.secret or _holds_secret(value.value))
