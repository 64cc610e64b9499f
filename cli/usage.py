"""What click says of a wrong command line, as an error of ours that names what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import click

from dataops.infra.errors import ConfigurationError


def usage_error(error: click.ClickException, words: Sequence[str]) -> ConfigurationError:
    """The error for a command line that click refused.

    Args:
        error: what click raised.
        words: the words of the command line, to find the one that is nearly a choice.
    """
    ctx = getattr(error, "ctx", None)
    help_text = f"see `{ctx.command_path} --help`" if ctx else ""
    hints = [hint for hint in (_nearest_choice(error, words), _misplaced(error, words), help_text) if hint]
    return ConfigurationError(error.format_message(), hint="; ".join(hints) or None)


def _misplaced(error: click.ClickException, words: Sequence[str]) -> str:
    """Where an option belongs that was given before the command whose it may be."""
    ctx = getattr(error, "ctx", None)
    if not isinstance(error, click.NoSuchOption) or ctx is None or not isinstance(ctx.command, click.Group):
        return ""
    commands = ctx.command.list_commands(ctx)
    after = list(words)[list(words).index(error.option_name) :] if error.option_name in words else []
    if not any(word in commands for word in after):
        return ""
    return f"options of a command stand after its name: {ctx.command_path} COMMAND … {error.option_name}"


def _nearest_choice(error: click.ClickException, words: Sequence[str]) -> str:
    """`did you mean …?` where a word is near one that the parameter takes."""
    if not isinstance(error, click.BadParameter) or error.param is None:
        return ""
    choice = error.param.type
    if not isinstance(choice, click.Choice):
        return ""
    known = [str(value) for value in choice.choices]
    for word in words:
        given = word.partition("=")[2] if word.startswith("--") else word
        near = get_close_matches(given.lower(), known, n=1, cutoff=0.6)
        if near and given not in known and repr(given) in error.format_message():
            return f"did you mean `{near[0]}`?"
    return ""
