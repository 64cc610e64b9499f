"""`dataops env logs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.forms import Output, output
from dataops.cli.notices import notice
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.infra.errors import ConfigurationError

if TYPE_CHECKING:
    from dataops.envs.log_lines import LogLine
    from dataops.envs.log_sources import LogSource
    from dataops.envs.registry import EnvironmentRecord

DEFAULT_TAIL = 100
COLORS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")


@click.command()
@click.argument("name", type=ENVIRONMENT)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option("--since", metavar="TIME", help="Nothing older: 90s, 2h, 1h30m, 09:00 or 2026-05-04T09:00.")
@click.option("--tail", metavar="LINES", help="Of each log the newest lines; all for all of them; 100 by default.")
@click.option("--run", default="", metavar="RUN", help="The steps of this pipeline run instead of the newest one.")
@folder_option
@output_option
def logs(
    name: str,
    sources: tuple[str, ...],
    follow: bool,
    since: str | None,
    tail: str | None,
    run: str,
    cwd: Path,
    as_json: bool,
) -> None:
    """Show what an environment logs: its services, the runner, Postgres, the supervisor, the steps of pipelines.

    SOURCE is one of them, services, pipelines, a pipeline, or a step as PIPELINE/STEP; by default everything is shown.
    Passwords are hidden. With -o json each line is an object of its own.

    \b
    Examples:
      dataops env logs feature-x -f
      dataops env logs feature-x sales-api postgres --since 2h
      dataops env logs production sales/load --tail all
    """
    from dataops.envs.log_sources import choose, sources_of
    from dataops.envs.logs import LogRequest, follow_logs, read_logs
    from dataops.infra.process.redaction import Redactor

    _, record = find_environment(name, cwd)
    started = read_moment(since) if since else None
    request = LogRequest(_read_tail(tail, started), started)
    chosen = choose(sources_of(record, run), sources, record.facts.get("pipelines", ()))
    if not chosen:
        notice(f"Nothing of {', '.join(sources)} has been logged in {name} yet.")
    redact = Redactor(_variables(record))
    printer = _Printer([source.name for source in chosen])
    if not follow:
        printer.show(read_logs(chosen, request, redact))
        return
    try:
        lines = follow_logs(lambda: _still(record, run, sources), request, redact)
        for line in lines:
            if line is not None:
                printer.show([line])
            elif not Path(record.root).is_dir():
                notice(f"{name} is gone.")
                return
    except KeyboardInterrupt:
        # To end is what the user asked for, so it is no failure.
        return


def read_moment(text: str) -> float:
    """The moment that `--since` names, in seconds since 1970.

    Raises:
        ConfigurationError: it is neither a duration nor a time.
    """
    from dataops.infra.platform.quantities import seconds_of

    now = datetime.now().astimezone()
    try:
        return now.timestamp() - seconds_of(text)
    except ValueError:
        pass
    try:
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
            text = f"{now.date()}T{text}"
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no time", where="--since", hint="use 90s, 2h, 1h30m, 3d, 09:00 or 2026-05-04T09:00"
        ) from None


def _read_tail(text: str | None, since: float | None) -> int | None:
    if text is None:
        return None if since is not None else DEFAULT_TAIL
    if text == "all":
        return None
    if not text.isdigit():
        raise ConfigurationError(f"{text!r} is no number of lines", where="--tail", hint="use 0, 1, 2 … or all")
    return int(text)


def _still(record: EnvironmentRecord, run: str, asked: tuple[str, ...]) -> list[LogSource]:
    """What there is to follow now: logs may come, and one that was asked for may have gone."""
    from dataops.envs.log_sources import choose, sources_of
    from dataops.infra.errors import NotFoundError

    try:
        return choose(sources_of(record, run), asked, record.facts.get("pipelines", ()))
    except NotFoundError:
        return []


def _variables(record: EnvironmentRecord) -> dict[str, str]:
    """Whose values are hidden in every line, also while it sleeps; none where it has none yet."""
    from dataops.infra.process import dotenv

    try:
        return dotenv.read_variables(Path(record.root) / "environment.env")
    except (ValueError, OSError):
        return {}


class _Printer:
    """Prints lines with the name of their log before them, in the form that was asked for."""

    def __init__(self, names: list[str]) -> None:
        self._width = max((len(name) for name in names), default=0)
        self._colors: dict[str, str] = {}
        if output() is Output.MD:
            click.echo("| Time | Source | Line |\n| --- | --- | --- |")

    def show(self, lines: Iterable[LogLine]) -> None:
        """Prints each line at once, so that whoever reads along sees it."""
        for line in lines:
            match output():
                case Output.JSON:
                    click.echo(json.dumps(line.to_json(), ensure_ascii=False))
                case Output.YAML:
                    click.echo(f"- {json.dumps(line.to_json(), ensure_ascii=False)}")
                case Output.MD:
                    text = line.text.replace("\\", "\\\\").replace("|", "\\|")
                    click.echo(f"| {_time(line.moment)} | {line.source} | {text} |")
                case _:
                    color = self._colors.setdefault(line.source, COLORS[len(self._colors) % len(COLORS)])
                    click.echo(f"{click.style(f'{line.source:<{self._width}} |', fg=color)} {line.text}".rstrip())


def _time(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds") if moment else ""
