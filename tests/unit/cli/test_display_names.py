"""What is shown stays on its line and says what it is about: odd names, failed operations, hidden changes."""

from __future__ import annotations

import io
import time

from rich.console import Console

from dataops.cli.display.diff import diff_lines
from dataops.cli.display.live import LiveDisplay
from dataops.cli.display.model import DisplayOptions, Progress
from dataops.cli.display.plain import step_line
from dataops.cli.display.summary import message_lines
from dataops.infra.events.engine_events import (
    DiagnosticEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
    StepState,
)

ODD = "urn:pulumi:dev::p::world:index:Thing::two\nlines\x1b[2J"


def step(urn: str, op: str = "create", **more: object) -> StepMetadata:
    state = StepState(urn, "world:index:Thing", custom=True, inputs={"value": "1", "text": "old"})
    return StepMetadata(op, urn, "world:index:Thing", None if op == "create" else state, state, **more)  # type: ignore[arg-type]


def test_a_name_with_a_newline_breaks_no_line() -> None:
    progress = Progress(planning=False)
    row = progress.receive(ResourcePreEvent(step(ODD), False))
    assert row is not None
    lines = [step_line(row, False, time.monotonic()), *diff_lines(row.metadata), *message_lines([(ODD, "error", "no")])]
    assert not any("\n" in line or "\x1b[2J" in line for line in lines)
    assert all("two\\nlines\\x1b[2J" in line for line in (lines[0], lines[2]))


def test_an_error_says_during_which_operation_it_came() -> None:
    progress = Progress(planning=False)
    progress.receive(ResourcePreEvent(step(ODD, "update"), False))
    progress.receive(DiagnosticEvent("value must not be 1\n", "error", ODD))
    assert message_lines(progress.messages)[-1] == "    error while updating: value must not be 1"
    assert message_lines([("", "error", "no")])[-1] == "    error: no"


def test_a_hidden_change_is_mentioned_but_not_shown() -> None:
    before = StepState("urn:pulumi:dev::p::t::n", "t", inputs={"value": "1", "text": "old"})
    after = StepState("urn:pulumi:dev::p::t::n", "t", inputs={"value": "2", "text": "new"})
    lines = diff_lines(StepMetadata("update", before.urn, "t", before, after, hidden=("text",)))
    assert any("text : [hidden]" in line for line in lines) and not any("new" in line for line in lines)
    assert any('"1" => "2"' in line for line in lines)


def test_a_thousand_resources_fit_on_the_screen_while_the_update_runs() -> None:
    console = Console(file=io.StringIO(), width=100, height=30, force_terminal=True)
    display = LiveDisplay(DisplayOptions("update", False, "dev"), console)
    try:
        for index in range(1000):
            metadata = step(f"urn:pulumi:dev::p::world:index:Thing::n{index:04}")
            display.receive(ResourcePreEvent(metadata, False))
            if index < 990:
                display.receive(ResOutputsEvent(metadata, False))
        drawn = console.render_lines(display.render(), pad=False)
        text = ["".join(segment.text for segment in line) for line in drawn]
    finally:
        display.close()
    assert len(text) < 30 and "1000 resources, 10 under way" in text[0]
    assert sum("creating" in line for line in text) == 10 and any("and 974 more" in line for line in text)
