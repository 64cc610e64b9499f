"""`dataops stack output|export|import`: what is recorded of a stack."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from dataops.cli import wiring
from dataops.cli.options import Request, json_option, stack_options
from dataops.cli.tables import print_json, print_table
from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.resources.values import SECRET_SIGNATURE, SIGNATURE
from dataops.infra.state.backend import not_found

SECRET = "[secret]"


@click.command()
@click.argument("name", required=False)
@click.option("--show-secrets", is_flag=True, help="Show secret outputs in plain text.")
@click.option("--shell", is_flag=True, help="Print the outputs as assignments for a shell.")
@json_option
@stack_options
def output(request: Request, name: str | None, show_secrets: bool, shell: bool, as_json: bool) -> None:
    """Show the stack's outputs, or the one named.

    \b
    Example:
      dataops stack output url --show-secrets
    """
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    secrets = wiring.secrets(workspace, wiring.settings(workspace, ref), ref, request) if show_secrets else None
    document = wiring.backend(workspace).export(ref, secrets)
    found = shown_outputs(document["deployment"].get("resources") or [], show_secrets)
    if name is not None:
        if name not in found:
            raise NotFoundError(f"the stack {ref.stack!r} has no output {name!r}", hint="dataops stack output")
        print_json(found[name]) if as_json else click.echo(as_text(found[name]))
    elif as_json:
        print_json(found)
    elif shell:
        for key, value in found.items():
            click.echo(f"{key}={shlex.quote(as_text(value))}")
    else:
        print_outputs(found)


@click.command()
@click.option("--file", type=click.Path(path_type=Path), help="Write it to a file instead.")
@click.option("--show-secrets", is_flag=True, help="Secrets in plain text.")
@click.option("--version", type=int, help="The state after an earlier update; `history` has the numbers.")
@stack_options
def export(request: Request, file: Path | None, show_secrets: bool, version: int | None) -> None:
    """Print the stack's state as JSON, as `pulumi stack export` does.

    \b
    Example:
      dataops stack export --file state.json
    """
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    secrets = wiring.secrets(workspace, wiring.settings(workspace, ref), ref, request) if show_secrets else None
    document = wiring.backend(workspace).export(ref, secrets, version)
    text = json.dumps(document, indent=4, ensure_ascii=False)
    if file is None:
        click.echo(text)
        return
    path = request.cwd / file
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the state cannot be written: {error.strerror}", where=str(path)) from error


@click.command("import")
@click.option("--file", type=click.Path(path_type=Path), help="Read it from a file instead of standard input.")
@click.option("-f", "--force", is_flag=True, help="Take it even if it is another stack's.")
@stack_options
def import_(request: Request, file: Path | None, force: bool) -> None:
    """Replace the stack's state by an exported one.

    \b
    Example:
      dataops stack import --file state.json
    """
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    backend = wiring.backend(workspace)
    if not backend.exists(ref):
        raise not_found(ref)
    where = str(request.cwd / file) if file else "standard input"
    try:
        text = (request.cwd / file).read_text(encoding="utf-8") if file else sys.stdin.read()
        document = json.loads(text)
    except OSError as error:
        raise ConfigurationError(f"the state cannot be read: {error.strerror}", where=where) from error
    except ValueError as error:
        raise ConfigurationError("this is not JSON", where=where, hint=str(error)) from error
    if not isinstance(document, dict):
        raise ConfigurationError("this is not an exported state", where=where)
    secrets = wiring.secrets(workspace, wiring.settings(workspace, ref), ref, request)
    backend.import_(ref, _without_pending(document), secrets, force=force)
    click.echo(f"The state of stack '{ref.stack}' has been replaced", err=True)


def _without_pending(document: dict[str, Any]) -> dict[str, Any]:
    """An export without the operations whose outcome was not known: whoever imports it says what there is."""
    deployment = document.get("deployment")
    pending = deployment.get("pending_operations") if isinstance(deployment, dict) else None
    if not isinstance(deployment, dict) or not pending:
        return document
    for operation in pending:
        urn, kind = operation["resource"]["urn"], operation["type"]
        click.echo(f"warning: forgetting that {urn} was interrupted while {kind}", err=True)
    kept = {key: value for key, value in deployment.items() if key != "pending_operations"}
    return {**document, "deployment": kept}


def shown_outputs(resources: list[dict[str, Any]], show_secrets: bool) -> dict[str, Any]:
    """The stack's outputs from an exported deployment, by name; secrets as `[secret]` unless asked for."""
    for resource in resources:
        if resource["type"] == "pulumi:pulumi:Stack" and not resource.get("delete"):
            found = {key: _shown(value, show_secrets) for key, value in (resource.get("outputs") or {}).items()}
            return dict(sorted(found.items()))
    return {}


def _shown(value: Any, show_secrets: bool) -> Any:
    if isinstance(value, list):
        return [_shown(item, show_secrets) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET_SIGNATURE:
        return json.loads(value["plaintext"]) if show_secrets and "plaintext" in value else SECRET
    return {key: _shown(item, show_secrets) for key, item in value.items() if key != SIGNATURE}


def print_outputs(found: dict[str, Any]) -> None:
    """Outputs as a table on stdout."""
    click.echo(f"Outputs ({len(found)}):")
    if found:
        print_table(("OUTPUT", "VALUE"), [(key, as_text(value)) for key, value in found.items()], indent="    ")


def as_text(value: Any) -> str:
    """A value for people and shells: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
