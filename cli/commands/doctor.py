"""`dataops doctor`: what this machine has, what each target and the platform at hand lack, what to type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.options import folder_option, output_option
from dataops.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from dataops.envs.probes.probe import Diagnosis

MARKS = {"ok": "✓", "warning": "!", "failed": "✗", "absent": "-"}


@click.command()
@click.option(
    "--target",
    type=click.Choice(["local", "docker", "kubernetes", "aws"]),
    help="Ask for this target alone; by default what is there for all is shown, and `local` must work.",
)
@folder_option
@output_option
def doctor(target: str | None, cwd: Path, as_json: bool) -> int:
    """Check this machine, each target and the platform at hand: what is there, what is missing, what to type.

    Nothing is changed. The exit status is 0 when environments can be made, 1 when something that they need fails.

    \b
    Examples:
      dataops doctor
      dataops doctor --target docker -o json
    """
    from dataops.envs.probes.at_hand import PLATFORM
    from dataops.envs.probes.machine import LOCAL, MACHINE
    from dataops.envs.probes.probe import Scene, examine
    from dataops.envs.probes.targets import BEYOND
    from dataops.infra.platform.layout import default_home
    from dataops.infra.state.backend import open_backend

    probes = [p for p in (*MACHINE, *LOCAL, *BEYOND, *PLATFORM) if target in (None, p.area) or p.area in _ALWAYS]
    found = examine(probes, Scene(default_home(), cwd.absolute(), os.environ, open_backend))
    broken = [d for d in found if stops(d, target)]
    if as_json:
        print_json({"healthy": not broken, "checks": [d.to_json() for d in found]})
        return 1 if broken else 0
    _print(found, target)
    if broken:
        named = ", ".join(f"{d.probe.area} {d.probe.name}" for d in broken)
        click.echo(f"\n{click.style('Not ready', fg='red', bold=True)}: {named}.")
    else:
        click.echo(f"\n{click.style('Ready', fg='green', bold=True)}: environments can be made on {target or 'local'}.")
    return 1 if broken else 0


_ALWAYS = ("machine", "platform")


def stops(diagnosis: Diagnosis, target: str | None) -> bool:
    """Whether what was found keeps environments from being made.

    A failure does, wherever it was looked for; what is absent does where that very target was asked for.
    """
    from dataops.envs.probes.probe import Verdict

    if diagnosis.finding.verdict is Verdict.FAILED:
        return True
    return diagnosis.finding.verdict is Verdict.ABSENT and diagnosis.probe.area == target


def _print(found: list[Diagnosis], target: str | None) -> None:
    rows = []
    for diagnosis in found:
        finding, probe = diagnosis.finding, diagnosis.probe
        mark = MARKS[finding.verdict.value]
        rows.append((f"{mark} {finding.verdict.value}", probe.area, probe.name, finding.what))
    print_table(("VERDICT", "AREA", "CHECK", "FOUND"), rows)
    areas = {"platform", target}  # what is absent elsewhere is not needed
    wanted = [d for d in found if d.finding.hint and (d.finding.verdict != "absent" or d.probe.area in areas)]
    if wanted:
        click.echo("\nWhat to type:")
        hints = {d.finding.hint: f"{d.probe.area} {d.probe.name}" for d in reversed(wanted)}
        for hint, check in reversed(hints.items()):
            click.echo(f"  {check}: {hint}")
