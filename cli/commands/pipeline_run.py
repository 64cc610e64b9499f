"""`dataops pipeline run|runs|ls`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import end_in_order, find_environment, folder_option, output_option
from dataops.cli.notices import notice
from dataops.cli.options import environment_option
from dataops.cli.parameter_types import PIPELINE, STEP
from dataops.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from dataops.services.runs import RunRecord, StepRecord


@click.command()
@click.argument("name", metavar="PIPELINE", type=PIPELINE)
@environment_option
@click.option("--step", metavar="STEP", type=STEP, help="Run this step alone.")
@folder_option
@output_option
def run(name: str, environment: str, step: str | None, cwd: Path, as_json: bool) -> None:
    """Run a pipeline in an environment, with the environment's own code, variables and data.

    \b
    Example:
      dataops pipeline run flights --env feature-x
    """
    from dataops.envs.pipeline import run_in

    end_in_order()
    registry, record = find_environment(environment, cwd)
    done = run_in(record, registry, name, step, _show_step)
    if as_json:
        print_json(done.to_json())
        return
    click.echo(f"{click.style(name, bold=True)} ran in {environment} in {done.seconds:.1f} s (run {done.id}).")
    print_table(("STEP", "STATE", "SECONDS", "ROWS"), [_row(s) for s in done.steps], indent="  ")


@click.command()
@click.argument("name", metavar="[PIPELINE]", required=False, type=PIPELINE)
@environment_option
@folder_option
@output_option
def runs(name: str | None, environment: str, cwd: Path, as_json: bool) -> None:
    """List the runs of an environment's pipelines, the newest first.

    \b
    Example:
      dataops pipeline runs --env feature-x
    """
    from dataops.services.runs import load_runs

    _, record = find_environment(environment, cwd)
    found = load_runs(Path(record.root) / "logs" / "runs", name)
    if as_json:
        print_json([r.to_json() for r in found])
        return
    if not found:
        notice(f"Nothing has run in {environment} yet.")
        return
    print_table(("RUN", "PIPELINE", "STATE", "SECONDS", "COMMIT", "USER"), [_run_row(r) for r in found])


@click.command()
@environment_option
@folder_option
@output_option
def ls(environment: str, cwd: Path, as_json: bool) -> None:
    """List an environment's pipelines and the order of their steps.

    \b
    Example:
      dataops pipeline ls --env feature-x
    """
    from dataops.envs.pipeline import pipelines_of

    _, record = find_environment(environment, cwd)
    found = pipelines_of(record)
    if as_json:
        print_json([{"name": name, "steps": [s.name for s in steps]} for name, steps in found.items()])
        return
    print_table(("PIPELINE", "STEPS"), [(name, " → ".join(s.name for s in steps)) for name, steps in found.items()])


def _show_step(step: StepRecord) -> None:
    if step.state == "running":
        notice(f"{step.name}: {' '.join(step.command)}", phase=step.name, moment="started")
    else:
        moment = "finished" if step.state == "succeeded" else "failed"
        notice(
            f"{step.name}: {step.state} after {step.seconds:.1f} s",
            phase=step.name,
            moment=moment,
            seconds=round(step.seconds, 3),
        )


def _row(step: StepRecord) -> tuple[str, str, str, str]:
    rows = ", ".join(f"{name} {count}".strip() for name, count in step.rows.items())
    return (step.name, step.state, f"{step.seconds:.1f}", rows)


def _run_row(run: RunRecord) -> tuple[str, str, str, str, str, str]:
    return (run.id, run.pipeline, run.state, f"{run.seconds:.1f}", run.commit[:12], run.user)
