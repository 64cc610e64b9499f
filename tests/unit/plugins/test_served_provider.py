"""Our provider in process and through `pulumi-resource-dataops`'s service: the same answers, value by value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import DataopsError, DeadlineError, PolicyError, ResourceError
from dataops.infra.process.processes import wait_until
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CreateResult,
    DiffKind,
    Operation,
    PropertyDiff,
    Provider,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.resources.values import UNKNOWN, Output, ResourceReference, Secret
from support.served import served

URN = "urn:pulumi:dev::p::dataops:test:Thing::it"
NAMED: dict[str, Any] = {"name": "n", "size": 2}


class Thing(ResourceHandler):
    """Remembers what it was told; `told` makes it fail or be unready."""

    token = "dataops:test:Thing"
    required = frozenset({"name"})
    optional = frozenset({"size", "variables", "colour", "near"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "size", "variables", "key", "near"})
    secret_outputs = frozenset({"key"})

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.error: DataopsError | None = None
        self.reasons: tuple[str, ...] = ()

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        inputs.setdefault("colour", "green")
        return [CheckFailure("size", "must be positive")] if inputs.get("size", 1) < 0 else []

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        self.seen.append((operation, inputs))
        if self.error:
            raise self.error
        return CreateResult("id", {**inputs, "key": "k"}, self.reasons)

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        if recorded.id == "gone":
            return ReadResult("", {})
        return ReadResult(recorded.id, {**recorded.outputs, "size": 3}, {**recorded.inputs, "size": 3}, self.reasons)

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        self.seen.append((operation, recorded, inputs))
        return UpdateResult({**inputs, "key": "k2"}, self.reasons)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        self.seen.append((operation, recorded))


@contextmanager
def in_process(provider: Provider) -> Iterator[Provider]:
    yield provider


@contextmanager
def through_the_plugin(provider: Provider) -> Iterator[Provider]:
    with tempfile.TemporaryDirectory(prefix="dataops-") as folder, served(provider, Path(folder)) as client:
        yield client


@pytest.fixture
def thing() -> Thing:
    return Thing()


@pytest.fixture(params=[in_process, through_the_plugin], ids=["in process", "through the plugin"])
def provider(request: pytest.FixtureRequest, thing: Thing) -> Iterator[Provider]:
    with request.param(HandlerProvider([thing])) as provider:
        yield provider


def test_checked_inputs_have_their_defaults_and_keep_what_is_secret_or_unknown(provider: Provider) -> None:
    given = {"name": UNKNOWN, "size": 2, "variables": {"A": Secret("s"), "B": None, "C": [1.5, True]}}
    result = provider.check(URN, None, given)
    assert result.inputs == {**given, "colour": "green"} and result.failures == ()


def test_refused_inputs_are_named(provider: Provider) -> None:
    assert provider.check(URN, None, {"size": 1, "nam": "x"}).failures == (
        CheckFailure("name", "missing required property 'name'"),
        CheckFailure("nam", "unknown property 'nam'; did you mean 'name'?"),
    )
    assert provider.check(URN, NAMED, {"name": "n", "size": -1}).failures == (CheckFailure("size", "must be positive"),)


def test_a_difference_tells_what_it_replaces(provider: Provider) -> None:
    diff = provider.diff(URN, "id", NAMED, NAMED, {"name": "m", "size": 2, "colour": "red"}, [])
    assert (diff.changes, diff.replaces, set(diff.changed)) == (Changes.SOME, ("name",), {"name", "colour"})
    assert diff.detailed == {
        "name": PropertyDiff(DiffKind.UPDATE_REPLACE, input_diff=True),
        "colour": PropertyDiff(DiffKind.ADD, input_diff=True),
    }
    assert provider.diff(URN, "id", NAMED, NAMED, {**NAMED, "size": 9}, ["size"]).changes is Changes.NONE


def test_a_preview_makes_nothing_and_leaves_open_what_cannot_be_known(provider: Provider, thing: Thing) -> None:
    made = provider.create(URN, {"name": "n", "size": UNKNOWN}, 0, True)
    assert made.id == "" and made.outputs["key"] is UNKNOWN and made.outputs["size"] is UNKNOWN
    assert provider.update(URN, "id", NAMED, NAMED, {**NAMED, "size": 4}, 0, [], True).outputs["size"] == 4
    assert thing.seen == []


def test_a_create_is_told_everything_and_gives_secrets_back_as_secrets(provider: Provider, thing: Thing) -> None:
    near = ResourceReference("urn:pulumi:dev::p::a:b:C::near", "near-id", "1.0.0")
    given = {
        "name": Output("n", False, ("urn:pulumi:dev::p::a:b:C::x",)),
        "variables": Secret({"A": "s"}),
        "near": near,
    }
    result = provider.create(URN, given, 12.5, False)
    assert result.id == "id" and result.outputs["key"] == Secret("k")
    assert result.outputs["variables"] == Secret({"A": "s"}) and result.outputs["near"] == near
    assert thing.seen == [(Operation(URN, 12.5), {"name": "n", "variables": {"A": "s"}, "near": near})]


def test_a_read_finds_what_is_there_or_that_nothing_is(provider: Provider) -> None:
    outputs = {**NAMED, "key": Secret("k")}
    found = provider.read(URN, "id", NAMED, outputs)
    assert (found.id, found.outputs, found.inputs) == ("id", {**outputs, "size": 3}, {**NAMED, "size": 3})
    assert provider.read(URN, "gone", NAMED, outputs).id == ""


def test_updates_and_deletes_are_told_what_was_recorded(provider: Provider, thing: Thing) -> None:
    old = {**NAMED, "key": Secret("k")}
    assert provider.update(URN, "id", NAMED, old, {"name": "n", "size": 5}, 3, [], False).outputs == {
        "name": "n",
        "size": 5,
        "key": Secret("k2"),
    }
    provider.delete(URN, "id", NAMED, old, 7)
    recorded = Recorded("id", NAMED, {**NAMED, "key": "k"})
    assert thing.seen == [(Operation(URN, 3), recorded, {"name": "n", "size": 5}), (Operation(URN, 7), recorded)]


def test_what_exists_but_is_not_ready_is_recorded_with_its_reasons(provider: Provider, thing: Thing) -> None:
    thing.reasons = ("the port is closed", "still")
    made = provider.create(URN, NAMED, 0, False)
    assert (made.id, made.outputs["size"], made.init_errors) == ("id", 2, thing.reasons)
    assert provider.read(URN, "id", NAMED, NAMED).init_errors == thing.reasons
    updated = provider.update(URN, "id", NAMED, NAMED, {**NAMED, "size": 8}, 0, [], False)
    assert (updated.outputs["size"], updated.init_errors) == (8, thing.reasons)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ResourceError("no wood", details="two\nlines"), ResourceError),
        (PolicyError("not on Sundays"), (ResourceError, PolicyError)),
        (DeadlineError("not ready in 3 s"), DeadlineError),
    ],
)
def test_failures_arrive_with_what_was_said(provider: Provider, thing: Thing, error: DataopsError, kind: Any) -> None:
    thing.error = error
    with pytest.raises(kind, match=error.what) as raised:
        provider.create(URN, NAMED, 0, False)
    assert (raised.value.details or "").strip() == (error.details or "").strip()


def test_a_defect_is_an_error_of_the_resource_and_tells_no_values(provider: Provider, thing: Thing) -> None:
    thing.error = TypeError("hush")  # type: ignore[assignment]
    with pytest.raises(ResourceError, match="create failed with TypeError, a defect of dataops") as raised:
        provider.create(URN, NAMED, 0, False)
    assert "hush" not in str(raised.value) + (raised.value.details or "")


def test_unknown_types_and_functions_are_refused(provider: Provider) -> None:
    with pytest.raises(ResourceError, match="no resource type dataops:test:Thin"):
        provider.check(URN.replace("Thing", "Thin"), None, {})
    with pytest.raises(ResourceError, match="no function dataops:test:thing"):
        provider.invoke("dataops:test:thing", {"a": Secret(1)}, False)


def test_after_a_cancel_nothing_is_begun(provider: Provider, thing: Thing) -> None:
    provider.cancel()  # nobody waits for it, so others may overtake it

    def is_refused() -> bool:
        try:
            provider.create(URN, NAMED, 0, False)
        except DataopsError as error:
            assert "not begun" in error.what
            return True
        return False

    wait_until(is_refused, 30, "it went on")
