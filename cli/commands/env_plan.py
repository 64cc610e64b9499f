"""`dataops env plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import folder_option, output_option, read_variables, variables_option
from dataops.cli.commands.env_progress import progress
from dataops.cli.commands.env_report import age_of
from dataops.cli.commands.env_up import replica_options, request_from, tools_for
from dataops.cli.engine_option import engine_option
from dataops.cli.parameter_types import DEPLOYED
from dataops.cli.tables import print_facts, print_json, print_table
from dataops.infra.errors import ConfigurationError, ExpectationError

if TYPE_CHECKING:
    from dataops.envs.planned import EnvironmentPlan, PlannedStep


@click.command()
@click.argument("name", required=False, metavar="[production|staging]", type=DEPLOYED)
@replica_options
@variables_option
@engine_option
@click.option("--expect-no-changes", is_flag=True, help="Exit with 7 when anything would change.")
@folder_option
@output_option
def plan(
    name: str | None,
    asked: dict[str, str | None],
    variables: tuple[str, ...],
    engine: str | None,
    expect_no_changes: bool,
    cwd: Path,
    as_json: bool,
) -> None:
    """Show what `env up` would do, or `env deploy` when production or staging is named; nothing is changed.

    What the update itself would be refused with is listed, too; the exit code is then the one that it would have.

    \b
    Examples:
      dataops env plan --branch feature/x
      dataops env plan production --expect-no-changes
    """
    from dataops.envs import deploy as deployment
    from dataops.envs import up as replica
    from dataops.envs.checkout import Checkout
    from dataops.envs.phases import PhaseClock
    from dataops.envs.preview import preview

    if name and any(asked[option] for option in ("branch", "snapshot", "phase")):
        raise ConfigurationError(
            f"{name} is deployed from the branch in dataops.yaml, without a snapshot",
            hint=f"dataops env plan {name}, or dataops env plan --branch BRANCH",
        )
    tools = tools_for(cwd, engine)
    checkout = Checkout.find(cwd.absolute())
    if name:
        change, refuse = (
            deployment.plan(name, checkout, read_variables(variables), asked["target"] or ""),
            deployment.refuse,
        )
    else:
        request = request_from(asked, variables, cwd, "plan")
        commit = checkout.repository.commit_of(request.branch)
        change = replica.plan(request, replica.environment_name(request.branch, checkout), commit, checkout)
        refuse = replica.refuse
    with progress() as sink:
        planned = preview(change, lambda: refuse(change, checkout), checkout, tools, PhaseClock(sink))
    if as_json:
        print_json(planned.to_json())
    else:
        _print(planned)
    if expect_no_changes and planned.changed:
        raise ExpectationError(
            f"{change.name} would be changed: {_counts(planned)}",
        )
    if planned.refused:
        # what is to be said about it is in the plan
        click.get_current_context().exit(planned.refused[0].exit_code)


def _print(plan: EnvironmentPlan) -> None:
    change = plan.change
    if not plan.exists:
        click.echo(f"{click.style(change.name, bold=True)} would be made.")
    elif plan.changed:
        click.echo(f"{click.style(change.name, bold=True)} would be changed.")
    else:
        click.echo(f"{click.style(change.name, bold=True)} would stay as it is.")
    facts = [("branch", change.branch), ("commit", _moved(plan.commit_before[:12], change.commit[:12]))]
    if change.snapshot:
        facts.append(("data", f"snapshot {_moved(plan.snapshot_before, change.snapshot)}{age_of(change.snapshot)}"))
    print_facts(facts)
    if plan.variables:
        click.echo("\nVariables:")
        print_table(
            ("CHANGE", "NAME", "VALUE"),
            [(v.change, v.name, _moved(_shown(v.before), _shown(v.after))) for v in plan.variables],
            indent="  ",
        )
    if plan.steps:
        click.echo("\nResources, by phase:")
        for phase, steps in plan.phases().items():
            click.echo(f"  {phase}")
            for number, step in enumerate(steps):
                click.echo(f"  {'└─' if number == len(steps) - 1 else '├─'} {_line(step)}")
    if plan.refused:
        click.echo("\nIt would be refused now:")
        for error in plan.refused:
            click.echo(f"  {click.style('refused', fg='red', bold=True)}: {error}")
            if error.hint:
                click.echo(f"    {error.hint}")
    click.echo(f"\nPlanned in {plan.seconds:.1f} s: {_counts(plan)}. Nothing was changed.")


def _line(step: PlannedStep) -> str:
    from dataops.cli.display.words import words_of

    words = words_of(step.op)
    why = f" ({', '.join(step.properties)})" if step.properties else ""
    kind = step.type.rpartition(":")[2]
    return f"{click.style(f'{words.mark:>2}', fg=words.color or None)} {words.plan} {kind} {step.name}{why}"


def _counts(plan: EnvironmentPlan) -> str:
    from dataops.cli.display.words import words_of
    from dataops.envs.planned import PLANNED

    parts = [f"{count} to {words_of(op).plan}" for op, count in plan.changes.items() if words_of(op).plan and count]
    same = plan.changes.get("same", 0)
    told = ", ".join(part for part in [*parts, f"{same} unchanged" if same else ""] if part) or "nothing to do"
    components = sum(plan.changes.get(op, 0) for op in PLANNED) - len(plan.steps)
    return f"{told} ({components} of them components, which only group others)" if components > 0 else told


def _moved(before: str, after: str) -> str:
    return f"{before} → {after}" if before and after and before != after else after or f"(was {before})"


def _shown(value: object) -> str:
    if value is None:
        return ""
    return "(known after the update)" if value == "[unknown]" else str(value)
