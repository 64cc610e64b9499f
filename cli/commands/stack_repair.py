"""`dataops stack cancel|recover`: what to do when an update did not end as it should."""

from __future__ import annotations

from dataclasses import asdict

import click

from dataops.cli import wiring
from dataops.cli.commands.stack_lifecycle import confirm_name
from dataops.cli.options import Request, json_option, stack_options
from dataops.cli.parameter_types import STACK
from dataops.cli.tables import print_json, print_table
from dataops.infra.state.backend import Damage, not_found


@click.command()
@click.argument("name", required=False, type=STACK)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@stack_options
def cancel(request: Request, name: str | None, yes: bool) -> None:
    """Break the lock of an update that will not end.

    What it had recorded is kept. Only do this when you know that nobody is at work on the stack: a lock whose holder
    is dead is taken over without it.

    \b
    Example:
      dataops stack cancel --yes
    """
    workspace = wiring.workspace(request)
    ref = workspace.reference(name or request.stack)
    backend = wiring.backend(workspace)
    if not backend.exists(ref):
        raise not_found(ref)
    if not yes:
        confirm_name(request, ref, f"This breaks into the update of '{ref.stack}', if there is one")
    holders = backend.cancel(ref)
    for holder in holders:
        click.echo(f"Broke the lock of {holder}", err=True)
    if not holders:
        click.echo(f"Nobody was at work on stack '{ref.stack}'", err=True)


@click.command()
@click.option("--set-aside", is_flag=True, help="Move the lost journal out of the way; it is kept.")
@click.option("--restore", is_flag=True, help="Put the newest good copy in the place of a damaged checkpoint.")
@json_option
@stack_options
def recover(request: Request, set_aside: bool, restore: bool, as_json: bool) -> None:
    """List what a lost journal recorded or what could replace a damaged checkpoint, and put it in order.

    A journal is lost when the checkpoint that it extends has been replaced, by another tool or by hand. Its resources
    may exist without being in the state: import them, or delete them, before you set it aside.

    \b
    Example:
      dataops stack recover --set-aside
      dataops stack recover --restore
    """
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    backend = wiring.backend(workspace)
    if not backend.exists(ref):
        raise not_found(ref)
    if (damage := backend.damage(ref)) is not None:
        damage = backend.restore(ref) if restore else damage
        if as_json:
            print_json(asdict(damage))
        else:
            _show_damage(damage)
        return
    lost = backend.lost_journals(ref)
    if set_aside and lost:
        backend.set_aside(ref)
    if as_json:
        print_json([asdict(journal) for journal in lost])
        return
    if not lost:
        click.echo(f"Stack '{ref.stack}' has no lost journal", err=True)
    for journal in lost:
        click.echo(f"{journal.kind} of {journal.started} by {journal.holder}, kept in {journal.path}")
        print_table(("STEP", "URN", "ID"), journal.resources, indent="    ")
    if lost and not set_aside:
        click.echo("When you have dealt with these: `dataops stack recover --set-aside`", err=True)


def _show_damage(damage: Damage) -> None:
    click.echo(f"The checkpoint {damage.path} ({damage.size} bytes) is damaged", err=bool(damage.aside))
    if damage.aside:
        click.echo(f"Put {damage.copies[0].path} of {damage.copies[0].time} in its place", err=True)
        click.echo(f"The damaged file is kept in {damage.aside}", err=True)
        return
    print_table(("GOOD COPY", "OF", "RESOURCES"), [(c.path, c.time, str(c.resources)) for c in damage.copies])
    if damage.copies:
        click.echo("To put the first in its place: `dataops stack recover --restore`", err=True)
    else:
        click.echo("There is no good copy: restore that file from a backup, or `dataops stack import`", err=True)
