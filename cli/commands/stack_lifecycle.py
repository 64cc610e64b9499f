"""`dataops stack init|ls|select|unselect|rm`: the life of a stack, without its resources."""

from __future__ import annotations

import time

import click

from dataops.cli import wiring
from dataops.cli.options import Request, json_option, stack_options
from dataops.cli.parameter_types import STACK
from dataops.cli.tables import ago, iso, print_json, print_table
from dataops.cli.workspace import Workspace
from dataops.infra.errors import ConfigurationError, DataopsError
from dataops.infra.state.backend import StackReference, not_found


@click.command()
@click.argument("name", required=False)
@click.option("--no-select", is_flag=True, help="Do not select the new stack.")
@click.option("--copy-config-from", metavar="STACK", type=STACK, help="Start from another stack's configuration.")
@click.option("--secrets-provider", default="default", help="How secrets are encrypted: default or passphrase.")
@click.option("-y", "--yes", is_flag=True, help="Accepted for scripts; there is nothing to confirm.")
@stack_options
def init(
    request: Request, name: str | None, no_select: bool, copy_config_from: str | None, secrets_provider: str, yes: bool
) -> None:
    """Make an empty stack and select it.

    Secrets are encrypted under a passphrase: PULUMI_CONFIG_PASSPHRASE, or the file that PULUMI_CONFIG_PASSPHRASE_FILE
    names.

    \b
    Example:
      dataops stack init dev
    """
    if secrets_provider not in ("default", "passphrase"):
        raise ConfigurationError(
            f"secrets provider {secrets_provider!r} is not supported", hint="use `--secrets-provider passphrase`"
        )
    name = name or request.stack
    if not name:
        if not request.interactive:
            raise ConfigurationError("the stack has no name", hint="dataops stack init NAME")
        name = click.prompt("Name of the stack", type=str, err=True)
    workspace = wiring.workspace(request)
    ref = StackReference.parse(name, workspace.project.name)
    backend = wiring.backend(workspace)
    if backend.exists(ref):
        raise ConfigurationError(f"there is a stack {ref.stack!r} already", hint=f"dataops stack select {ref.stack}")
    settings = wiring.settings(workspace, ref)
    backend.create(ref, wiring.secrets(workspace, settings, ref, request))
    if copy_config_from:
        _copy_config(request, workspace, StackReference.parse(copy_config_from, workspace.project.name), ref)
    if not no_select:
        workspace.select(ref)
    click.echo(f"Created stack '{ref.stack}'", err=True)


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Stacks of all projects.")
@click.option("-p", "--project", metavar="NAME", help="Stacks of another project.")
@json_option
@stack_options
def ls(request: Request, everything: bool, project: str | None, as_json: bool) -> None:
    """List the project's stacks; the selected one has a star.

    \b
    Example:
      dataops stack ls --json
    """
    workspace = wiring.workspace(request)
    current = workspace.selected()
    found = wiring.backend(workspace).stacks(None if everything else project or workspace.project.name)
    names = [
        s.reference.qualified if everything or s.reference.project != workspace.project.name else s.reference.stack
        for s in found
    ]
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "current": s.reference.qualified == current,
                    **({"lastUpdate": iso(s.last_update)} if s.last_update is not None else {}),
                    **({"updateInProgress": True} if s.locked else {}),
                    **({"resourceCount": s.resource_count} if s.resource_count is not None else {}),
                }
                for name, s in zip(names, found, strict=True)
            ]
        )
        return
    now = time.time()
    rows = [
        (
            f"{name}*" if s.reference.qualified == current else name,
            "in progress" if s.locked else ago(s.last_update, now) if s.last_update is not None else "never",
            "n/a" if s.resource_count is None else str(s.resource_count),
        )
        for name, s in zip(names, found, strict=True)
    ]
    print_table(("NAME", "LAST UPDATE", "RESOURCE COUNT"), rows)


@click.command()
@click.argument("name", required=False, type=STACK)
@click.option("-c", "--create", is_flag=True, help="Make the stack when there is none.")
@stack_options
def select(request: Request, name: str | None, create: bool) -> None:
    """Select the stack that commands are about when none is named.

    \b
    Example:
      dataops stack select dev
    """
    workspace = wiring.workspace(request)
    backend = wiring.backend(workspace)
    name = name or request.stack
    if not name:
        names = [s.reference.stack for s in backend.stacks(workspace.project.name)]
        if not request.interactive or not names:
            raise ConfigurationError("which stack is not said", hint="dataops stack select NAME")
        name = click.prompt("Stack", type=click.Choice(names), err=True)
    ref = StackReference.parse(name, workspace.project.name)
    if not backend.exists(ref):
        if not create:
            raise not_found(ref)
        backend.create(ref, wiring.secrets(workspace, wiring.settings(workspace, ref), ref, request))
        click.echo(f"Created stack '{ref.stack}'", err=True)
    workspace.select(ref)


@click.command()
@stack_options
def unselect(request: Request) -> None:
    """Select no stack.

    \b
    Example:
      dataops stack unselect
    """
    wiring.workspace(request).select(None)
    click.echo("No stack is selected", err=True)


@click.command()
@click.argument("name", required=False, type=STACK)
@click.option("-f", "--force", is_flag=True, help="Remove it even if it still has resources; they stay behind.")
@click.option("--preserve-config", is_flag=True, help="Keep the stack's Pulumi.<stack>.yaml.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@stack_options
def rm(request: Request, name: str | None, force: bool, preserve_config: bool, yes: bool) -> None:
    """Remove a stack, its configuration and its history; `destroy` deletes its resources first.

    \b
    Example:
      dataops stack rm dev --yes
    """
    workspace = wiring.workspace(request)
    backend = wiring.backend(workspace)
    ref = workspace.reference(name or request.stack)
    if not backend.exists(ref):
        raise not_found(ref)
    if not yes:
        confirm_name(request, ref, f"This removes the stack '{ref.stack}' for good")
    backend.remove(ref, force=force)
    if not preserve_config:
        workspace.project.stack_file(ref.stack).unlink(missing_ok=True)
    if workspace.selected() == ref.qualified:
        workspace.select(None)
    click.echo(f"Stack '{ref.stack}' has been removed", err=True)


def _copy_config(request: Request, space: Workspace, source: StackReference, ref: StackReference) -> None:
    """Gives a new stack another one's configuration, secrets encrypted anew."""
    theirs, ours = wiring.settings(space, source), wiring.settings(space, ref)
    decrypting = wiring.secrets(space, theirs, source, request)
    encrypting = wiring.secrets(space, ours, ref, request)
    ours.copy_from(theirs, decrypting, encrypting)
    ours.save()


def confirm_name(request: Request, ref: StackReference, warning: str) -> None:
    """Asks for the stack's name before something that cannot be undone.

    Raises:
        ConfigurationError: nobody can be asked.
        DataopsError: another name was typed.
    """
    if not request.interactive:
        raise ConfigurationError(f"{warning}, and nobody can be asked", hint="add --yes")
    click.echo(f"{warning}.", err=True)
    if click.prompt("Type the stack's name to go on", type=str, default="", show_default=False, err=True) != ref.stack:
        raise DataopsError("that is not the stack's name; nothing was done")
