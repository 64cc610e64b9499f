"""In which form a command prints its result and tells its progress, as its options and variables have it.

The choice is kept in click's context, which ends with the command; errors, which are told after that, look at the words
of the command line itself (`log_format_of`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import click


class Output(StrEnum):
    """The form of a result on stdout."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    MD = "md"


class LogFormat(StrEnum):
    """The form of progress and errors on stderr; `auto` is `tty` at a terminal outside of CI, `plain` elsewhere."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"
    TTY = "tty"


_OUTPUT, _LOG, _SILENT = "dataops.output", "dataops.log-format", "dataops.non-interactive"


def output() -> Output:
    """The form of results that the running command was asked for."""
    return _meta().get(_OUTPUT, Output.TABLE)  # type: ignore[no-any-return]


def log_format() -> LogFormat:
    """The form of progress that the running command was asked for."""
    return _meta().get(_LOG, LogFormat.AUTO)  # type: ignore[no-any-return]


def choose_output(value: str) -> None:
    """Sets the form of results for the running command."""
    _meta()[_OUTPUT] = Output(value)


def choose_log_format(value: str) -> None:
    """Sets the form of progress for the running command."""
    _meta()[_LOG] = LogFormat(value)


def never_ask() -> None:
    """Lets the running command ask nothing."""
    _meta()[_SILENT] = True


def may_ask() -> bool:
    """Whether a person sits there who can answer a question, and wants to be asked."""
    silent = _meta().get(_SILENT) or is_set("DATAOPS_NON_INTERACTIVE") or is_set("CI")
    return not silent and sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty())


def live() -> bool:
    """Whether progress is redrawn in place on stderr."""
    chosen = log_format()
    if chosen is not LogFormat.AUTO:
        return chosen is LogFormat.TTY
    return sys.stderr.isatty() and not is_set("CI") and os.environ.get("TERM") != "dumb"


def is_set(name: str, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a variable says yes; `""`, `0`, `false`, `no` and `off` say no."""
    value = (os.environ if environment is None else environment).get(name, "")
    return value.lower() not in ("", "0", "false", "no", "off")


def log_format_of(words: Iterable[str]) -> str | None:
    """The form of progress by the words of a command line, up to `--`.

    For errors: they may be about the command line itself, and are told when the command is over.
    """
    found, follows = None, False
    for word in words:
        if word == "--":
            break
        if follows:
            found = word
        elif word.startswith("--log-format="):
            found = word.partition("=")[2]
        follows = word == "--log-format"
    return found


def _meta() -> dict[str, Any]:
    ctx = click.get_current_context(silent=True)
    return {} if ctx is None else ctx.meta
