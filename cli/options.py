"""Options that many commands share, so that each is spelled and explained once."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


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


def json_option(function: Command) -> Command:
    """Adds `-j/--json` and its other spelling `-o/--output json`; the function gets `as_json: bool`."""

    @click.option("-j", "--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option(
        "-o",
        "--output",
        type=click.Choice(["default", "table", "json"]),
        default="default",
        help="The same, spelled out.",
    )
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, output: str, **rest: Any) -> Any:
        return function(*args, as_json=as_json or output == "json", **rest)

    return run


def at_terminal() -> bool:
    """Whether a person sits there who can answer a question."""
    return not os.environ.get("CI") and sys.stdin.isatty() and sys.stdout.isatty()


def _set_color(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value in ("always", "never"):
        ctx.color = value == "always"
    elif os.environ.get("NO_COLOR"):
        ctx.color = False
