"""`dataops pipeline ls|runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.commands.pipeline_run import bytes_text, rows_text
from dataops.cli.notices import notice
from dataops.cli.options import environment_option
from dataops.cli.parameter_types import PIPELINE
from dataops.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from dataops.infra.platform.run_plan import PipelinePlan
    from dataops.services.runs import AttemptRecord, RunRecord, StepRecord
    from dataops.services.schedules import PipelineState

LONGEST_CHAIN = 60
"""Characters of the order of steps that a row of a table has room for."""


@click.command()
@environment_option
@folder_option
@output_option
def ls(environment: str, cwd: Path, as_json: bool) -> None:
    """List an environment's pipelines: their steps, when they are due, how the last run went.

    A due run is `late` when it has not begun a minute after it should have, and `missing` when its time passed
    without a run.

    \b
    Example:
      dataops pipeline ls --env production
    """
    from dataops.envs.pipeline import plan_of, states_of

    _, record = find_environment(environment, cwd)
    plan_of(record)
    found = states_of(record)
    if as_json:
        print_json([state.to_json() for state in found])
        return
    headings = ("PIPELINE", "STEPS", "STATE", "SCHEDULE", "NEXT", "LAST")
    print_table(headings, [_state_row(state) for state in found])


@click.command()
@click.argument("name", metavar="[PIPELINE]", required=False, type=PIPELINE)
@click.argument("run", metavar="[RUN]", required=False)
@environment_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@folder_option
@output_option
def runs(name: str | None, run: str | None, environment: str, limit: int, cwd: Path, as_json: bool) -> None:
    """List the newest runs of an environment, or show one run with its steps, attempts and logs.

    RUN is a run's id, the beginning of one, or `last`, which also stands alone. The newest 100 runs of each pipeline
    are kept, and older ones for 30 days, up to 1000, with their logs.

    \b
    Examples:
      dataops pipeline runs --env feature-x
      dataops pipeline runs flights last --env production
      dataops pipeline runs last --env production
    """
    from dataops.envs.pipeline import run_of, runs_of

    _, record = find_environment(environment, cwd)
    if run or name == "last":
        _show_run(run_of(record, name if run else None, run or "last"), as_json)
        return
    found = runs_of(record, name, limit)
    if as_json:
        print_json([r.to_json() for r in found])
        return
    if not found:
        what = f"{name} has not run" if name else "Nothing has run"
        notice(f"{what} in {environment} yet: `dataops pipeline run {name or 'PIPELINE'} --env {environment}`.")
        return
    print_table(
        ("RUN", "PIPELINE", "STATE", "STARTED", "SECONDS", "ROWS", "TRIGGER", "COMMIT"), [_row(r) for r in found]
    )


def _show_run(run: RunRecord, as_json: bool) -> None:
    if as_json:
        print_json(run.to_json())
        return
    facts = [
        ("run", run.id),
        ("state", f"{run.state}{f': {run.reason}' if run.reason else ''}"),
        ("trigger", f"{_trigger(run)}{f', due {_moment(run.due)}' if run.due else ''}"),
        ("started", _moment(run.started)),
        ("seconds", f"{run.seconds:.1f}" if run.ended else ""),
        ("commit", run.commit[:12]),
    ]
    print_facts([(label, value) for label, value in facts if value])
    rows = [
        (
            step.name if i == 0 else "",
            step.state if attempt is step.attempts[-1] else "failed",
            str(attempt.number),
            f"{attempt.seconds:.1f}",
            "" if attempt.exit is None else str(attempt.exit),
            rows_text(step) if attempt is step.attempts[-1] else "",
            bytes_text(step) if attempt is step.attempts[-1] else "",
            _reason(step, attempt),
            attempt.log,
        )
        for step in run.steps
        for i, attempt in enumerate(step.attempts)
    ]
    rows += [(step.name, step.state, "", "", "", "", "", step.reason, "") for step in run.steps if not step.attempts]
    if rows:
        print_table(
            ("STEP", "STATE", "ATTEMPT", "SECONDS", "EXIT", "ROWS", "BYTES", "REASON", "LOG"), rows, indent="  "
        )


def _reason(step: StepRecord, attempt: AttemptRecord) -> str:
    """Why an attempt failed, or what is wrong with the report of the last one; not what the state says already."""
    found = attempt.reason or (step.reason if attempt is step.attempts[-1] else "")
    return "" if found == step.state else found


def _state_row(state: PipelineState) -> tuple[str, ...]:
    schedule, last = state.plan.schedule, state.last
    word = state.state
    if state.late_since is not None:
        word = f"late since {_moment(_iso(state.late_since))}"
    elif state.state == "missing" and state.last_due is not None and state.last_due.missed:
        word = f"missing: {_moment(state.last_due.due)}"
    elif state.paused and state.pause and state.pause.reason:
        word = f"paused: {state.pause.reason}"
    return (
        state.name,
        chain(state.plan),
        word,
        f"{schedule.cron} {schedule.timezone}" if schedule else "",
        _moment(_iso(state.next)) if state.next is not None else "",
        f"{last.state} {_moment(last.started)}" if last else "",
    )


def chain(plan: PipelinePlan) -> str:
    """The order of the steps: `a → b, c → d`, where b and c may run side by side; of very many, the first and last."""
    depth: dict[str, int] = {}
    for step in plan.steps:
        depth[step.name] = 1 + max((depth[need] for need in step.needs), default=0)
    levels = sorted(set(depth.values()))
    found = " → ".join(", ".join(name for name in depth if depth[name] == level) for level in levels)
    if len(found) <= LONGEST_CHAIN:
        return found
    first, last = plan.steps[0].name, max(depth, key=lambda name: depth[name])
    return f"{first} → … → {last} ({len(depth)} steps)" if len(levels) > 1 else f"{first}, … ({len(depth)} steps)"


def _row(run: RunRecord) -> tuple[str, ...]:
    rows = sum(count for step in run.steps for count in step.rows.values())
    count = f"{run.state} ×{run.missed}" if run.missed > 1 else run.state
    started = _moment(run.started or run.due)
    return (
        run.id,
        run.pipeline,
        count,
        started,
        f"{run.seconds:.1f}" if run.ended else "",
        str(rows) if rows else "",
        _trigger(run),
        run.commit[:12],
    )


def _trigger(run: RunRecord) -> str:
    return "schedule" if run.trigger == "schedule" else f"{run.trigger} by {run.user}"


def _iso(moment: float) -> str:
    from dataops.services.runs import iso

    return iso(moment)


def _moment(text: str) -> str:
    """An ISO time to the minute: `2026-05-04 05:00Z`."""
    return f"{text[:16].replace('T', ' ')}Z" if text else ""
