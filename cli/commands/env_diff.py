"""`dataops env diff`."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_facts, print_json, print_table

SHOWN = 200
"""Characters of a value that a table shows."""


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
    rows = [("commit", commit, "only in a", "", "") for commit in code.only_a]
    rows += [("commit", commit, "only in b", "", "") for commit in code.only_b]
    rows += [("file", path, how, "", "") for path, how in code.files]
    rows += [("file", path, "edited in a", "", "") for path in code.edited_a]
    rows += [("file", path, "edited in b", "", "") for path in code.edited_b]
    rows += [(d.kind, d.name, d.how, _short(d.a), _short(d.b)) for d in found.differences]
    if rows:
        click.echo()
        print_table(("KIND", "NAME", "HOW", f"A: {a}", f"B: {b}"), rows)
    alike = ", ".join(f"{count} {kind}s" for kind, count in found.alike.items() if count)
    click.echo(f"\n{'Nothing differs' if found.same else 'Alike are'}{f': {alike}' if alike else ''}.")
    for subject, why in {**found.unknown, **({"code": code.unknown} if code.unknown else {})}.items():
        click.echo(f"Not compared: {subject}: {why}")


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
