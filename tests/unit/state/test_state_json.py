"""Property values and resources in Pulumi's JSON, there and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.errors import VerificationError
from dataops.infra.resources.state import CustomTimeouts, Deployment, PendingOperation, ResourceState
from dataops.infra.resources.values import UNKNOWN, Archive, Asset, Output, ResourceReference, Secret
from dataops.infra.state.property_json import decode, dump, encode, plain, reveal, sealed_text
from dataops.infra.state.resource_json import (
    Vault,
    deployment_from_json,
    deployment_to_json,
    resource_from_json,
    resource_to_json,
)
from dataops.infra.state.timestamps import time_from_json, time_to_json
from support.stacks import stack_secrets, thing, urn

text = st.text(st.characters(exclude_categories=["Cs"]))
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | text
    | st.just(UNKNOWN)
    | st.builds(ResourceReference, text, st.none() | text, text)
    | st.builds(Asset, st.fixed_dictionaries({"text": text, "hash": text}))
    | st.builds(Archive, st.fixed_dictionaries({"path": text, "hash": text}))
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4) | st.builds(Secret, inner),
    max_leaves=20,
)


def opened(secret: Any) -> str:
    return sealed_text(secret)[0]


@given(values)
def test_any_value_comes_back_equal(value: Any) -> None:
    assert decode(json.loads(dump(encode(value, plain))), opened) == value


@given(values)
def test_equal_values_give_equal_text(value: Any) -> None:
    def turned(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: turned(part[key]) for key in reversed(list(part))}
        return part

    assert dump(encode(value, plain)) == dump(encode(turned(value), plain))


def test_values_look_as_pulumi_writes_them() -> None:
    sig = "4dabf18193072939515e22adb298388d"
    assert encode(3.0, plain) == 3 and isinstance(encode(3.0, plain), int)
    assert encode(Secret({"b": 1, "a": None}), plain) == {
        sig: "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '{"a":null,"b":1}',
    }
    assert encode(UNKNOWN, plain) == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert encode(Output("x", secret=True), plain) == encode(Secret("x"), plain)
    assert encode(Asset({"path": "f", "hash": "h"}), plain) == {
        sig: "c44067f5952c0a294b673a41bacd8c17",
        "hash": "h",
        "path": "f",
    }
    assert encode(float("inf"), plain) == {sig: "8ad145fe-0d11-4827-bfd7-1abcbf086f5c", "value": "7ff0000000000000"}
    reference = encode(ResourceReference(urn("a"), "i-1", "1.2.3"), plain)
    assert list(reference) == [sig, "urn", "packageVersion", "id"]


def test_what_has_an_unknown_signature_is_carried_along() -> None:
    strange = {"4dabf18193072939515e22adb298388d": "from the future", "value": [1]}
    assert encode(decode(strange, opened), plain) == strange


def test_reveal_touches_nothing_but_secrets() -> None:
    document = {"x": [encode(Secret(1), lambda _: {"ciphertext": "c"}), {"y": None}]}
    assert reveal(document, lambda secret: secret["ciphertext"].upper()) == {
        "x": [{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "C"}, {"y": None}]
    }


def test_a_secret_that_says_nothing_is_refused() -> None:
    for malformed in ({}, {"plaintext": "a", "ciphertext": "b"}, {"ciphertext": 3}):
        with pytest.raises(VerificationError):
            sealed_text(malformed)


FULL = ResourceState(
    urn=urn("a"),
    type="test:index:Thing",
    custom=True,
    id="i-1",
    inputs={"x": 1},
    outputs={"y": [True, None]},
    parent=urn("p"),
    protect=True,
    delete=True,
    external=True,
    dependencies=[urn("d")],
    property_dependencies={"x": [], "y": [urn("d")]},
    init_errors=["not ready"],
    provider=f"{urn('default', 'pulumi:providers:test')}::id",
    pending_replacement=True,
    additional_secret_outputs=["y"],
    aliases=[urn("b")],
    custom_timeouts=CustomTimeouts(create=300, read=20),
    import_id="i-0",
    retain_on_delete=True,
    deleted_with=urn("p"),
    replace_with=[urn("d")],
    created=datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC),
    modified=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    source_position="project:///__main__.py#6",
    ignore_changes=["x"],
    replace_on_changes=["y"],
    extra={"taint": True, "stackTrace": [{}], "fromTheFuture": {"a": 1}},
)


def test_a_resource_with_everything_comes_back_equal_in_pulumis_order() -> None:
    said = resource_to_json(FULL, Vault(stack_secrets()))
    assert resource_from_json(json.loads(dump(said)), Vault(stack_secrets())) == FULL
    assert list(said)[:6] == ["urn", "custom", "delete", "id", "type", "inputs"]
    assert list(said)[-2:] == ["replaceOnChanges", "fromTheFuture"]
    assert (said["created"], said["modified"]) == ("2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05Z")
    assert said["customTimeouts"] == {"create": 300, "read": 20}


@pytest.mark.parametrize("trigger", [0, "", [], {"a": [Secret("hush"), None]}, Secret("hush")])
def test_a_replacement_trigger_is_recorded_whatever_it_is_and_its_secrets_sealed(trigger: Any) -> None:
    said = resource_to_json(thing("a", replacement_trigger=trigger), Vault(stack_secrets()))
    assert "replacementTrigger" in said and "hush" not in dump(said)
    assert resource_from_json(json.loads(dump(said)), Vault(stack_secrets())).replacement_trigger == trigger


def test_what_is_empty_is_left_out() -> None:
    assert resource_to_json(ResourceState(urn("a"), "t:i:T"), Vault(stack_secrets())) == {
        "urn": urn("a"),
        "custom": False,
        "type": "t:i:T",
    }


def test_a_deployment_comes_back_equal() -> None:
    deployment = Deployment(
        [thing("a", inputs={"token": Secret(["hush", 1])}), thing("b")],
        [PendingOperation(thing("c"), "creating")],
        stack_secrets().provider,
        {"integrity_error": {"error": "x"}},
        {"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""},
    )
    said = deployment_to_json(deployment, Vault(stack_secrets()), stack_secrets().provider)
    assert list(said) == ["manifest", "secrets_providers", "resources", "pending_operations", "metadata"]
    assert deployment_from_json(json.loads(dump(said)), Vault(stack_secrets())) == deployment
    assert "hush" not in dump(said)


def test_malformed_resources_are_refused_by_name() -> None:
    for malformed in (
        {"urn": urn("a")},
        {"type": "t:i:T"},
        {"urn": urn("a"), "type": "t:i:T", "inputs": [1]},
        {"urn": urn("a"), "type": "t:i:T", "created": "yesterday"},
    ):
        with pytest.raises(VerificationError):
            resource_from_json(malformed, Vault(stack_secrets()))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_times_come_back_equal(when: datetime) -> None:
    assert time_from_json(time_to_json(when)) == when


def test_times_of_go_are_understood() -> None:
    assert time_from_json("2026-11-23T00:49:21.12041924Z").microsecond == 120419
    assert time_from_json("2026-11-23T01:49:21+01:00") == datetime(2026, 11, 23, 0, 49, 21, tzinfo=UTC)
