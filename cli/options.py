"""Options that many commands share, so that each is spelled and explained once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dataops.cli import forms
from dataops.cli.forms import LogFormat, Output
from dataops.cli.parameter_types import ENVIRONMENT, STACK
from dataops.envs.settings import value_of
from dataops.envs.surroundings import Surroundings

Command = Callable[..., Any]

OUTPUTS = click.Choice(["default", *(form.value for form in Output)])
"""What `-o` takes in stack commands, where `default` is a table, as with the `pulumi` CLI."""

_SURROUNDINGS = "dataops.surroundings"


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

    @click.option("-s", "--stack", metavar="STACK", type=STACK, help="The stack; by default the selected one.")
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


folder_option = click.option(
    "-C",
    "--cwd",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    is_eager=True,
    help="Work as if started in this folder.",
)
"""Adds `-C/--cwd`; the function gets `cwd`."""


def output_option(function: Command) -> Command:
    """Adds `-o/--output`, `--log-format` and `--non-interactive`: what every command with a result takes.

    The function gets `as_json: bool`: whether a document is wanted (JSON or YAML; `tables.print_json` prints the right
    one) rather than tables and text, which `tables.print_table` and `print_facts` print as text or Markdown.
    """

    @click.option("-o", "--output", type=click.Choice([form.value for form in Output]), help="How to print the result.")
    @click.option(
        "--log-format",
        type=click.Choice([form.value for form in LogFormat]),
        help="How to tell progress and errors on stderr; json is an object per line.",
    )
    @click.option("--non-interactive", is_flag=True, help="Never ask; fail where an answer would be needed.")
    @functools.wraps(function)
    def run(*args: Any, output: str | None, log_format: str | None, non_interactive: bool, **rest: Any) -> Any:
        around = surroundings(rest.get("cwd"))
        chosen = Output(value_of("output", around, output))
        forms.choose_output(chosen)
        forms.choose_log_format(value_of("log-format", around, log_format))
        if value_of("non-interactive", around, "true" if non_interactive else None) == "true":
            forms.never_ask()
        _color(click.get_current_context(), value_of("color", around))
        return function(*args, as_json=chosen in (Output.JSON, Output.YAML), **rest)

    return run


def environment_option(function: Command) -> Command:
    """Adds `-e/--env`; the function gets `environment: str`, by default what the setting `env` says."""

    def chosen(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str:
        name = value_of("env", surroundings(ctx.params.get("cwd")), value)
        if not name:
            raise click.UsageError("Say which environment: --env NAME, or set DATAOPS_ENV.", ctx=ctx)
        return str(name)

    return click.option(
        "-e",
        "--env",
        "environment",
        metavar="NAME",
        type=ENVIRONMENT,
        callback=chosen,
        help="The environment; by default what DATAOPS_ENV or `git config dataops.env` says.",
    )(function)


def surroundings(cwd: Path | str | None) -> Surroundings:
    """Where the settings of a command that works in a folder are looked for; each is read once for a command."""
    start = Path(cwd or ".").absolute()
    context = click.get_current_context(silent=True)
    if context is None:
        return Surroundings(start)
    known: dict[Path, Surroundings] = context.find_root().meta.setdefault(_SURROUNDINGS, {})
    return known.setdefault(start, Surroundings(start))


def json_option(function: Command) -> Command:
    """Adds Pulumi's `-j/--json`, and `-o/--output` as other commands have it; the function gets `as_json: bool`."""

    @click.option("-j", "--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option("-o", "--output", type=OUTPUTS, help="How to print the result.")
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, output: str | None, **rest: Any) -> Any:
        return function(*args, as_json=wants_document(as_json, output), **rest)

    return run


def wants_document(as_json: bool, output: str | None) -> bool:
    """Whether `--json` and `--output` together ask for a document, whose form is then chosen."""
    given = "json" if as_json else "table" if output == "default" else output
    form = Output(value_of("output", surroundings(None), given))
    forms.choose_output(form)
    return form in (Output.JSON, Output.YAML)


def at_terminal() -> bool:
    """Whether a person sits there who can answer a question."""
    return forms.may_ask()


def _set_color(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    _color(ctx, value_of("color", surroundings(None), value))


def _color(ctx: click.Context, when: str) -> None:
    if when != "auto":
        ctx.color = when == "always"
