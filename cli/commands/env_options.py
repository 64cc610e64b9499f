"""What the commands about environments have in common: options, and finding the environment that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.options import at_terminal, folder_option, output_option
from dataops.infra.errors import CancelledError, ConfigurationError

if TYPE_CHECKING:
    from dataops.envs.registry import EnvironmentRecord, Registry

__all__ = ["confirm", "end_in_order", "find_environment", "folder_option", "output_option"]


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
