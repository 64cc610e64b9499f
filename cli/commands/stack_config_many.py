"""`dataops stack config set-all|rm-all|cp|refresh`: many values at once."""

from __future__ import annotations

import shutil

import click

from dataops.cli import wiring
from dataops.cli.commands.stack_config import config, opened, path_option
from dataops.cli.options import Request, stack_options
from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.state.backend import StackReference


@config.command("set-all")
@click.option("--plaintext", multiple=True, metavar="KEY=VALUE", help="A value to store as it is; repeatable.")
@click.option("--secret", multiple=True, metavar="KEY=VALUE", help="A value to encrypt; repeatable.")
@path_option
@stack_options
def set_all(request: Request, plaintext: tuple[str, ...], secret: tuple[str, ...], path: bool) -> None:
    """Set many values at once.

    \b
    Example:
      dataops stack config set-all --plaintext region=eu-west-1 --plaintext size=3 --secret token=abc
    """
    space, ref, stored = opened(request)
    if not plaintext and not secret:
        raise ConfigurationError("nothing is said to be set", hint="--plaintext KEY=VALUE, --secret KEY=VALUE")
    for given in plaintext:
        stored.set(*_pair(given), path=path)
    if secret:
        secrets = wiring.secrets(space, stored, ref, request)
        for given in secret:
            stored.set(*_pair(given), secrets=secrets, path=path)
    stored.save()


@config.command("rm-all")
@click.argument("keys", nargs=-1, required=True)
@path_option
@stack_options
def rm_all(request: Request, keys: tuple[str, ...], path: bool) -> None:
    """Remove many values at once; those that are not set are none to remove.

    \b
    Example:
      dataops stack config rm-all region size
    """
    _, _, stored = opened(request)
    for key in keys:
        try:
            stored.remove(key, path)
        except NotFoundError:
            click.echo(f"{key!r} was not set", err=True)
    stored.save()


@config.command("cp")
@click.argument("key", required=False)
@click.option("-d", "--dest", required=True, metavar="STACK", help="The stack to copy to.")
@path_option
@stack_options
def cp(request: Request, key: str | None, dest: str, path: bool) -> None:
    """Copy one value, or all of them, to another stack; secrets are encrypted anew.

    \b
    Example:
      dataops stack config cp region --dest staging
    """
    space, ref, stored = opened(request)
    target = StackReference.parse(dest, ref.project)
    if target == ref:
        raise ConfigurationError("source and destination are the same stack", hint="--dest STACK")
    theirs = wiring.settings(space, target)
    decrypting = wiring.secrets(space, stored, ref, request)
    encrypting = wiring.secrets(space, theirs, target, request)
    if key is None:
        theirs.copy_from(stored, decrypting, encrypting)
    else:
        value = stored.get(key, path)
        text = value.text(decrypting)
        plain = text if isinstance(text, str) else str(text.value)
        theirs.set(key, plain, secrets=encrypting if value.secret else None, path=path)
    theirs.save()


@config.command("refresh")
@click.option("-f", "--force", is_flag=True, help="Overwrite what the file has; it is kept as a copy beside it.")
@stack_options
def refresh(request: Request, force: bool) -> None:
    """Write the configuration of the stack's last update to its file.

    \b
    Example:
      dataops stack config refresh --stack dev
    """
    space, ref, stored = opened(request)
    history = wiring.backend(space).history(ref)
    if not history:
        raise NotFoundError(f"stack {ref.stack!r} has never been updated", hint="dataops stack up")
    wanted = history[0].config
    have = {key: value.raw for key, value in stored.items()}
    if have and have != wanted and not force:
        raise ConfigurationError(
            "the file has other values than the last update", where=str(stored.path), hint="add --force; a copy is kept"
        )
    if stored.path.exists() and have != wanted:
        shutil.copy(stored.path, stored.path.with_suffix(".yaml.bak"))
    wiring.secrets(space, stored, ref, request)
    stored.replace(wanted)
    stored.save()
    click.echo(f"refreshed configuration for stack '{ref.stack}'", err=True)


def _pair(given: str) -> tuple[str, str]:
    key, separator, value = given.partition("=")
    if not separator or not key:
        raise ConfigurationError(f"{given!r} is not KEY=VALUE", hint="--plaintext region=eu-west-1")
    return key, value
