"""`dataops env diff`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.forms import Output, output
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from dataops.envs.diff import Difference

ONE_LINE = 90
"""Characters of a name and its values that are shown beside each other."""

SHOWN = 200
"""Characters of a value that are shown."""

ALIKE = {"table": "tables in columns and number of rows", "object": "objects in content"}
"""What it means that things of a kind are alike, where it does not go without saying."""


@click.command()
@click.argument("a", type=ENVIRONMENT)
@click.argument("b", type=ENVIRONMENT)
@folder_option
@output_option
def diff(a: str, b: str, cwd: Path, as_json: bool) -> None:
    """Compare two environments: code, variables, resources, tables, objects, roles and grants.

    Large tables are not counted but estimated, which ~ marks. Secret values are compared, never shown.

    \b
    Example:
      dataops env diff production feature-x
    """
    from dataops.envs.diff import ONLY_A, ONLY_B, Difference
    from dataops.envs.diff import diff as compare

    (_, one), (_, other) = find_environment(a, cwd), find_environment(b, cwd)
    found = compare(one, other, wiring.environment_tools())
    if as_json:
        print_json(found.to_json())
        return
    code = found.code
    facts = [
        ("commit", code.a[:12] if code.a == code.b else f"{code.a[:12]} | {code.b[:12]}"),
        ("data", one.snapshot or "its own"),
    ]
    if one.snapshot != other.snapshot:
        facts[-1] = ("data", f"{one.snapshot or 'its own'} | {other.snapshot or 'its own'}")
    print_facts(facts)
    differences = [Difference("commit", commit, ONLY_A) for commit in code.only_a]
    differences += [Difference("commit", commit, ONLY_B) for commit in code.only_b]
    differences += [Difference("file", path, how) for path, how in code.files]
    differences += [Difference("file", path, "edited in a") for path in code.edited_a]
    differences += [Difference("file", path, "edited in b") for path in code.edited_b]
    differences += found.differences
    _show(differences, a, b)
    alike = ", ".join(f"{count} {ALIKE.get(kind, f'{kind}s')}" for kind, count in found.alike.items() if count)
    click.echo(f"\n{'Nothing differs' if found.same else 'Alike are'}{f': {alike}' if alike else ''}.")
    for subject, why in {**found.unknown, **({"code": code.unknown} if code.unknown else {})}.items():
        click.echo(f"Not compared: {subject}: {why}")


def _show(differences: list[Difference], a: str, b: str) -> None:
    """A paragraph for each kind: - is only in the first environment, + only in the second, ~ different."""
    from dataops.envs.diff import ONLY_A, ONLY_B

    if output() is Output.MD:
        rows = [(d.kind, d.name, d.how, d.a, d.b) for d in differences]
        print_table(("Kind", "Name", "How", f"A: {a}", f"B: {b}"), rows)
        return
    if differences:
        click.echo(f"\n  - only in {a}, + only in {b}, ~ different")
    for kind, found in groupby(differences, key=lambda d: d.kind):
        click.echo(f"\n{click.style(f'{kind}s', bold=True)}")
        for d in found:
            sign, colour = {ONLY_A: ("-", "red"), ONLY_B: ("+", "green")}.get(d.how, ("~", "yellow"))
            values = [_short(value) or "nothing" for value in _values(d)]
            beside = " → ".join(values)
            head = click.style(f"  {sign} {d.name}", fg=colour)
            if len(d.name) + len(beside) <= ONE_LINE:
                click.echo(f"{head}  {beside}".rstrip())
            else:
                click.echo("\n".join([head, *(f"      {value}" for value in values)]))


def _values(difference: Difference) -> list[str]:
    """What is shown of a difference beside its name: what each has, what the only one has, or how it differs."""
    from dataops.envs.diff import DIFFERENT, ONLY_A, ONLY_B

    if difference.how in (ONLY_A, ONLY_B):
        return [value for value in (difference.a, difference.b) if value]
    if difference.a or difference.b:
        return [difference.a, difference.b]
    return [] if difference.how == DIFFERENT else [difference.how]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
