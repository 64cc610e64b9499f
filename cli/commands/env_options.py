"""What the commands about environments have in common: options, and finding the environment that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.options import at_terminal, folder_option, output_option
from dataops.infra.errors import CancelledError, ConfigurationError

if TYPE_CHECKING:
    from dataops.envs.registry import EnvironmentRecord, Registry

__all__ = [
    "confirm",
    "end_in_order",
    "find_environment",
    "folder_option",
    "output_option",
    "read_variables",
    "variables_option",
]


variables_option = click.option(
    "--var",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a variable of dataops.yaml until the next update; may be repeated.",
)


def read_variables(given: tuple[str, ...]) -> dict[str, str]:
    """The variables that `--var` gives.

    Raises:
        ConfigurationError: one is not `NAME=VALUE`, or has a name that dataops sets itself; without its value, which
            may be secret.
    """
    import re

    from dataops.infra.platform.names import RESERVED_VARIABLES, VARIABLE

    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(VARIABLE, name):
            raise ConfigurationError("it must be NAME=VALUE", where=f"--var {name}" if equals else "--var")
        if name in RESERVED_VARIABLES:
            raise ConfigurationError(f"the variable {name} is set by dataops and cannot be overridden", where="--var")
        if "\0" in value:
            raise ConfigurationError(f"the value of {name} holds a NUL", where="--var")
        found[name] = value
    return found


def find_environment(name: str, cwd: Path) -> tuple[Registry, EnvironmentRecord]:
    """The environment that is meant, found from the registry alone: its branch and its configuration may be gone."""
    from dataops.envs.checkout import find_layout
    from dataops.envs.naming import check_name
    from dataops.envs.registry import find_record

    return find_record(check_name(name), find_layout(cwd.absolute()))


def end_in_order() -> None:
    """Lets a polite request to end, as CI sends it, do what Ctrl-C does: stop, record and clean up."""
    import signal

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def confirm(question: str, yes: bool, command: str) -> None:
    """Asks before something that cannot be undone.

    Raises:
        ConfigurationError: there is nobody to ask and `--yes` was not given.
        CancelledError: the answer was no.
    """
    if yes:
        return
    if not at_terminal():
        raise ConfigurationError("this needs a confirmation and there is nobody to ask", hint=f"{command} --yes")
    if not click.confirm(question, err=True):
        raise CancelledError("nothing was done")
