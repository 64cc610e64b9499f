"""`dataops pipeline run`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import end_in_order, find_environment, folder_option, output_option
from dataops.cli.notices import notice
from dataops.cli.options import environment_option
from dataops.cli.parameter_types import PIPELINE, STEP
from dataops.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from dataops.services.runs import StepRecord

LONGEST_COMMAND = 100
"""Characters of a step's command that are shown as it starts."""


@click.command()
@click.argument("name", metavar="PIPELINE", type=PIPELINE)
@environment_option
@click.option("--step", metavar="STEP", type=STEP, help="Run this step alone.")
@click.option("--from", "since", metavar="STEP", type=STEP, help="Run this step and all that come after it.")
@click.option("--full-refresh", is_flag=True, help="Tell the steps to build everything anew: DATAOPS_FULL_REFRESH=1.")
@folder_option
@output_option
def run(
    name: str, environment: str, step: str | None, since: str | None, full_refresh: bool, cwd: Path, as_json: bool
) -> None:
    """Run a pipeline in an environment, with the environment's own code, variables and data.

    Steps run side by side where their order allows. A step finds where to report rows and bytes in DATAOPS_STEP_REPORT.
    Runs of one pipeline never overlap.

    \b
    Examples:
      dataops pipeline run flights --env feature-x
      dataops pipeline run flights --env feature-x --from load --full-refresh
    """
    from dataops.envs.pipeline import Selection, run_in

    end_in_order()
    _, record = find_environment(environment, cwd)
    done = run_in(record, name, Selection(step, since, full_refresh), show_step)
    if as_json:
        print_json(done.to_json())
        return
    click.echo(f"{click.style(name, bold=True)} ran in {environment} in {done.seconds:.1f} s (run {done.id}).")
    rows = [(s.name, s.state, f"{s.seconds:.1f}", rows_text(s), bytes_text(s)) for s in done.steps]
    print_table(("STEP", "STATE", "SECONDS", "ROWS", "BYTES"), rows, indent="  ")


def rows_text(step: StepRecord) -> str:
    """The rows of a step, dataset by dataset."""
    return ", ".join(f"{name} {count}".strip() for name, count in step.rows.items())


def bytes_text(step: StepRecord) -> str:
    """The bytes of a step's datasets together, "" when nothing is known of them."""
    from dataops.infra.platform.quantities import size_text

    return size_text(sum(step.bytes.values())) if step.bytes else ""


def command_text(command: Sequence[str]) -> str:
    """A command on one line of modest length; a program of the environment goes by its name."""
    program = Path(command[0]).name if Path(command[0]).is_absolute() else command[0]
    text = " ".join(shlex.join([program, *command[1:]]).split())
    return text if len(text) <= LONGEST_COMMAND else f"{text[:LONGEST_COMMAND]}…"


def show_step(step: StepRecord) -> None:
    """Tells how a step of a run stands, on stderr."""
    if step.state == "running" and len(step.attempts) > 1:
        before = step.attempts[-2].reason
        notice(f"{step.name}: {before}; attempt {len(step.attempts)}", phase=step.name, moment="step")
    elif step.state == "running":
        notice(f"{step.name}: {command_text(step.command)}", phase=step.name, moment="started")
    elif step.state == "skipped":
        notice(f"{step.name}: skipped, since {step.reason}", phase=step.name, moment="note")
    else:
        moment = "finished" if step.state == "succeeded" else "failed"
        because = f" ({step.reason})" if step.reason else ""
        text = f"{step.name}: {step.state} after {step.seconds:.1f} s{because}"
        notice(text, phase=step.name, moment=moment, seconds=round(step.seconds, 3))
