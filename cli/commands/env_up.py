"""`dataops env up` and `dataops env deploy`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import (
    confirm,
    end_in_order,
    folder_option,
    output_option,
    read_variables,
    variables_option,
)
from dataops.cli.commands.env_progress import progress
from dataops.cli.commands.env_report import report_json, report_text
from dataops.cli.engine_option import chosen_engine, engine_option
from dataops.cli.options import Command, surroundings
from dataops.cli.parameter_types import BRANCH, DEPLOYED, SNAPSHOT
from dataops.cli.tables import print_json
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.parameters import TARGETS

if TYPE_CHECKING:
    from dataops.envs.change import UpdateReport
    from dataops.envs.stack import Tools
    from dataops.envs.up import UpRequest


target_option = click.option(
    "--target", type=click.Choice(TARGETS), help="Where it runs: local, as processes, or docker, as containers."
)


def replica_options(function: Command) -> Command:
    """Adds what `env up` and `env plan` ask about a replica; the function gets it as `asked`, for `request_for`."""
    options = [
        click.option("-b", "--branch", type=BRANCH, help="Whose code it runs; by default the one that is checked out."),
        click.option(
            "--snapshot",
            type=SNAPSHOT,
            metavar="ID",
            help="Its data: an id, newest, empty or subset:RULE; by default what it has.",
        ),
        target_option,
        click.option("--from-step", "phase", metavar="PHASE", help="Do this phase and all later ones again."),
    ]

    @functools.wraps(function)
    def run(
        branch: str | None, snapshot: str | None, target: str | None, phase: str | None, *args: Any, **rest: Any
    ) -> Any:
        asked = {"branch": branch, "snapshot": snapshot, "target": target, "phase": phase}
        return function(*args, asked=asked, **rest)

    wrapped: Command = run
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


@click.command()
@replica_options
@variables_option
@engine_option
@folder_option
@output_option
def up(asked: dict[str, str | None], variables: tuple[str, ...], engine: str | None, cwd: Path, as_json: bool) -> None:
    """Make the replica of a branch, or bring it up to date.

    It is a private copy of production: the branch's code, the newest masked snapshot of the data in a Postgres cluster
    and a lake of its own, roles and grants, services. What is there already is left as it is; after a crash, run it
    again: it goes on where it stopped.

    --from-step does a part again that was done already. The phases are, in order: code, requirements, supervisor,
    golden, warehouse, lake, access, variables, checks, services, runner, endpoints. The worktree, the virtual
    environment, the supervisor and the services are removed and made anew; warehouse and lake are laid anew from the
    snapshot, at the same address and with the same passwords; everything else is checked and put right in place.

    --snapshot empty gives the schema of the newest snapshot without rows and objects. --snapshot subset:RULE gives the
    newest snapshot that was captured with that rule (several: subset:RULE; RULE); production is not asked.

    \b
    Examples:
      dataops env up --branch feature/x
      dataops env up --branch feature/x --snapshot "subset:flights:5%"
      dataops env up --branch feature/x --var LOG_LEVEL=debug
      dataops env up --branch feature/x --from-step services
    """
    from dataops.envs.checkout import Checkout
    from dataops.envs.phases import PhaseClock
    from dataops.envs.up import up as bring_up

    tools = tools_for(cwd, engine)
    checkout = Checkout.find(cwd.absolute())
    request = request_from(asked, variables, cwd, "up")
    with progress() as sink:
        report = bring_up(request, checkout, tools, PhaseClock(sink))
    print_report(report, as_json)
    prepare_next(report, cwd)


@click.command()
@click.argument("name", metavar="production|staging", type=DEPLOYED)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@target_option
@variables_option
@engine_option
@folder_option
@output_option
def deploy(
    name: str,
    yes: bool,
    target: str | None,
    variables: tuple[str, ...],
    engine: str | None,
    cwd: Path,
    as_json: bool,
) -> None:
    """Deploy production or staging from its branch.

    Only from the branch that dataops.yaml configures for it, with everything committed. It stays on the target that it
    was first deployed to: by --target, by `environments.production.target`, else as processes of this machine.

    \b
    Examples:
      dataops env deploy production --yes
      dataops env deploy staging --target docker
    """
    from dataops.envs import deploy as deployment
    from dataops.envs.checkout import Checkout
    from dataops.envs.phases import PhaseClock

    tools = tools_for(cwd, engine)
    checkout = Checkout.find(cwd.absolute())
    change = deployment.plan(name, checkout, read_variables(variables), target or "")
    deployment.refuse(change, checkout)
    confirm(f"Deploy {name} at {change.commit[:12]} of {change.branch}?", yes, f"dataops env deploy {name}")
    with progress() as sink:
        report = deployment.deploy(change, checkout, tools, PhaseClock(sink))
    print_report(report, as_json)


def request_from(asked: dict[str, str | None], variables: tuple[str, ...], cwd: Path, command: str) -> UpRequest:
    """The `UpRequest` for what was asked; what was left out comes from the settings.

    Raises:
        ConfigurationError: no branch is named or checked out; a variable is not right.
    """
    from dataops.envs.settings import value_of
    from dataops.envs.up import UpRequest

    around = surroundings(cwd)
    branch = value_of("branch", around, asked["branch"])
    if not branch:
        raise ConfigurationError("no branch is checked out", hint=f"dataops env {command} --branch BRANCH")
    return UpRequest(
        branch,
        value_of("snapshot", around, asked["snapshot"]),
        value_of("target", around, asked["target"]),
        read_variables(variables),
        asked["phase"] or "",
    )


def tools_for(cwd: Path, engine: str | None = None) -> Tools:
    """The tools of environments; the key of the state's secrets is on its way while dataops.yaml is read."""
    from dataops.envs.checkout import find_layout
    from dataops.envs.registry import Registry
    from dataops.envs.stack import derive_early

    end_in_order()
    tools = wiring.environment_tools(chosen_engine(cwd, engine))
    if layout := find_layout(cwd.absolute()):
        derive_early(tools, Registry(layout.registry).survey()[0])
    return tools


def prepare_next(report: UpdateReport, cwd: Path) -> None:
    """Has copies for the next replica be made in the background, if the setting `warm` asks for them."""
    from dataops.envs.settings import value_of
    from dataops.envs.warm import keep_warm

    keep_warm(report.record, int(value_of("warm", surroundings(cwd))))


def print_report(report: UpdateReport, as_json: bool) -> None:
    """The result of an update, as a document or as a panel."""
    if as_json:
        print_json(report_json(report))
    else:
        report_text(report)
