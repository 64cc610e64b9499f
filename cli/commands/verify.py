"""`dataops verify`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.commands.env_progress import progress
from dataops.cli.commands.env_up import tools_for
from dataops.cli.commands.pipeline_run import show_step
from dataops.cli.engine_option import engine_option
from dataops.cli.forms import Output, output
from dataops.cli.options import surroundings
from dataops.cli.parameter_types import BRANCH, SNAPSHOT
from dataops.cli.tables import print_json, print_table
from dataops.envs.settings import value_of
from dataops.infra.errors import ConfigurationError, ExpectationError
from dataops.infra.platform.parameters import TARGETS

if TYPE_CHECKING:
    from dataops.envs.verification.verdict import Verdict

REPORT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("-b", "--branch", type=BRANCH, help="Whose code is verified; by default the one that is checked out.")
@click.option(
    "--target", type=click.Choice(TARGETS), help="Where: docker, in throwaway containers, the default; or local."
)
@click.option(
    "--snapshot", type=SNAPSHOT, metavar="ID", help="The data: an id, newest or subset:RULE; by default the newest."
)
@click.option(
    "--data",
    type=click.Choice(["snapshot", "synthetic"]),
    default="snapshot",
    help="What it is verified with: a snapshot, or rows that are made up from the schema.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="What made-up rows are drawn from; by default 0.")
@click.option("--full-refresh", is_flag=True, help="Tell the steps to build everything anew: DATAOPS_FULL_REFRESH=1.")
@click.option("--junit", metavar="FILE", type=REPORT, help="Also write the verdict as JUnit XML.")
@click.option("--markdown", metavar="FILE", type=REPORT, help="Also write the verdict as Markdown.")
@engine_option
@folder_option
@output_option
def verify(
    branch: str | None,
    target: str | None,
    snapshot: str | None,
    data: str,
    seed: int,
    full_refresh: bool,
    junit: Path | None,
    markdown: Path | None,
    engine: str | None,
    cwd: Path,
    as_json: bool,
) -> None:
    """Prove a branch in a throwaway replica: pipelines, checks, and marts compared with production's.

    It brings up a replica of the branch, runs all of its pipelines, and compares every table of a data product with
    production as of the snapshot: rows, columns, and statistics per column, with the tolerances of `verification` in
    dataops.yaml. Production itself is not asked. Then it looks at rights and services and runs the branch's own checks.
    Nothing is left, whatever happens; what a killed one leaves, `dataops gc` removes.

    --data synthetic needs no data: tables have the schema of the newest snapshot, or are made by the SQL files that
    `verification.synthetic` names, and get made-up rows, the same for the same --seed. Marts are compared with what
    production's code makes of them, in a replica of its own.

    Exit status: 0 when the branch is verified, 7 when it is refused, any other when that could not be found out.

    \b
    Examples:
      dataops verify --branch feature/x
      dataops verify --data synthetic
      dataops verify --target local --junit verdict.xml --markdown verdict.md
    """
    from dataops.envs.checkout import Checkout
    from dataops.envs.phases import PhaseClock
    from dataops.envs.verification.verdict import junit as as_junit
    from dataops.envs.verification.verdict import markdown as as_markdown
    from dataops.envs.verification.verify import VerifyRequest
    from dataops.envs.verification.verify import verify as prove

    tools, around = tools_for(cwd, engine), surroundings(cwd)
    chosen = value_of("branch", around, branch)
    if not chosen:
        raise ConfigurationError("no branch is checked out", hint="dataops verify --branch BRANCH")
    request = VerifyRequest(
        chosen,
        value_of("target", around, target) or "docker",
        data,
        value_of("snapshot", around, snapshot),
        seed,
        full_refresh,
    )
    # How the provider of worktrees is told that what pipelines write into their code is nobody's work.
    os.environ["DATAOPS_FORCE"] = "1"
    with progress() as sink:
        verdict = prove(request, Checkout.find(cwd.absolute()), tools, PhaseClock(sink), show_step)
    for place, text in ((junit, as_junit), (markdown, as_markdown)):
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text(verdict), encoding="utf-8")
    if as_json:
        print_json(verdict.to_json())
    elif output() is Output.MD:
        click.echo(as_markdown(verdict), nl=False)
    else:
        _show(verdict)
    if not verdict.passed:
        about_marts = any(check.group.startswith("mart ") for check in verdict.failures)
        meant = "if they are meant, say so in `verification` of dataops.yaml on the branch" if about_marts else None
        raise ExpectationError(verdict.sentence, hint=meant)


def _show(verdict: Verdict) -> None:
    rows = [(c.group, c.name, str(c.result), c.expected, c.seen) for c in verdict.checks]
    print_table(("ABOUT", "CHECK", "RESULT", "EXPECTED", "SEEN"), rows)
    click.echo(f"\n{verdict.sentence}. It took {verdict.seconds:.1f} s.")
