"""What people and programs see of an operation, made from the same events."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import pytest
from rich.console import Console as Terminal

from dataops.cli.display.choose import Display, showing
from dataops.cli.display.diff import diff_lines
from dataops.cli.display.layout import fit, tree_order
from dataops.cli.display.live import LiveDisplay
from dataops.cli.display.machine import EventLog, EventStream, PreviewDigest
from dataops.cli.display.model import DisplayOptions, Progress
from dataops.cli.display.plain import PlainDisplay
from dataops.cli.display.summary import count_lines, message_lines, output_lines
from dataops.cli.display.words import duration
from dataops.infra.events.blinding import blind
from dataops.infra.events.engine_events import (
    CancelEvent,
    DiagnosticEvent,
    Event,
    PreludeEvent,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
    StepState,
    SummaryEvent,
)
from dataops.infra.resources.values import Secret

STACK = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


def state(
    name: str, type_: str = "shop:index:Shelf", parent: str = STACK, custom: bool = True, **values: object
) -> StepState:
    urn = name if name.startswith("urn:") else f"urn:pulumi:dev::shop::{type_}::{name}"
    return StepState(urn, type_, "", parent if urn != STACK else "", "", custom, False, dict(values), dict(values))


def step(op: str, old: StepState | None, new: StepState | None, **more: object) -> StepMetadata:
    shown = new or old
    assert shown is not None
    return StepMetadata(op, shown.urn, shown.type, old, new, **more)  # type: ignore[arg-type]


def update(planning: bool = False) -> list[Event]:
    """The stack itself, one shelf made, one changed, one failed, one as it was."""
    root_old = state(STACK, "pulumi:pulumi:Stack", url="old", gone=1)
    root = state(STACK, "pulumi:pulumi:Stack", url="new", key="[secret]")
    made = step("create", None, state("a", size=1))
    changed = step("update", state("b", size=1, key="[secret]"), state("b", size=2, key="[secret]"), diffs=("size",))
    failed = step("create", None, state("c"))
    same = step("same", state("d"), state("d"))
    events: list[Event] = [PreludeEvent({"shop:key": "[secret]"})]
    for metadata in (step("same", root_old, root), made, changed, failed, same):
        events.append(ResourcePreEvent(metadata, planning))
    for metadata in (made, changed, same):
        events.append(ResOutputsEvent(metadata, planning))
    events += [
        DiagnosticEvent("shelf c: no wood\nbring some", "error", failed.urn),
        DiagnosticEvent("hello from the program\n", "info"),
        DiagnosticEvent("not for people", "debug"),
        ResOpFailedEvent(failed),
        ResOutputsEvent(step("same", root_old, root), planning),
        SummaryEvent({"create": 1, "update": 1, "same": 2}, 3.25),
        CancelEvent(),
    ]
    return events


def play(displays: Sequence[Display], events: Sequence[Event]) -> None:
    with showing(displays) as receive:
        for event in events:
            receive(event)


def test_plain_lines_tell_each_step_and_end_with_outputs_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    play([PlainDisplay(DisplayOptions("update", False, "dev"))], update())
    printed = capsys.readouterr()
    assert "Updating (dev):" in printed.err
    assert "  + shop:index:Shelf a creating" in printed.err
    assert "  + shop:index:Shelf a created (" in printed.err
    assert "  ~ shop:index:Shelf b updating [diff: ~size]" in printed.err
    assert "  + shop:index:Shelf c creating failed (" in printed.err
    assert "Shelf d" not in printed.err
    assert "shop:index:Shelf (c):\n    error while creating: shelf c: no wood\n    bring some" in printed.err
    assert "the stack:\n    hello from the program" in printed.err
    assert "not for people" not in printed.err
    assert printed.out.splitlines() == [
        "Outputs:",
        "  - gone: 1",
        "  + key : [secret]",
        '  ~ url : "old" => "new"',
        "Resources:",
        "   + 1 created",
        "   ~ 1 updated",
        "     2 unchanged",
        "Duration: 3.25s",
    ]


def test_a_preview_says_what_would_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    play([PlainDisplay(DisplayOptions("update", True, "dev"))], update(planning=True))
    printed = capsys.readouterr()
    assert "Previewing update (dev):" in printed.err
    assert "  + shop:index:Shelf a create\n" in printed.err
    assert "created" not in printed.err
    assert "   + 1 to create" in printed.out
    assert "Duration" not in printed.out


def test_a_diff_marks_what_changes_and_hides_secrets() -> None:
    old = state("b", size=1, key="[secret]", nested={"x": 1, "y": 2}, gone=True)
    new = state("b", size=2, key="[secret]", nested={"x": 1, "y": 3}, extra=[1])
    text = "\n".join(diff_lines(step("update", old, new)))
    assert "~ size  : 1 => 2" in text
    assert "  key   : [secret]" in text
    assert "~ y: 2 => 3" in text
    assert "- gone  : true" in text
    assert "+ extra : [1]" in text


def test_a_changed_secret_is_told_and_not_shown() -> None:
    before, after = (
        blind({"pw": Secret(word), "deep": {"pw": Secret(word), "kept": Secret("s")}}) for word in ("one", "two")
    )
    assert before != after and before["deep"]["kept"] == after["deep"]["kept"] == "[secret]"
    metadata = step("update", state("b", **before), state("b", **after))
    text = "\n".join(diff_lines(metadata))
    assert "  kept: [secret]" in text and "~ kept" not in text
    assert text.count("~ pw  : [secret] => [secret]") == 2
    assert "one" not in text and json.loads(json.dumps(before)) == json.loads(json.dumps(after))
    assert output_lines(before, after)[-1] == "  ~ pw  : [secret] => [secret]"
    # The events of other engines cannot be compared, but say what changes.
    other = step("update", state("b", pw="[secret]"), state("b", pw="[secret]"), diffs=("pw",))
    assert "~ pw: [secret] => [secret]" in diff_lines(other)[-1]


def test_a_diff_goes_into_texts_json_and_long_lists() -> None:
    long = [f"item number {index}" for index in range(9)]
    old = state("b", text="a\nb\nc\nd\ne\nf\ng", policy='{"allow": ["x"], "id": 1}', items=[*long, {"x": 1}])
    new = state("b", text="a\nB\nc\nd\ne\nF\ng", policy='{"allow": ["y"], "id": 1}', items=[*long, {"x": 2}, "more"])
    lines = [click.unstyle(line).strip() for line in diff_lines(step("update", old, new))[2:]]
    assert lines == [
        "~ items:",
        "~ [9]:",
        "~ x: 1 => 2",
        '+ [10]: "more"',
        "~ policy: (json)",
        '~ allow: ["x"] => ["y"]',
        "id   : 1",
        "~ text:",
        "a",
        "- b",
        "+ B",
        "c",
        "...",
        "e",
        "- f",
        "+ F",
        "g",
    ]


def test_what_a_refresh_finds_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = state("b", size=1, kept=2), state("b", size=9, kept=2)
    new = replace(new, inputs=old.inputs)
    events: list[Event] = [
        ResourcePreEvent(step("refresh", old, old), True),
        ResOutputsEvent(step("update", old, new), True),
    ]
    play([PlainDisplay(DisplayOptions("refresh", True, "dev"))], events)
    assert "  ~ shop:index:Shelf b update [diff: ~size]" in capsys.readouterr().err
    play([PlainDisplay(DisplayOptions("refresh", True, "dev", diff=True))], events)
    printed = click.unstyle(capsys.readouterr().err)
    assert "~ size: 1 => 9" in printed and "  kept: 2" in printed


def test_suppressed_progress_still_shows_errors_and_results(capsys: pytest.CaptureFixture[str]) -> None:
    play(
        [PlainDisplay(DisplayOptions("update", False, "dev", suppress_progress=True, suppress_outputs=True))], update()
    )
    printed = capsys.readouterr()
    assert "Shelf a creating" not in printed.err
    assert "no wood" in printed.err
    assert "Outputs" not in printed.out
    assert "Resources:" in printed.out


def test_the_live_tree_shows_every_change_below_its_parent(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    terminal = Terminal(file=screen, force_terminal=True, width=120, height=30, color_system=None)
    play([LiveDisplay(DisplayOptions("update", False, "dev"), terminal)], update())
    drawn = screen.getvalue().rpartition("Updating (dev)")[2]
    assert "shop:index:Shelf a" in drawn
    assert "created" in drawn
    assert "creating failed" in drawn
    assert "Resources:" in capsys.readouterr().out


def test_rows_come_after_their_parent_and_finished_ones_make_room() -> None:
    progress = Progress(planning=False)
    group = state("group", "shop:index:Group")
    child = state("child", parent=group.urn)
    for metadata in (step("create", None, group), step("create", None, state("other")), step("create", None, child)):
        progress.receive(ResourcePreEvent(metadata))
    ordered = tree_order(list(progress.rows.values()))
    assert [(row.metadata.urn.rpartition("::")[2], depth) for row, depth in ordered] == [
        ("group", 0),
        ("child", 1),
        ("other", 0),
    ]
    progress.receive(ResOutputsEvent(step("create", None, group)))
    kept, hidden = fit(tree_order(list(progress.rows.values())), 2)
    assert [row.metadata.urn.rpartition("::")[2] for row, _ in kept] == ["child", "other"]
    assert hidden == 1


def test_what_failed_and_what_is_worked_on_is_seen_among_many_components() -> None:
    progress = Progress(planning=False)
    for index in range(30):
        group = state(f"group{index:02}", "shop:index:Group", custom=False)
        progress.receive(ResourcePreEvent(step("create", None, group), False))
        for shelf in ("a", "b"):
            new = state(f"{shelf}{index:02}", parent=group.urn)
            progress.receive(ResourcePreEvent(step("create", None, new), False))
            if index % 10 != 9:
                progress.receive(ResOutputsEvent(step("create", None, new), False))
    progress.receive(ResOpFailedEvent(step("create", None, state("b29", parent=group.urn))))
    rows = tree_order(list(progress.rows.values()))
    names = [row.metadata.urn.rpartition("::")[2] for row, _ in fit(rows, 9)[0]]
    assert names == ["group09", "a09", "b09", "group19", "a19", "b19", "group29", "a29", "b29"]


def test_names_that_differ_at_their_end_differ_on_a_narrow_screen() -> None:
    screen = io.StringIO()
    terminal = Terminal(file=screen, force_terminal=True, width=60, height=30, color_system=None)
    metadata = [step("create", None, state(f"a-shelf-with-a-very-long-name-{n}", "shop:deep/down:Shelf")) for n in "12"]
    play([LiveDisplay(DisplayOptions("update", True, "dev"), terminal)], [ResOutputsEvent(m, True) for m in metadata])
    drawn = screen.getvalue().rpartition("Previewing update (dev)")[2].splitlines()
    assert all(len(line) <= 60 for line in drawn)
    assert [line.split()[-2:] for line in drawn if "create" in line] == [
        ["a-shelf-with-…y-long-name-1", "create"],
        ["a-shelf-with-…y-long-name-2", "create"],
    ]


def test_the_event_log_has_one_event_a_line_in_order_without_those_of_the_preview_before(tmp_path: Path) -> None:
    play([EventLog(tmp_path / "events")], [*update(planning=True), *update()])
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(len(update())))
    assert "preludeEvent" in lines[0]
    assert lines[-2]["summaryEvent"]["resourceChanges"] == {"create": 1, "update": 1, "same": 2}
    assert "cancelEvent" in lines[-1]


def test_an_update_as_json_is_a_stream_of_events(capsys: pytest.CaptureFixture[str]) -> None:
    play([EventStream()], update())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == len(update())


def test_a_preview_as_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    play([PreviewDigest(show_sames=True)], update(planning=True))
    digest = json.loads(capsys.readouterr().out)
    assert digest["config"] == {"shop:key": "[secret]"}
    assert [found["op"] for found in digest["steps"]] == ["same", "create", "update", "create", "same"]
    assert digest["steps"][2]["oldState"]["inputs"]["size"] == 1
    assert digest["steps"][2]["diffReasons"] == ["size"]
    assert digest["changeSummary"] == {"same": 2, "create": 1, "update": 1}
    assert {"message", "severity"} <= set(digest["diagnostics"][0])
    assert all(found["severity"] != "debug" for found in digest["diagnostics"])
    assert digest["diagnostics"][0]["message"].startswith("error: shelf c")


def test_a_preview_as_json_tells_kinds_of_differences_as_pulumi_does(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"size": {"diffKind": "update", "inputDiff": True}}
    changed = replace(step("update", state("b", size=1), state("b", size=2)), detailed_diff=told)
    play([PreviewDigest()], [ResourcePreEvent(changed, True)])
    (shown,) = json.loads(capsys.readouterr().out)["steps"]
    assert shown["detailedDiff"] == {"size": {"kind": "update", "inputDiff": True}}


def test_a_preview_as_json_leaves_out_what_stays_but_for_the_stack(capsys: pytest.CaptureFixture[str]) -> None:
    play([PreviewDigest()], update(planning=True))
    steps = json.loads(capsys.readouterr().out)["steps"]
    shown = [(found["op"], found["urn"].split("::")[2]) for found in steps]
    assert all(op != "same" or type_ == "pulumi:pulumi:Stack" for op, type_ in shown)
    assert {"create", "update"} <= {op for op, _ in shown}


def test_a_display_is_closed_when_the_operation_fails(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    with pytest.raises(ZeroDivisionError), showing([log]) as receive:
        receive(CancelEvent())
        raise ZeroDivisionError
    assert len((tmp_path / "events").read_text().splitlines()) == 1


def test_nothing_to_say_says_nothing() -> None:
    assert output_lines({}, {}) == []
    assert message_lines([]) == []
    assert count_lines({}, planning=False) == ["Resources:", "     none"]


@pytest.mark.parametrize(("seconds", "text"), [(0.041, "0.04s"), (12.34, "12.3s"), (125.9, "2m5s")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
