"""`dataops stack rename|change-secrets-provider|graph`: a stack under another name or passphrase, and as a picture."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dataops.cli import wiring
from dataops.cli.options import Request, stack_options
from dataops.infra.errors import ConfigurationError
from dataops.infra.resources.urn import name_of, type_of
from dataops.infra.state.backend import StackReference, not_found
from dataops.infra.state.resource_edits import references, restacked

NEW_PASSPHRASE = "PULUMI_NEW_CONFIG_PASSPHRASE"


@click.command()
@click.argument("name")
@stack_options
def rename(request: Request, name: str) -> None:
    """Give the stack another name; its resources, configuration, tags and history come along.

    \b
    Example:
      dataops stack rename staging --stack dev
    """
    space = wiring.workspace(request)
    old = space.reference(request.stack)
    new = StackReference.parse(name, old.project)
    backend = wiring.backend(space)
    if not backend.exists(old):
        raise not_found(old)
    if new.project != old.project:
        raise ConfigurationError("a stack stays in its project", hint=f"dataops stack rename {new.stack}")
    file, target = space.project.stack_file(old.stack), space.project.stack_file(new.stack)
    if backend.exists(new) or target.exists():
        raise ConfigurationError(f"there is a stack {new.stack!r} already", hint="choose another name")
    secrets = wiring.secrets(space, wiring.settings(space, old), old, request)
    document = backend.export(old)
    resources = restacked(document["deployment"].get("resources") or [], lambda urn: _moved(urn, old, new))
    moved = {**document, "deployment": {**document["deployment"], "resources": resources}}
    backend.create(new, secrets)
    backend.import_(new, moved, secrets, force=True)
    backend.set_tags(new, backend.tags(old))
    backend.move_history(old, new)
    if file.exists():
        file.rename(target)
    backend.remove(old, force=True)
    if space.selected() == old.qualified:
        space.select(new)
    click.echo(f"Stack '{old.stack}' is now '{new.stack}'", err=True)


@click.command("change-secrets-provider")
@click.argument("provider", metavar="PROVIDER")
@stack_options
def change_secrets_provider(request: Request, provider: str) -> None:
    """Encrypt the stack's secrets under another passphrase.

    The old passphrase comes from where it always does; the new one from PULUMI_NEW_CONFIG_PASSPHRASE, or it is asked
    for. Afterwards the new one has to be where the old one was.

    \b
    Example:
      dataops stack change-secrets-provider passphrase
    """
    if provider not in ("passphrase", "default"):
        raise ConfigurationError(
            f"secrets cannot be encrypted by {provider!r} here",
            hint="`passphrase` can be had here; `pulumi stack change-secrets-provider` knows key services",
        )
    space = wiring.workspace(request)
    ref = space.reference(request.stack)
    backend = wiring.backend(space)
    if not backend.exists(ref):
        raise not_found(ref)
    stored = wiring.settings(space, ref)
    old = wiring.secrets(space, stored, ref, request)
    old.verify()
    new = wiring.secrets_for(_new_passphrase(request), "")
    document = backend.export(ref, old)
    backend.import_(ref, document, new)
    stored.copy_from(stored, old, new)
    stored.encryption_salt = str(new.provider["state"]["salt"])
    stored.save()
    click.echo(f"The secrets of stack '{ref.stack}' are encrypted under the new passphrase", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--ignore-parent-edges", is_flag=True, help="Leave out who is whose parent.")
@click.option("--ignore-dependency-edges", is_flag=True, help="Leave out who depends on whom.")
@click.option("--short-node-name", is_flag=True, help="Name resources by type and name instead of their URN.")
@stack_options
def graph(
    request: Request, file: Path, ignore_parent_edges: bool, ignore_dependency_edges: bool, short_node_name: bool
) -> None:
    """Write the stack's resources and what they depend on as a graph in the DOT language.

    \b
    Example:
      dataops stack graph stack.dot
    """
    space = wiring.workspace(request)
    ref = space.reference(request.stack)
    backend = wiring.backend(space)
    if not backend.exists(ref):
        raise not_found(ref)
    resources = backend.export(ref)["deployment"].get("resources") or []
    names = {resource["urn"]: f"Resource{index}" for index, resource in enumerate(resources)}
    lines = ["strict digraph {"]
    for urn, node in names.items():
        label = f"{type_of(urn)}::{name_of(urn)}" if short_node_name else urn
        lines.append(f'    {node} [label="{label.replace(chr(34), chr(92) + chr(34))}"];')
    for resource in resources:
        parent = resource.get("parent")
        if parent in names and not ignore_parent_edges:
            lines.append(f'    {names[resource["urn"]]} -> {names[parent]} [color = "#AA6639", label = ""];')
        if not ignore_dependency_edges:
            needed = [urn for urn in references(resource) if urn in names and urn != parent]
            edges = [f'    {names[resource["urn"]]} -> {names[u]} [color = "#246C60", label = ""];' for u in needed]
            lines += dict.fromkeys(edges)
    path = request.cwd / file
    try:
        path.write_text("\n".join([*lines, "}"]) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the graph cannot be written: {error.strerror}", where=str(path)) from error
    click.echo(f"Wrote stack graph to '{file}'", err=True)


def _moved(urn: str, old: StackReference, new: StackReference) -> str:
    """A URN in the renamed stack; the root resource is named after it."""
    head, rest = f"urn:pulumi:{old.stack}::", urn.partition("::")[2]
    if not urn.startswith(head):
        return urn
    if rest == f"{old.project}::pulumi:pulumi:Stack::{old.project}-{old.stack}":
        rest = f"{old.project}::pulumi:pulumi:Stack::{old.project}-{new.stack}"
    return f"urn:pulumi:{new.stack}::{rest}"


def _new_passphrase(request: Request) -> str:
    if (given := os.environ.get(NEW_PASSPHRASE)) is not None:
        return given
    if not request.interactive:
        raise ConfigurationError("the new passphrase is not given", hint=f"set {NEW_PASSPHRASE}")
    words = "The new passphrase"
    return str(click.prompt(words, hide_input=True, confirmation_prompt=True, err=True))
