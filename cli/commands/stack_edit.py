"""`dataops stack state …`: changes to what is recorded of resources; the resources themselves stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from dataops.cli import wiring
from dataops.cli.commands.stack_move import move
from dataops.cli.options import Inherited, Request, stack_options
from dataops.infra.errors import ConfigurationError
from dataops.infra.state import resource_edits as edits
from dataops.infra.state.backend import not_found

Edit = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@click.group()
@stack_options
@click.pass_context
def state(ctx: click.Context, request: Request) -> None:
    """Change what is recorded of resources; the resources themselves stay as they are.

    \b
    Examples:
      dataops stack state delete 'urn:pulumi:dev::shop::aws:s3/bucket:Bucket::logs'
      dataops stack state unprotect --all
    """
    ctx.obj = Inherited(request.stack, request.cwd, not request.interactive)


state.add_command(move)


@state.command()
@click.argument("urn")
@click.option("--force", is_flag=True, help="Even if it is protected.")
@click.option("--target-dependents", is_flag=True, help="Also forget what depends on it.")
@yes_option
@stack_options
def delete(request: Request, urn: str, force: bool, target_dependents: bool, yes: bool) -> None:
    """Forget a resource: it stays where it is, and no stack manages it any more.

    \b
    Example:
      dataops stack state delete 'urn:pulumi:dev::shop::aws:s3/bucket:Bucket::logs' --yes
    """
    _edit(request, yes, f"This forgets {urn}", lambda found: edits.without(found, urn, force, target_dependents))


@state.command()
@click.argument("urn")
@click.argument("name")
@yes_option
@stack_options
def rename(request: Request, urn: str, name: str, yes: bool) -> None:
    """Give a resource another name, so that a program which calls it that finds it.

    \b
    Example:
      dataops stack state rename 'urn:pulumi:dev::shop::aws:s3/bucket:Bucket::logs' journal --yes
    """
    _edit(request, yes, f"This renames {urn}", lambda found: edits.renamed(found, urn, name))


@state.command()
@click.argument("urns", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All resources of the stack.")
@yes_option
@stack_options
def protect(request: Request, urns: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Protect resources from being deleted.

    \b
    Example:
      dataops stack state protect --all --yes
    """
    _mark(request, urns, everything, yes, "protect", True)


@state.command()
@click.argument("urns", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All resources of the stack.")
@yes_option
@stack_options
def unprotect(request: Request, urns: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Take the protection from resources.

    \b
    Example:
      dataops stack state unprotect 'urn:pulumi:dev::shop::aws:s3/bucket:Bucket::logs' --yes
    """
    _mark(request, urns, everything, yes, "protect", False)


@state.command()
@click.argument("urns", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All resources of the stack.")
@yes_option
@stack_options
def taint(request: Request, urns: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Have resources replaced by the next update.

    \b
    Example:
      dataops stack state taint 'urn:pulumi:dev::shop::aws:s3/bucket:Bucket::logs' --yes
    """
    _mark(request, urns, everything, yes, "taint", True)


@state.command()
@click.argument("urns", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All resources of the stack.")
@yes_option
@stack_options
def untaint(request: Request, urns: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Let resources be, that were to be replaced.

    \b
    Example:
      dataops stack state untaint --all --yes
    """
    _mark(request, urns, everything, yes, "taint", False)


@state.command()
@yes_option
@stack_options
def repair(request: Request, yes: bool) -> None:
    """Put resources in order and drop what they say of others that are gone.

    \b
    Example:
      dataops stack state repair --yes
    """
    notes: list[str] = []

    def change(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        new, wrong = edits.repaired(found)
        notes.extend(wrong)
        return new

    _edit(request, yes, "This repairs the state", change)
    click.echo("\n".join(notes) or "Nothing was wrong", err=True)


@state.command()
@stack_options
def upgrade(request: Request) -> None:
    """Bring the place where state is kept to the newest layout; it always is, so this only says so.

    \b
    Example:
      dataops stack state upgrade
    """
    space = wiring.workspace(request)
    count = len(wiring.backend(space).stacks())
    click.echo(f"{space.backend_url} has the newest layout, with {count} stack{'s' * (count != 1)}", err=True)


def _mark(request: Request, urns: tuple[str, ...], everything: bool, yes: bool, field: str, value: bool) -> None:
    if bool(urns) == everything:
        raise ConfigurationError("name the resources, or say --all", hint="dataops stack --show-urns lists URNs")
    word = field if value else f"un{field}"
    subject = "all resources" if everything else ", ".join(urns)
    _edit(request, yes, f"This will {word} {subject}", lambda found: edits.marked(found, urns, field, value))


def _edit(request: Request, yes: bool, warning: str, change: Edit) -> None:
    """Changes the resources of the stack that is meant, once somebody has agreed."""
    space = wiring.workspace(request)
    ref = space.reference(request.stack)
    backend = wiring.backend(space)
    if not backend.exists(ref):
        raise not_found(ref)
    secrets = wiring.secrets(space, wiring.settings(space, ref), ref, request)
    document = backend.export(ref)
    before = document["deployment"].get("resources") or []
    after = change(before)
    if after == before:
        click.echo("The state is as it should be", err=True)
        return
    if not yes:
        if not request.interactive:
            raise ConfigurationError(f"{warning}, and nobody can be asked", hint="add --yes")
        click.confirm(f"{warning}. Go on?", abort=True, err=True)
    changed = {**document, "deployment": {**document["deployment"], "resources": after}}
    backend.import_(ref, changed, secrets, force=True)
    click.echo(f"The state of stack '{ref.stack}' has been changed", err=True)
