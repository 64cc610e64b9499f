"""`dataops stack tag ls|get|set|rm`: names and values that are attached to a stack."""

from __future__ import annotations

import click

from dataops.cli import wiring
from dataops.cli.options import Request, json_option, stack_options
from dataops.cli.tables import print_json, print_table
from dataops.infra.errors import NotFoundError
from dataops.infra.state.backend import Backend, StackReference, not_found


@click.group()
def tag() -> None:
    """Show and change a stack's tags.

    \b
    Example:
      dataops stack tag set owner analytics
    """


@tag.command("ls")
@json_option
@stack_options
def list_tags(request: Request, as_json: bool) -> None:
    """List the stack's tags.

    \b
    Example:
      dataops stack tag ls --json
    """
    backend, ref = _open(request)
    tags = dict(sorted(backend.tags(ref).items()))
    print_json(tags) if as_json else print_table(("NAME", "VALUE"), list(tags.items()))


@tag.command("get")
@click.argument("name")
@stack_options
def get_tag(request: Request, name: str) -> None:
    """Print one tag's value.

    \b
    Example:
      dataops stack tag get owner
    """
    backend, ref = _open(request)
    tags = backend.tags(ref)
    if name not in tags:
        raise NotFoundError(f"stack {ref.stack!r} has no tag {name!r}", hint="dataops stack tag ls")
    click.echo(tags[name])


@tag.command("set")
@click.argument("name")
@click.argument("value")
@stack_options
def set_tag(request: Request, name: str, value: str) -> None:
    """Set a tag.

    \b
    Example:
      dataops stack tag set owner analytics
    """
    backend, ref = _open(request)
    backend.set_tags(ref, {**backend.tags(ref), name: value})


@tag.command("rm")
@click.argument("name")
@stack_options
def remove_tag(request: Request, name: str) -> None:
    """Remove a tag.

    \b
    Example:
      dataops stack tag rm owner
    """
    backend, ref = _open(request)
    backend.set_tags(ref, {key: value for key, value in backend.tags(ref).items() if key != name})


def _open(request: Request) -> tuple[Backend, StackReference]:
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    backend = wiring.backend(workspace)
    if not backend.exists(ref):
        raise not_found(ref)
    return backend, ref
