"""What `HandlerProvider` does for every handler, shown on small ones."""

from __future__ import annotations

from typing import Any

import pytest

from dataops.infra.errors import CancelledError, PolicyError, ResourceError
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CreateResult,
    DiffKind,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
)
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.resources.values import UNKNOWN, Output, Secret

URN = "urn:pulumi:dev::p::dataops:test:Thing::it"


class Thing(ResourceHandler):
    """Remembers what it was called with; fails with `error` when given one."""

    token = "dataops:test:Thing"
    required = frozenset({"name"})
    optional = frozenset({"size", "variables", "colour"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "size", "variables", "key", "running"})
    secret_outputs = frozenset({"key"})

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[dict[str, Any]] = []
        self.error = error

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        inputs.setdefault("colour", "green")
        return [CheckFailure("size", "must be positive")] if inputs.get("size", 1) < 0 else []

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return [] if recorded.outputs.get("running") else ["running"]

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        self.seen.append(inputs)
        if self.error:
            raise self.error
        return CreateResult("id", {**inputs, "key": "k", "running": True})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        return ReadResult(recorded.id, {**recorded.outputs, "running": False})


def provider(error: Exception | None = None) -> HandlerProvider:
    return HandlerProvider([Thing(error)])


def test_a_missing_and_a_misspelt_input_are_named() -> None:
    failures = provider().check(URN, None, {"nmae": "x"}).failures
    assert [(f.property, f.reason) for f in failures] == [
        ("name", "missing required property 'name'"),
        ("nmae", "unknown property 'nmae'; did you mean 'name'?"),
    ]


def test_an_unknown_value_counts_as_given_and_is_not_shown_to_the_handler() -> None:
    check = provider().check(URN, None, {"name": UNKNOWN, "size": UNKNOWN})
    assert check.failures == ()
    assert check.inputs == {"name": UNKNOWN, "size": UNKNOWN, "colour": "green"}


def test_a_secret_is_checked_in_the_clear_and_stays_secret() -> None:
    check = provider().check(URN, None, {"name": "x", "size": Secret(-1)})
    assert [failure.property for failure in check.failures] == ["size"]
    assert check.inputs["size"] == Secret(-1)


def test_handlers_see_plain_values_and_secrets_come_back_secret() -> None:
    thing = Thing()
    inputs = {"name": Secret("n"), "variables": {"A": "1", "B": Secret("b")}, "size": Output(2)}
    made = HandlerProvider([thing]).create(URN, inputs, 0, preview=False)
    assert thing.seen == [{"name": "n", "variables": {"A": "1", "B": "b"}, "size": 2}]
    assert made.outputs["name"] == Secret("n")
    assert made.outputs["variables"] == {"A": "1", "B": Secret("b")}
    assert made.outputs["key"] == Secret("k")
    assert made.outputs["size"] == 2


def test_what_was_read_stays_secret() -> None:
    read = provider().read(URN, "id", {}, {"name": Secret("n"), "key": Secret("k"), "running": True})
    assert read.outputs == {"name": Secret("n"), "key": Secret("k"), "running": False}


def test_a_preview_makes_nothing_and_tells_what_it_can() -> None:
    thing = Thing()
    made = HandlerProvider([thing]).create(URN, {"name": "x", "size": UNKNOWN, "colour": "red"}, 0, preview=True)
    assert thing.seen == []
    assert (made.id, made.outputs["name"], made.outputs["size"], made.outputs["key"]) == ("", "x", UNKNOWN, UNKNOWN)
    assert "colour" not in made.outputs


def test_a_preview_of_an_update_expects_outputs_to_stay_unless_they_drifted() -> None:
    old = {"name": "x", "size": 1, "key": Secret("k"), "running": False}
    result = provider().update(URN, "id", {"name": "x", "size": 1}, old, {"name": "x", "size": 2}, 0, [], preview=True)
    assert result.outputs["key"] == Secret("k")
    assert (result.outputs["size"], result.outputs["running"]) == (2, UNKNOWN)


def diff(old: dict[str, Any], new: dict[str, Any], ignore: list[str] | None = None, running: bool = True) -> Any:
    return provider().diff(URN, "id", old, {"running": running}, new, ignore or [])


def test_nothing_differs_when_only_secrecy_does() -> None:
    assert diff({"name": "x"}, {"name": Secret("x")}).changes is Changes.NONE


def test_a_changed_input_is_an_update_or_a_replacement() -> None:
    found = diff({"name": "x", "size": 1}, {"name": "y", "colour": "red"})
    assert found.replaces == ("name",)
    kinds = {name: change.kind for name, change in found.detailed.items()}
    assert kinds == {"name": DiffKind.UPDATE_REPLACE, "size": DiffKind.DELETE, "colour": DiffKind.ADD}


def test_an_ignored_change_is_none() -> None:
    assert diff({"name": "x", "size": 1}, {"name": "x", "size": 2}, ["size"]).changes is Changes.NONE


def test_drift_is_an_update() -> None:
    found = diff({"name": "x"}, {"name": "x"}, running=False)
    assert (found.changes, found.changed, found.replaces) == (Changes.SOME, ("running",), ())


def test_an_error_of_the_system_names_resource_and_operation() -> None:
    with pytest.raises(ResourceError, match="create failed: No space left") as raised:
        provider(OSError(28, "No space left", "/x")).create(URN, {"name": "x"}, 0, preview=False)
    assert raised.value.where == "dataops:test:Thing it"


def test_an_error_of_ours_keeps_its_kind() -> None:
    with pytest.raises(PolicyError) as raised:
        provider(PolicyError("no")).create(URN, {"name": "x"}, 0, preview=False)
    assert raised.value.where == "dataops:test:Thing it"


def test_an_unforeseen_error_does_not_show_its_message() -> None:
    with pytest.raises(ResourceError) as raised:
        provider(ValueError("hunter2")).create(URN, {"name": "x"}, 0, preview=False)
    assert "hunter2" not in f"{raised.value} {raised.value.details}"
    assert "ValueError" in str(raised.value)


def test_an_unknown_type_is_told_with_the_nearest() -> None:
    with pytest.raises(ResourceError) as raised:
        provider().create("urn:pulumi:dev::p::dataops:test:Thign::it", {}, 0, preview=False)
    assert raised.value.hint == "did you mean 'dataops:test:Thing'?"


def test_nothing_begins_after_a_cancellation() -> None:
    cancelled = provider()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        cancelled.create(URN, {"name": "x"}, 0, preview=False)
