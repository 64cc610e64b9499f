"""`dataops stack state move`: resources from one stack to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dataops.cli import wiring
from dataops.cli.options import Request, stack_options
from dataops.infra.errors import CancelledError, ConfigurationError, DataopsError
from dataops.infra.state.backend import StackReference, not_found

if TYPE_CHECKING:
    from dataops.cli.workspace import Workspace
    from dataops.infra.state.move import Move


@click.command()
@click.argument("urns", nargs=-1, required=True, metavar="URN...")
@click.option("--source", metavar="STACK", help="Where they are; by default the selected stack.")
@click.option("--dest", metavar="STACK", help="Where they go; by default the selected stack.")
@click.option("--include-parents", is_flag=True, help="Their parents go, too.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@stack_options
def move(
    request: Request, urns: tuple[str, ...], source: str | None, dest: str | None, include_parents: bool, yes: bool
) -> None:
    """Move resources from one stack to another, with their children and copies of their providers.

    The resources themselves are not touched. The destination is written first: a crash in between leaves them in both
    stacks and in none lost, and the same command, run again, then takes them from the source.

    \b
    Example:
      dataops stack state move --source dev --dest shared 'urn:pulumi:dev::shop::aws:s3/bucket:Bucket::logs'
    """
    if source is None and dest is None:
        raise ConfigurationError("neither stack is named", hint="add --source STACK, --dest STACK or both")
    space = wiring.workspace(request)
    giver, taker = (_known(space, name or request.stack) for name in (source, dest))
    if giver == taker:
        raise ConfigurationError("the resources are in this stack already", where=giver.qualified)
    backend = wiring.backend(space)
    keys = [wiring.secrets_of(space, ref, request) for ref in (giver, taker)]
    from dataops.infra.state.move import move as plan

    arrived = False
    try:
        with backend.begin(giver, "import", keys[0]) as giving:
            with backend.begin(taker, "import", keys[1]) as taking:
                found = plan(giving.base.resources, taking.base.resources, taker, urns, include_parents)
                _tell(found, giver, taker)
                if not yes:
                    _ask(request)
                if not found.resumed:
                    taking.rewrite_base(replace(taking.base, resources=found.dest))
            arrived = True
            giving.rewrite_base(replace(giving.base, resources=found.source))
    except DataopsError as error:
        if arrived:
            error.hint = "the destination has the resources; run the same command again to take them from the source"
        raise
    click.echo(f"{len(found.urns)} resources are now in {taker.qualified}", err=True)


def _known(space: Workspace, name: str | None) -> StackReference:
    ref = space.reference(name)
    if not wiring.backend(space).exists(ref):
        raise not_found(ref)
    return ref


def _tell(found: Move, giver: StackReference, taker: StackReference) -> None:
    """What is going to be moved, and what it is parted from."""
    for urn in found.missing:
        click.echo(f"warning: {urn} is not in {giver.qualified}", err=True)
    _list(f"To be moved from {giver.qualified} to {taker.qualified}:", found.urns)
    here, there = found.parted
    _list("What remains is parted from what is moved:", here)
    _list("What is moved is parted from what remains:", there)
    if here or there:
        click.echo("The programs of both stacks have to pass on what these took from one another.")


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo("\n".join([heading, "", *(f"  - {line}" for line in lines), ""]))


def _ask(request: Request) -> None:
    if not request.interactive:
        raise ConfigurationError("this moves resources, and nobody can be asked", hint="add --yes")
    if not click.confirm("Do you want to perform this move?", default=False, err=True):
        raise CancelledError("nothing was moved: the answer was no")
