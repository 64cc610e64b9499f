"""`dataops stack config ls|get|set|rm`: the values that a stack's program reads."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

import click

from dataops.cli import wiring
from dataops.cli.options import Inherited, Request, json_option, stack_options
from dataops.cli.tables import print_json, print_table
from dataops.cli.workspace import Workspace
from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.state.backend import StackReference
from dataops.infra.state.config_value import ConfigValue, config_text
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.stack_config import StackConfig

_SENSITIVE_NAME = re.compile(r"passw|pwd|secret|token|api_?key|credential", re.IGNORECASE)
_BITS_OF_A_SECRET = 36

path_option = click.option("--path", is_flag=True, help="The key is a path, such as outer.inner or list[0].")


@click.group(invoke_without_command=True)
@click.option("--show-secrets", is_flag=True, help="Show secret values in plain text.")
@json_option
@stack_options
@click.pass_context
def config(ctx: click.Context, request: Request, show_secrets: bool, as_json: bool) -> None:
    """Show and change a stack's configuration; alone it lists the values.

    \b
    Examples:
      dataops stack config set region eu-west-1
      dataops stack config set --secret token
    """
    ctx.obj = Inherited(request.stack, request.cwd, not request.interactive)
    if ctx.invoked_subcommand is None:
        _list(request, show_secrets, as_json)


@config.command("ls")
@click.option("--show-secrets", is_flag=True, help="Show secret values in plain text.")
@json_option
@stack_options
def list_values(request: Request, show_secrets: bool, as_json: bool) -> None:
    """List the values.

    \b
    Example:
      dataops stack config ls --json
    """
    _list(request, show_secrets, as_json)


@config.command("get")
@click.argument("key")
@path_option
@json_option
@stack_options
def get_value(request: Request, key: str, path: bool, as_json: bool) -> None:
    """Print one value, in plain text if it is secret.

    \b
    Example:
      dataops stack config get --path 'servers[0].host'
    """
    space, ref, stored = opened(request)
    try:
        value = stored.get(key, path)
    except NotFoundError:
        full = stored.full_key(key) if not path else key
        if full not in space.project.defaults:
            raise NotFoundError(
                f"{key!r} is not set for stack {ref.stack!r}", hint=f"dataops stack config set {key} VALUE"
            ) from None
        value = ConfigValue(space.project.defaults[full])
    secrets = wiring.secrets(space, stored, ref, request) if value.secret else None
    if as_json:
        print_json(value_json(value, secrets))
    else:
        click.echo(config_text(value.reveal(secrets) if secrets else value.raw))


@config.command("set")
@click.argument("key")
@click.argument("value", required=False)
@path_option
@click.option("--secret", is_flag=True, help="Encrypt the value.")
@click.option("--plaintext", is_flag=True, help="Store the value as it is, even if it looks like a secret.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["string", "int", "bool", "float"]),
    help="What the value is; without, at a path what it looks like.",
)
@stack_options
def set_value(
    request: Request, key: str, value: str | None, path: bool, secret: bool, plaintext: bool, kind: str | None
) -> None:
    """Set one value; without VALUE it is asked for, or read from standard input.

    \b
    Examples:
      dataops stack config set region eu-west-1
      dataops stack config set --path 'servers[0].host' db.internal
      dataops stack config set --path 'servers[0].version' 16 --type string
      dataops stack config set --secret token < token.txt
    """
    if secret + plaintext + (kind is not None) > 1:
        raise ConfigurationError("a value is either --secret or --plaintext or of a --type")
    space, ref, stored = opened(request)
    if value is None:
        value = _ask(request, key, secret)
    if not secret and not plaintext and looks_secret(key, value):
        raise ConfigurationError(
            f"the value of {key!r} looks like a secret",
            hint="add --secret to encrypt it, or --plaintext if it may be read by everybody",
        )
    secrets = wiring.secrets(space, stored, ref, request) if secret else None
    stored.set(key, value, secrets=secrets, path=path, kind=kind)
    stored.save()


@config.command("rm")
@click.argument("key")
@path_option
@stack_options
def remove_value(request: Request, key: str, path: bool) -> None:
    """Remove one value; one that is not set is none to remove.

    \b
    Example:
      dataops stack config rm region
    """
    _, _, stored = opened(request)
    try:
        stored.remove(key, path)
    except NotFoundError:
        click.echo(f"{key!r} was not set", err=True)
        return
    stored.save()


def looks_secret(key: str, value: str) -> bool:
    """Whether a value under a telling name is too random to be anything but a secret."""
    if len(value) < 8 or not _SENSITIVE_NAME.search(key):
        return False
    counts = [value.count(character) for character in set(value)]
    bits = -sum(count * math.log2(count / len(value)) for count in counts)
    return bits >= _BITS_OF_A_SECRET and len(set(value)) > 6


def opened(request: Request) -> tuple[Workspace, StackReference, StackConfig]:
    """The stack that is meant, and its configuration file."""
    space = wiring.workspace(request)
    ref = space.reference(request.stack)
    return space, ref, wiring.settings(space, ref)


def _ask(request: Request, key: str, secret: bool) -> str:
    if request.interactive:
        return str(click.prompt(key, hide_input=secret, err=True))
    if sys.stdin.isatty():
        raise ConfigurationError(f"no value for {key!r}", hint=f"dataops stack config set {key} VALUE")
    return sys.stdin.read().rstrip("\n")


def _list(request: Request, show_secrets: bool, as_json: bool) -> None:
    space, ref, stored = opened(request)
    values = {**{key: ConfigValue(text) for key, text in space.project.defaults.items()}, **dict(stored.items())}
    secrets = None
    if show_secrets and any(value.secret for value in values.values()):
        secrets = wiring.secrets(space, stored, ref, request)
    if as_json:
        print_json({key: value_json(value, secrets) for key, value in sorted(values.items())})
        return
    own = f"{space.project.name}:"
    rows = []
    for key, value in sorted(values.items()):
        shown = value.reveal(secrets) if secrets else _blinded(value.raw)
        rows.append((key.removeprefix(own), config_text(shown)))
    print_table(("KEY", "VALUE"), rows)


def value_json(value: ConfigValue, secrets: SecretsManager | None) -> dict[str, Any]:
    """One value as `pulumi config --json` prints it; a secret one only when `secrets` are given to reveal it."""
    if value.secret and secrets is None:
        return {"secret": True}
    shown = value.reveal(secrets) if secrets else value.raw
    whole = {"objectValue": shown} if isinstance(shown, (dict, list)) else {}
    return {"value": config_text(shown), **whole, "secret": value.secret}


def _blinded(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            return "[secret]"
        return {key: _blinded(item) for key, item in value.items()}
    return [_blinded(item) for item in value] if isinstance(value, list) else value
