"""`dataops env exec` and `dataops env shell`: commands in an environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from dataops.cli.commands.env_options import find_environment, folder_option
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.infra.errors import NotFoundError


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@folder_option
@click.argument("name", type=ENVIRONMENT)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARGUMENT]...")
def exec_(cwd: Path, name: str, command: tuple[str, ...]) -> None:
    """Run a command with an environment's variables and code.

    It starts in the environment's worktree, with its virtual environment first on PATH; its exit status becomes this
    command's. Of your own variables it gets those of terminal, editor, language, proxies and package indexes, but
    none that may lead to production, such as AWS_PROFILE or SSH_AUTH_SOCK; what it needs beside them is said with env.
    On the target docker it is a container of the branch's image on the environment's network, which sees the lake and
    nothing else of this machine.

    \b
    Examples:
      dataops env exec feature-x -- python -m pipelines.load
      dataops env exec feature-x -- env SSH_AUTH_SOCK="$SSH_AUTH_SOCK" git push
    """
    words = command[1:] if command[0] == "--" else command
    if not words:
        raise click.UsageError("Say which command to run.")
    _become(name, list(words), cwd)


@click.command()
@click.argument("name", type=ENVIRONMENT)
@folder_option
def shell(name: str, cwd: Path) -> None:
    """Open a shell in an environment: in its worktree, with its variables; see `dataops env exec` for yours.

    \b
    Example:
      dataops env shell feature-x
    """
    from dataops.envs.contained import shell_of

    _, record = find_environment(name, cwd)
    program = shell_of(record)
    click.echo(f"A shell in {name}; leave it with `exit`.", err=True)
    _become(name, [program], cwd)


def _become(name: str, words: list[str], cwd: Path) -> None:
    """Replaces this process by the command, so that signals, terminal and exit status are the command's own."""
    from dataops.envs.variables import command_variables, working_directory

    _, record = find_environment(name, cwd)
    variables = command_variables(record)
    directory = working_directory(record)
    if record.target == "docker":
        from dataops.envs.contained import in_container

        words = in_container(record, words, variables)
    os.chdir(directory)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(words[0], words, variables)
    except OSError as error:
        raise NotFoundError(
            f"{words[0]} cannot be run in {name}: {error.strerror}",
            hint="it is looked for in the environment's virtual environment, then on PATH",
        ) from None
