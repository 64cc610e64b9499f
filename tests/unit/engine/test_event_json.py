"""Events as JSON, in the form of Pulumi's event log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.errors import ProgramError
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


def test_a_failure_says_whether_anything_may_have_happened() -> None:
    world = World()
    apply(world, {"a": Node(protect=True), "b": Node()})
    apply(world, {"a": Node(protect=True), "b": Node(value="2", fail="update")})
    assert [event["status"] for event in logged(world, "resOpFailedEvent")] == [2]
    assert [event["maybeCorrupt"] for event in logged(world, "summaryEvent")] == [True]
    apply(world, {})
    assert [event["status"] for event in logged(world, "resOpFailedEvent", "::a")] == [0]
    assert [event["maybeCorrupt"] for event in logged(world, "summaryEvent")] == [False]


def test_a_refresh_shows_what_was_recorded_and_says_what_differs() -> None:
    world = World()
    apply(world, {"a": Node()})
    world.provider.objects[world.resources()["a"].id]["value"] = "drifted"
    world.refresh()
    (before,), (after,) = logged(world, "resourcePreEvent", "::a"), logged(world, "resOutputsEvent", "::a")
    assert before["metadata"]["new"] == before["metadata"]["old"]
    assert after["metadata"]["diffs"] == ["value"] and after["metadata"]["op"] == "update"


def test_a_log_has_what_the_program_failed_with(tmp_path: Path) -> None:
    world, program = World(), tmp_path / "__main__.py"
    program.write_text("raise ValueError('no wood')\n")
    with pytest.raises(ProgramError):
        world.up(program)
    (said,) = logged(world, "diagnosticEvent")
    assert "ValueError: no wood" in said["message"] and said["severity"] == "error"
