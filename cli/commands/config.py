"""`dataops config ls|explain`: which value every setting has, and which source gives it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataops.cli.lazy import Entry, LazyGroup
from dataops.cli.options import folder_option, output_option
from dataops.cli.parameter_types import SETTING
from dataops.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from dataops.envs.settings import Resolved

config = LazyGroup(
    "config",
    {
        "ls": Entry("dataops.cli.commands.config:ls", "List every setting, its value and what gives it."),
        "explain": Entry("dataops.cli.commands.config:explain", "Show what every source says about one setting."),
    },
    help="""Show which value a setting has, and why.

    A setting comes from an option, else a variable, else dataops.yaml, else git (`git config dataops.KEY`, or what git
    itself knows), else a default.

    \b
    Examples:
      dataops config ls
      dataops config explain branch
      dataops config explain environments.production.variables.REGION
    """,
)


@click.command()
@folder_option
@output_option
def ls(cwd: Path, as_json: bool) -> None:
    """List every setting, its value and what gives it.

    \b
    Example:
      dataops config ls -o md
    """
    from dataops.envs.settings import SETTINGS, resolve
    from dataops.envs.surroundings import Surroundings

    around = Surroundings(cwd.absolute())
    settings = [resolve(setting.key, around) for setting in SETTINGS]
    found = [_as_document(setting) for setting in settings]
    if as_json:
        print_json([{key: value for key, value in f.items() if key != "candidates"} for f in found])
    else:
        rows = [(f["key"], _text(f["value"]), _source(f), f["help"]) for f in found]
        print_table(("SETTING", "VALUE", "FROM", "WHAT IT IS"), rows)
    for problem in (setting.problem for setting in settings if setting.problem):
        raise problem


@click.command()
@click.argument("key", type=SETTING)
@folder_option
@output_option
def explain(key: str, cwd: Path, as_json: bool) -> None:
    """Show what every source says about one setting, strongest first, and which decides.

    KEY is a setting (`dataops config ls`), its variable, or the path of a key in dataops.yaml.

    \b
    Examples:
      dataops config explain output
      dataops config explain DATAOPS_HOME
      dataops config explain environments.production.variables.REGION
    """
    from dataops.envs.file_keys import value_at
    from dataops.envs.settings import find_setting, resolve
    from dataops.envs.surroundings import Surroundings

    around = Surroundings(cwd.absolute())
    setting = find_setting(key)
    if setting is None:
        value = value_at(key, around)
        if as_json:
            print_json(asdict(value))
            return
        click.echo(f"{click.style(key, bold=True)} is {_text(value.value)}")
        print_facts([("source", "dataops.yaml" if value.given else "default"), ("where", value.where)])
        return
    resolved = resolve(setting.key, around)
    found = _as_document(resolved)
    if as_json:
        print_json(found)
    else:
        _print_explained(found)
    if resolved.problem:
        raise resolved.problem


def _print_explained(found: dict[str, Any]) -> None:
    click.echo(f"{click.style(found['key'], bold=True)} is {_text(found['value'])} ({_source(found)})")
    click.echo(f"{found['help']}\n")
    rows = []
    decided = False
    for candidate in found["candidates"]:
        says = candidate["value"] is not None
        mark = "decides" if says and not decided else "overridden" if says else ""
        decided = decided or says
        rows.append((candidate["layer"], _text(candidate["value"]) if says else "-", mark, candidate["where"]))
    print_table(("SOURCE", "VALUE", "", "WHERE"), rows)


def _as_document(resolved: Resolved) -> dict[str, Any]:
    from dataops.envs.file_keys import hide

    return {
        "key": resolved.setting.key,
        "value": hide(resolved.value),
        "source": resolved.source,
        "where": resolved.where,
        "help": resolved.setting.help,
        "candidates": [{"layer": c.layer, "value": hide(c.value), "where": c.where} for c in resolved.candidates],
    }


def _source(document: dict[str, Any]) -> str:
    return f"{document['source']}: {document['where']}" if document["where"] else str(document["source"])


def _text(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return value or "not set"
    return json.dumps(value, ensure_ascii=False)
