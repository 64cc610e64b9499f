"""Options that many commands share, so that each is spelled and explained once."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dataops.cli import forms
from dataops.cli.forms import LogFormat, Output

Command = Callable[..., Any]

OUTPUTS = click.Choice(["default", *(form.value for form in Output)])
"""What `-o` takes in stack commands, where `default` is a table, as with the `pulumi` CLI."""


@dataclass(frozen=True, slots=True)
class Request:
    """What every stack command is told.

    Args:
        stack: the stack that was named, if one was.
        cwd: the folder to work in.
        interactive: whether questions may be asked.
    """

    stack: str | None
    cwd: Path
    interactive: bool


@dataclass(frozen=True, slots=True)
class Inherited:
    """What was given before the command's own name, as in `dataops stack -C folder up`."""

    stack: str | None
    cwd: Path
    non_interactive: bool


def request_from(outer: Inherited, inner: Inherited | None = None) -> Request:
    """Options of the group and of the command as one request; the command's own come first."""
    inner = inner or Inherited(None, Path("."), False)
    return Request(
        stack=inner.stack or outer.stack,
        cwd=(outer.cwd / inner.cwd).absolute(),
        interactive=at_terminal() and not (outer.non_interactive or inner.non_interactive),
    )


def stack_options(function: Command) -> Command:
    """Adds `-s/--stack`, `-C/--cwd`, `--non-interactive` and `--color`; the function gets them as `request`."""

    @click.option("-s", "--stack", metavar="STACK", help="The stack; by default the selected one.")
    @click.option(
        "-C", "--cwd", type=click.Path(path_type=Path), default=".", help="Work as if started in this folder."
    )
    @click.option("--non-interactive", is_flag=True, help="Never ask; fail where an answer would be needed.")
    @click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=_set_color,
        help="Whether to colour what is printed.",
    )
    @functools.wraps(function)
    def run(stack: str | None, cwd: Path, non_interactive: bool, **rest: Any) -> Any:
        outer = click.get_current_context().find_object(Inherited) or Inherited(None, Path("."), False)
        return function(request_from(outer, Inherited(stack, cwd, non_interactive)), **rest)

    return run


def output_option(function: Command) -> Command:
    """Adds `-o/--output`, `--log-format` and `--non-interactive`: what every command with a result takes.

    The function gets `as_json: bool`: whether a document is wanted (JSON or YAML; `tables.print_json` prints the right
    one) rather than tables and text, which `tables.print_table` and `print_facts` print as text or Markdown.
    """

    @click.option(
        "-o",
        "--output",
        type=click.Choice([form.value for form in Output]),
        default="table",
        envvar="DATAOPS_OUTPUT",
        help="How to print the result.",
    )
    @click.option(
        "--log-format",
        type=click.Choice([form.value for form in LogFormat]),
        default="auto",
        envvar="DATAOPS_LOG_FORMAT",
        expose_value=False,
        callback=lambda ctx, parameter, value: forms.choose_log_format(value),
        help="How to tell progress and errors on stderr; json is an object per line.",
    )
    @click.option(
        "--non-interactive",
        is_flag=True,
        expose_value=False,
        callback=lambda ctx, parameter, value: forms.never_ask() if value else None,
        help="Never ask; fail where an answer would be needed.",
    )
    @functools.wraps(function)
    def run(*args: Any, output: str, **rest: Any) -> Any:
        forms.choose_output(output)
        if os.environ.get("NO_COLOR"):
            click.get_current_context().color = False
        return function(*args, as_json=output in (Output.JSON, Output.YAML), **rest)

    return run


def json_option(function: Command) -> Command:
    """Adds Pulumi's `-j/--json`, and `-o/--output` as other commands have it; the function gets `as_json: bool`."""

    @click.option("-j", "--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option(
        "-o",
        "--output",
        type=OUTPUTS,
        default="default",
        envvar="DATAOPS_OUTPUT",
        help="How to print the result.",
    )
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, output: str, **rest: Any) -> Any:
        return function(*args, as_json=wants_document(as_json, output), **rest)

    return run


def wants_document(as_json: bool, output: str) -> bool:
    """Whether `--json` and `--output` together ask for a document, whose form is then chosen."""
    form = Output.JSON if as_json else Output.TABLE if output == "default" else Output(output)
    forms.choose_output(form)
    return form in (Output.JSON, Output.YAML)


def at_terminal() -> bool:
    """Whether a person sits there who can answer a question."""
    return forms.may_ask()


def _set_color(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value in ("always", "never"):
        ctx.color = value == "always"
    elif os.environ.get("NO_COLOR"):
        ctx.color = False
