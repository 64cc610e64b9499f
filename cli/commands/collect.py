"""`dataops gc`: what nobody owns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import confirm, end_in_order, folder_option, output_option
from dataops.cli.notices import notice
from dataops.cli.tables import print_json, print_table
from dataops.infra.errors import ConfigurationError, ResourceError

if TYPE_CHECKING:
    from dataops.envs.collect import Collected, CollectionPlan
    from dataops.envs.findings import Finding
    from dataops.infra.platform.layout import PlatformLayout


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-a", "--all", "everywhere", is_flag=True, help="Of every platform on this machine.")
@folder_option
@output_option
def gc(dry_run: bool, yes: bool, everywhere: bool, cwd: Path, as_json: bool) -> None:
    """Remove what nobody owns: what a crash cut off from its record.

    Folders, processes, sockets, worktrees, state, golden directories of snapshots that are gone, half-made snapshots
    and leases that carry the marks of this platform and that no record, no snapshot and no living process accounts
    for; and replicas of a `dataops verify` that was killed. What cannot be proved to be ours is listed and left alone,
    and so is whatever belongs to production or to another platform.

    \b
    Examples:
      dataops gc --dry-run
      dataops gc --yes
    """
    from dataops.envs import collect

    end_in_order()
    tools = wiring.environment_tools()
    layouts = _layouts(cwd, everywhere)
    plans = [collect.plan(layout, tools, backends) for layout, backends in layouts]
    if dry_run or not any(plan.findings for plan in plans):
        _show(plans, as_json)
        return
    if not as_json:
        _show(plans, as_json)
    count = sum(len(plan.findings) for plan in plans)
    confirm(f"Remove these {count} things?", yes, "dataops gc")
    if any(finding.kind == "verification" for plan in plans for finding in plan.findings):
        # What pipelines wrote into the code of a throwaway replica is nobody's work; how its provider is told.
        os.environ["DATAOPS_FORCE"] = "1"
    outcomes = [collect.perform(plan, layout, tools, _tell) for plan, (layout, _) in zip(plans, layouts, strict=True)]
    if as_json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        removed = sum(len(outcome.removed) for outcome in outcomes)
        freed = sum(finding.bytes for outcome in outcomes for finding in outcome.removed)
        click.echo(f"Removed {removed} things, {_size(freed)}.")
    _raise_left(outcomes)


def _layouts(cwd: Path, everywhere: bool) -> list[tuple[PlatformLayout, tuple[str, ...]]]:
    """The platforms that are meant, each with the backends that its records may not name any more."""
    from dataops.envs.checkout import Checkout, find_layout
    from dataops.infra.errors import DataopsError
    from dataops.infra.platform.layout import PlatformLayout, default_home

    home = default_home()
    if everywhere:
        return [(PlatformLayout(home, p.parent.name), ()) for p in sorted((home / "platforms").glob("*/registry"))]
    layout = find_layout(cwd.absolute())
    if layout is None:
        raise ConfigurationError(
            "this folder belongs to no platform that has environments here",
            where=str(cwd.absolute()),
            hint="run it in the platform's repository, or with --all for every platform on this machine",
        )
    try:
        return [(layout, (Checkout.find(cwd.absolute()).backend_url,))]
    except DataopsError:
        return [(layout, ())]


def _show(plans: list[CollectionPlan], as_json: bool) -> None:
    if as_json:
        print_json([plan.to_json() for plan in plans])
        return
    for plan in plans:
        if not plan.findings and not plan.kept:
            click.echo(f"{plan.platform}: everything has an owner.")
        if plan.findings:
            click.echo(f"{plan.platform}: {len(plan.findings)} things that nobody owns, {_size(plan.bytes)}")
            rows = [(f.kind, f.place, f.ours, f.unowned, _size(f.bytes), f.action) for f in plan.findings]
            print_table(("KIND", "PLACE", "WHY IT IS OURS", "WHY NOBODY OWNS IT", "SIZE", "ACTION"), rows)
        for kept in plan.kept:
            click.echo(f"  left alone: {kept.place}: {kept.why}")


def _tell(finding: Finding, why: str) -> None:
    outcome = "left" if why else "removed"
    notice(f"{outcome} {finding.kind} {finding.place}" + (f": {why}" if why else ""), phase="gc", moment=outcome)


def _raise_left(outcomes: list[Collected]) -> None:
    left = [f"{finding.kind} {finding.place}: {why}" for outcome in outcomes for finding, why in outcome.left]
    if left:
        raise ResourceError(
            f"{len(left)} things were left", details="\n".join(left), hint="see to them, then run `dataops gc` again"
        )


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
