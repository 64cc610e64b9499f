"""`dataops completion`: scripts that let a shell complete commands, options and names."""

from __future__ import annotations

import sys

import click

from dataops.cli.notices import notice
from dataops.infra.errors import ConfigurationError

INSTALLATION = {
    "bash": "source <(dataops completion bash)        # in ~/.bashrc; needs bash 4.4 or newer",
    "zsh": "source <(dataops completion zsh)         # in ~/.zshrc, after compinit",
    "fish": "dataops completion fish > ~/.config/fish/completions/dataops.fish",
}
"""What to type so that new shells complete."""


@click.command()
@click.argument("shell", type=click.Choice(list(INSTALLATION)))
def completion(shell: str) -> None:
    """Print the script that completes commands, options, environments, branches, pipelines and snapshots.

    \b
    Examples:
      source <(dataops completion bash)
      dataops completion zsh >> ~/.zshrc
      dataops completion fish > ~/.config/fish/completions/dataops.fish
    """
    from click.shell_completion import get_completion_class

    from dataops.cli.main import COMPLETE, dataops

    kind = get_completion_class(shell)
    if kind is None:
        raise ConfigurationError(f"click knows no completion for {shell}", hint="update click")
    asked = kind(dataops, {}, "dataops", COMPLETE)
    click.echo(f"# Completion of dataops in {shell}. To have it in every new shell:\n#   {INSTALLATION[shell]}")
    click.echo(asked.source_template % asked.source_vars())
    if sys.stdout.isatty():
        # Who reads this rather than running it wants to know how to install it; a shell that starts must see nothing.
        notice(f"To have it in every new shell: {INSTALLATION[shell]}")
