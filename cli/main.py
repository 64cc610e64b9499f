"""The `dataops` command: the table of commands, and the one place that prints errors."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

import click

from dataops.cli.forms import log_format_of
from dataops.cli.lazy import Entry, LazyGroup
from dataops.cli.streams import open_missing
from dataops.cli.usage import usage_error
from dataops.infra.errors import CancelledError, ConfigurationError, DataopsError, InternalError, of_system
from dataops.infra.process.leaving import leave_at_once

COMMANDS = {
    "env": Entry("dataops.cli.commands.env:env", "Bring environments up, work in them, take them down."),
    "pipeline": Entry("dataops.cli.commands.pipeline:pipeline", "Run an environment's pipelines."),
    "snapshot": Entry("dataops.cli.commands.snapshot:snapshot", "Capture masked snapshots and list them."),
    "verify": Entry("dataops.cli.commands.verify:verify", "Prove a branch in a throwaway replica."),
    "images": Entry("dataops.cli.commands.images:images", "The images that containers are made from."),
    "pool": Entry("dataops.cli.commands.pool:pool", "A file system on which replicas share their blocks."),
    "stack": Entry("dataops.cli.commands.stack:stack", "Run any Pulumi program on the embedded engine."),
    "config": Entry("dataops.cli.commands.config:config", "Show which value a setting has, and why."),
    "init": Entry("dataops.cli.commands.init:init", "Write dataops.yaml, Pulumi.yaml and stacks/__main__.py."),
    "doctor": Entry("dataops.cli.commands.doctor:doctor", "Check this machine, the targets and the platform at hand."),
    "completion": Entry("dataops.cli.commands.completion:completion", "Print the completion script of a shell."),
    "validate": Entry("dataops.cli.commands.validate:validate", "Check dataops.yaml without running anything."),
    "gc": Entry("dataops.cli.commands.collect:gc", "Remove what nobody owns."),
    "schema": Entry("dataops.cli.commands.schema:schema", "Print the JSON Schema of dataops.yaml."),
}
"""Every command; its module is imported when the command is used and at no other time."""


COMPLETE = "_DATAOPS_COMPLETE"
"""The variable in which a completion script says what it wants to know."""


def _print_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"dataops {version('dataops')}")
        ctx.exit()


dataops = LazyGroup(
    "dataops",
    COMMANDS,
    help="""Infrastructure as code for data platforms: a private, masked replica of production for every branch.

    \b
    Examples:
      dataops env up --branch feature/x       a replica of production for a branch
      dataops env ls                          what is there
      dataops stack up                        run the Pulumi program of this folder
    """,
    epilog="Exit status: 0 done, 1 failed, 2 configuration, 3 authentication, 4 resource, 5 policy, 6 not found, "
    "7 expectation, 8 interrupted, 9 timed out, 10 locked, 11 verification, 255 a defect.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Print the version and exit.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            help="With a defect, print its traceback; DATAOPS_DEBUG=1 does the same.",
        ),
    ],
    callback=lambda verbose: None,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status; the only place that prints errors.

    Args:
        arguments: the words after `dataops`; by default those of this process.
    """
    if arguments is not None:
        return _run(list(arguments))
    status: int | None = None

    def leave() -> None:
        if status is not None and "pyarrow" in sys.modules:
            leave_at_once(status)

    open_missing()
    # A process of our own, and a short one: it makes little garbage, and need not look for it as it ends.
    gc.set_threshold(50_000, 20, 50)
    atexit.register(leave)  # the last to be called
    atexit.register(gc.freeze)
    status = _run(sys.argv[1:])
    return status


def _run(words: list[str]) -> int:
    if instruction := os.environ.get(COMPLETE):
        return _complete(instruction)
    try:
        with _interruptible():
            status = dataops.main(words, prog_name="dataops", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the help; it was not asked for, but there is nothing else to say
        return ConfigurationError.exit_code
    except click.ClickException as error:
        return _report(usage_error(error, words), words)
    except (KeyboardInterrupt, click.Abort):
        return _report(CancelledError("interrupted"), words)
    except DataopsError as error:
        return _report(error, words)
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; the interpreter must not fail again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _report(of_system(error) or _defect(error, _verbose(words)), words)
    except Exception as error:
        return _report(_defect(error, _verbose(words)), words)


def _verbose(words: Sequence[str]) -> bool:
    """Whether a defect is told with its traceback."""
    asked = {"-v", "--verbose"} & {*takewhile(lambda word: word.startswith("-"), words)}
    return bool(asked or os.environ.get("DATAOPS_DEBUG"))


def _complete(instruction: str) -> int:
    """Answers a shell that completes a word; what goes wrong is kept quiet, since somebody is typing."""
    from click.shell_completion import shell_complete

    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        return shell_complete(dataops, {}, "dataops", COMPLETE, instruction)
    except BaseException:
        return 1


@contextmanager
def _interruptible() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP interrupt a command as Ctrl-C does, so that it ends in order and records what it did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _report(error: DataopsError, words: Sequence[str]) -> int:
    """Prints an error and returns its exit status.

    Text is `error: where: what`, its details and its hint; with `--log-format json` it is one object on one line.
    """
    if _tells_json(words):
        facts = {"error": error.what, "where": error.where, "hint": error.hint, "details": error.details}
        click.echo(json.dumps({**facts, "exitCode": error.exit_code}, ensure_ascii=False), err=True)
        return error.exit_code
    color = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{click.style('error', fg='red', bold=True)}: {error}", err=True, color=color)
    if error.details:
        click.echo("\n".join(f"  {line}" if line else "" for line in error.details.rstrip().splitlines()), err=True)
    if error.hint:
        click.echo(f"{click.style('hint', fg='cyan', bold=True)}: {error.hint}", err=True, color=color)
    return error.exit_code


def _tells_json(words: Sequence[str]) -> bool:
    """Whether errors are told as JSON. Where even that cannot be found out they are told as text."""
    from dataops.envs.settings import value_of
    from dataops.envs.surroundings import Surroundings

    try:
        return bool(value_of("log-format", Surroundings(Path.cwd()), log_format_of(words)) == "json")
    except (DataopsError, OSError):
        return False


def _defect(error: Exception, verbose: bool) -> DataopsError:
    """An exception that nobody expected."""
    import traceback

    return InternalError(
        f"{type(error).__name__}: {error}: this is a defect of dataops",
        details="".join(traceback.format_exception(error)) if verbose else None,
        hint=None if verbose else "run it again with DATAOPS_DEBUG=1 for the traceback, and report it",
    )


if __name__ == "__main__":
    sys.exit(main())
