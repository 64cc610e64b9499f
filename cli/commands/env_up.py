"""`dataops env up` and `dataops env deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import confirm, end_in_order, folder_option, output_option
from dataops.cli.commands.env_progress import progress
from dataops.cli.commands.env_report import report_json, report_text
from dataops.cli.engine_option import chosen_engine, engine_option
from dataops.cli.options import surroundings
from dataops.cli.parameter_types import BRANCH, DEPLOYED, SNAPSHOT
from dataops.cli.tables import print_json
from dataops.infra.errors import ConfigurationError

if TYPE_CHECKING:
    from dataops.envs.stack import Tools
    from dataops.envs.update import UpdateReport


@click.command()
@click.option("-b", "--branch", type=BRANCH, help="Whose code it runs; by default the one that is checked out.")
@click.option(
    "--snapshot",
    type=SNAPSHOT,
    metavar="ID",
    help="Its data: an id or newest; by default what it has.",
)
@click.option("--target", type=click.Choice(["local"]), help="Where it runs; by default here, as processes.")
@engine_option
@folder_option
@output_option
def up(
    branch: str | None, snapshot: str | None, target: str | None, engine: str | None, cwd: Path, as_json: bool
) -> None:
    """Make the replica of a branch, or bring it up to date.

    It is a private copy of production: the branch's code, the newest masked snapshot of the data in a Postgres cluster
    and a lake of its own, roles and grants, services. What is there already is left as it is; after a crash, run it
    again.

    \b
    Example:
      dataops env up --branch feature/x
    """
    from dataops.envs.checkout import Checkout
    from dataops.envs.phases import PhaseClock
    from dataops.envs.settings import value_of
    from dataops.envs.up import UpRequest
    from dataops.envs.up import up as bring_up

    tools = _tools(cwd, engine)
    checkout = Checkout.find(cwd.absolute())
    around = surroundings(cwd)
    branch = value_of("branch", around, branch)
    if not branch:
        raise ConfigurationError("no branch is checked out", hint="dataops env up --branch BRANCH")
    with progress() as sink:
        request = UpRequest(branch, value_of("snapshot", around, snapshot), value_of("target", around, target))
        report = bring_up(request, checkout, tools, PhaseClock(sink))
    _print(report, as_json)


@click.command()
@click.argument("name", metavar="production|staging", type=DEPLOYED)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@engine_option
@folder_option
@output_option
def deploy(name: str, yes: bool, engine: str | None, cwd: Path, as_json: bool) -> None:
    """Deploy production or staging from its branch.

    Only from the branch that dataops.yaml configures for it, with everything committed.

    \b
    Example:
      dataops env deploy production --yes
    """
    from dataops.envs import deploy as deployment
    from dataops.envs.checkout import Checkout
    from dataops.envs.phases import PhaseClock

    tools = _tools(cwd, engine)
    checkout = Checkout.find(cwd.absolute())
    change = deployment.plan(name, checkout)
    confirm(f"Deploy {name} at {change.commit[:12]} of {change.branch}?", yes, f"dataops env deploy {name}")
    with progress() as sink:
        report = deployment.deploy(change, checkout, tools, PhaseClock(sink))
    _print(report, as_json)


def _tools(cwd: Path, engine: str | None) -> Tools:
    """The tools of environments; the key of the state's secrets is on its way while dataops.yaml is read."""
    from dataops.envs.checkout import find_layout
    from dataops.envs.registry import Registry
    from dataops.envs.stack import derive_early

    end_in_order()
    tools = wiring.environment_tools(chosen_engine(cwd, engine))
    if layout := find_layout(cwd.absolute()):
        derive_early(tools, Registry(layout.registry).all())
    return tools


def _print(report: UpdateReport, as_json: bool) -> None:
    if as_json:
        print_json(report_json(report))
    else:
        report_text(report)
