"""What there is to choose from when a shell completes a word: read from files and git, quickly, and quietly.

Whatever goes wrong, a completion that knows nothing is better than an error in the middle of somebody's typing; so the
caller (`cli/main.py`) says nothing of what these functions raise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dataops.infra.platform.layout import PlatformLayout


def environment(ctx: click.Context) -> Iterable[str]:
    """Names of environments of the platform at hand; outside of a repository, of all."""
    return sorted(_records(ctx))


def deployed(ctx: click.Context) -> Iterable[str]:
    """The two environments that are deployed."""
    return ("production", "staging")


def branch(ctx: click.Context) -> Iterable[str]:
    """Local branches and those of `origin`."""
    from dataops.envs.git import Repository

    return Repository.find(_folder(ctx)).branches()


def pipeline(ctx: click.Context) -> Iterable[str]:
    """Pipelines of the environment that `--env` names, else of the platform file."""
    record = _records(ctx).get(str(ctx.params.get("environment") or os.environ.get("DATAOPS_ENV") or ""), {})
    return sorted(record.get("facts", {}).get("pipelines", [])) or sorted(_declared(ctx))


def step(ctx: click.Context) -> Iterable[str]:
    """Steps of the pipeline that was named, else of all."""
    pipelines = _declared(ctx)
    # while the value of `--step` is missing, click leaves the words before it where they were
    named = ctx.params.get("name") or next(iter(ctx.args), None)
    chosen = pipelines.get(str(named))
    every = [chosen] if isinstance(chosen, dict) else list(pipelines.values())
    steps = [step for p in every if isinstance(p, dict) for step in p.get("steps", [])]
    return [str(step["name"]) for step in steps if isinstance(step, dict) and "name" in step]


def snapshot(ctx: click.Context) -> Iterable[str]:
    """Ids of snapshots, the newest first."""
    layout = _layout(ctx)
    folders = layout.snapshots.glob("2*Z-*/manifest.json") if layout else ()
    return ["newest", "empty", *sorted((path.parent.name for path in folders), reverse=True)]


def stack(ctx: click.Context) -> Iterable[str]:
    """Stacks of the project at hand."""
    from dataops.cli.workspace import Workspace
    from dataops.infra.state.backend import open_backend

    space = Workspace.open(_folder(ctx))
    return [s.reference.stack for s in open_backend(space.backend_url).stacks(space.project.name)]


def setting(ctx: click.Context) -> Iterable[str]:
    """Settings that `dataops config explain` knows."""
    from dataops.envs.settings import SETTINGS

    return [s.key for s in SETTINGS]


def _folder(ctx: click.Context) -> Path:
    """The folder that `-C` names, on the command or before it."""
    at: click.Context | None = ctx
    while at is not None:
        if given := at.params.get("cwd"):
            return Path(given).absolute()
        at = at.parent
    return Path.cwd()


def _layout(ctx: click.Context) -> PlatformLayout | None:
    from dataops.envs.checkout import find_layout

    return find_layout(_folder(ctx))


def _records(ctx: click.Context) -> dict[str, dict[str, Any]]:
    """Registry records by name, as plain data: nothing is checked, since nothing is done with them."""
    from dataops.infra.platform.layout import default_home

    layout = _layout(ctx)
    folders = [layout.registry] if layout else list((default_home() / "platforms").glob("*/registry"))
    found = {}
    for path in (path for folder in folders for path in folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and "name" in record and "role" in record:
            found[str(record["name"])] = record
    return found


def _declared(ctx: click.Context) -> dict[str, Any]:
    """The pipelines of the platform file, unchecked."""
    from dataops.envs.surroundings import Surroundings

    around = Surroundings(_folder(ctx))
    value = around.document.value if around.document else {}
    pipelines = value.get("pipelines") if isinstance(value, dict) else {}
    return pipelines if isinstance(pipelines, dict) else {}
