"""`dataops init`: the files of a new platform, which run as they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.tables import print_json
from dataops.envs.surroundings import Surroundings
from dataops.infra.errors import ConfigurationError

FILES = {
    "dataops.yaml": "dataops.yaml",
    "Pulumi.yaml": "Pulumi.yaml",
    "stacks/__main__.py": "program.py",
    "provider/pulumi-resource-dataops": "plugin",
    "pipelines/greet.py": "greet.py",
    "requirements.txt": "requirements.txt",
    ".gitignore": "gitignore",
}
"""Each file that is written, and the template it is made from."""

EXECUTABLE = frozenset({"provider/pulumi-resource-dataops"})
"""What the Pulumi CLI runs, where somebody uses that instead of `dataops stack`."""

NEXT = (
    "dataops validate",
    "dataops env deploy production",
    "dataops pipeline run greetings --env production",
    "dataops snapshot capture --env production",
    "dataops env up --branch BRANCH                  # a replica of production with the code of a branch",
)
"""What a new user types then."""

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of the new platform; `present` says that there is one already, which stays."""

    path: str
    content: str
    present: bool


@click.command()
@click.option("--name", metavar="NAME", help="Name of the platform; by default that of the folder.")
@folder_option
@output_option
def init(name: str | None, cwd: Path, as_json: bool) -> None:
    """Write dataops.yaml, Pulumi.yaml, stacks/__main__.py and an example pipeline.

    Files that exist are never changed.

    \b
    Example:
      dataops init --name shop
    """
    folder = cwd.absolute()
    name = name or _slug(folder.name)
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"a platform cannot be named `{name}`",
            hint="use --name with lower-case letters, digits, `-` and `_`, a letter first, at most 40 in all",
        )
    around = Surroundings(folder)
    files = plan(folder, name, around.branch or "main")
    write(folder, files)
    if as_json:
        found = {"name": name, "folder": str(folder)}
        print_json({**found, **{word: [f.path for f in files if f.present is kept] for word, kept in _WORDS}})
        return
    for file in files:
        click.echo(f"  {'kept   ' if file.present else 'written'}  {file.path}")
    click.echo(f"\nThe platform {name} is in {folder}. Next:")
    if not all(file.present for file in files):
        if not around.top:
            click.echo("  git init --initial-branch main                  # this folder is in no git repository yet")
        click.echo(f"  git add --all && git commit -m 'Begin the platform {name}'")
    for command in NEXT:
        click.echo(f"  {command}")


_WORDS = (("written", False), ("kept", True))


def plan(folder: Path, name: str, branch: str) -> tuple[PlannedFile, ...]:
    """What `init` would write into a folder, with production on a branch; nothing is written yet."""
    templates = Path(__file__).parents[1] / "templates"
    values = {"name": name, "database": name.replace("-", "_"), "branch": branch}
    return tuple(
        PlannedFile(
            path,
            Template((templates / f"{template}.template").read_text(encoding="utf-8")).safe_substitute(values),
            (folder / path).exists(),
        )
        for path, template in FILES.items()
    )


def write(folder: Path, files: tuple[PlannedFile, ...]) -> None:
    """Writes the planned files that were not there.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    for file in files:
        if file.present:
            continue
        target = folder / file.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as stream:
                stream.write(file.content)
            if file.path in EXECUTABLE:
                target.chmod(0o755)
        except OSError as error:
            raise ConfigurationError(f"cannot be written: {error.strerror}", where=str(target)) from None


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:40]
