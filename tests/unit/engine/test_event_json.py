"""Events as JSON, in the form of Pulumi's event log."""

from __future__ import annotations

import json
from typing import Any

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.events.blinding import blind
from dataops.infra.events.engine_events import StepState, SummaryEvent, to_json
from dataops.infra.resources.values import SECRET_SIGNATURE, SIGNATURE, UNKNOWN, UNKNOWN_STRING, Secret
from support.engine_world import World
from support.graph_program import Node, apply


def logged(world: World, kind: str, name: str = "") -> list[dict[str, Any]]:
    """What the log says of a kind of event about a resource."""
    found = [json.loads(json.dumps(to_json(event, number))) for number, event in enumerate(world.events)]
    told = [event[kind] for event in found if kind in event]
    return [one for one in told if one.get("metadata", {}).get("urn", "").endswith(name)]


def test_what_is_empty_or_false_is_left_out() -> None:
    least = {"type": "t", "urn": "urn", "id": "", "parent": "", "inputs": {}, "outputs": {}, "provider": ""}
    assert StepState("urn", "t").to_json() == least
    full = StepState("urn", "t", custom=True, protect=True, init_errors=("cold",), delete=True, retain_on_delete=True)
    assert full.to_json().keys() > {"custom", "protect", "initErrors", "delete", "retainOnDelete"}


def test_a_secret_and_an_unknown_value_are_told_from_text_that_looks_like_them() -> None:
    inputs = blind({"key": Secret("hush"), "list": [UNKNOWN], "text": "[secret]"})
    assert StepState("urn", "t", inputs=inputs).to_json()["inputs"] == {
        "key": {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "[secret]"},
        "list": [UNKNOWN_STRING],
        "text": "[secret]",
    }


def test_the_summary_says_how_it_ended_and_whether_it_was_a_preview() -> None:
    world = World()
    apply(world, {"a": Node()}, preview=True)
    (previewed,) = logged(world, "summaryEvent")
    apply(world, {"a": Node(fail="create")})
    (failed,) = logged(world, "summaryEvent")
    assert (previewed["isPreview"], previewed["result"]) == (True, "succeeded")
    assert (failed["isPreview"], failed["result"]) == (False, "failed")
    assert SummaryEvent({}, 1.2).payload()[1]["durationSeconds"] == 2


def test_what_a_replacement_leaves_is_marked_for_deletion() -> None:
    world = World()
    apply(world, {"a": Node()})
    apply(world, {"a": Node(kind="y")}, UpdateOptions())
    marks = {
        (step["op"], kind): step["old"].get("delete", False)
        for kind in ("resourcePreEvent", "resOutputsEvent")
        for step in (event["metadata"] for event in logged(world, kind, "::a"))
    }
    assert marks == {
        ("create-replacement", "resourcePreEvent"): False,
        ("create-replacement", "resOutputsEvent"): True,
        ("replace", "resourcePreEvent"): True,
        ("replace", "resOutputsEvent"): True,
        ("delete-replaced", "resourcePreEvent"): True,
        ("delete-replaced", "resOutputsEvent"): True,
    }


def test_messages_begin_with_what_they_are() -> None:
    world = World()
    apply(world, {"a": Node(fail="create")})
    assert {event["prefix"] for event in logged(world, "diagnosticEvent")} == {"error: "}
