"""What `env up`, `env deploy` and `env down` print when they have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from dataops.cli.tables import print_facts

if TYPE_CHECKING:
    from dataops.envs.change import UpdateReport
    from dataops.envs.registry import EnvironmentRecord

MOST_PIPELINES = 3
"""Pipelines that are named at the end of an update; of more, the list is."""


def report_json(report: UpdateReport) -> dict[str, Any]:
    """The facts that `report_text` prints."""
    from dataops.envs.status import snapshot_age

    record = report.record
    return {
        "name": record.name,
        "platform": record.platform,
        "role": record.role,
        "branch": record.branch,
        "commit": record.commit,
        "target": record.target,
        "snapshot": record.snapshot,
        "state": record.state.value,
        "owner": record.owner,
        "changed": report.changed,
        "changes": dict(report.changes),
        "resources": record.facts.get("resources", 0),
        "warehouse": record.facts.get("warehouse", {}),
        "lake": record.facts.get("lake", ""),
        "cloned": cloned(record),
        "urls": urls(record),
        "logins": [role["name"] for role in record.facts.get("roles", []) if role.get("login")],
        "snapshot_age_seconds": snapshot_age(record.snapshot),
        "code": record.facts.get("directory", ""),
        "variables": f"{record.root}/environment.env",
        "checks": record.facts.get("checks", []),
        "use": use(record),
        "phases": dict(report.phases),
        "seconds": report.seconds,
        "notes": list(report.notes),
    }


def report_text(report: UpdateReport) -> None:
    """Prints what was made, where it listens, how to use it and how long it took; little when nothing changed."""
    record = report.record
    if report.changed:
        click.echo(f"{click.style(record.name, bold=True)} is ready: {counted(report.changes)}.")
    else:
        click.echo(f"{click.style(record.name, bold=True)} is ready. Nothing changed.")
        print_facts([fact for fact in _facts(record) if fact[0] in ("branch", "data", "warehouse", "service")])
        click.echo(f"\nIt took {report.seconds:.1f} s. All about it: dataops env status {record.name}")
        return
    print_facts(_facts(record))
    if use(record):
        click.echo("\nUse it:")
        for command in use(record):
            click.echo(f"  {command}")
    click.echo(f"\nIt took {report.seconds:.1f} s (phases overlap):")
    click.echo(phase_lines(report.phases, report.seconds))


def counted(changes: Mapping[str, int]) -> str:
    """`14 created, 2 updated`."""
    words = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced", "same": "unchanged"}
    parts = [f"{changes[op]} {word}" for op, word in words.items() if changes.get(op)]
    return ", ".join(parts) or "nothing to do"


def phase_lines(phases: Mapping[str, float], total: float) -> str:
    """A line for each phase: its seconds and their share of the whole."""
    lines = []
    for phase, seconds in phases.items():
        share = seconds / total if total else 0.0
        lines.append(f"  {phase:<14} {seconds:7.2f} s  {share:4.0%}  {'█' * round(share * 30)}")
    return "\n".join(line.rstrip() for line in lines)


def cloned(record: EnvironmentRecord) -> dict[str, str]:
    """How data were laid that are copies: `warehouse` and `lake` to the technique, and what would be `faster`.

    Where they were carried into an engine, `bytes` says how much.
    """
    from dataops.envs.techniques import faster_than

    made = {
        "warehouse": str(record.facts.get("warehouse", {}).get("cloned") or ""),
        "lake": str(record.facts.get("lakeCloned") or ""),
    }
    if is_carried(record):
        size = int(record.facts["warehouse"].get("carriedBytes", 0)) + int(record.facts.get("lakeCarriedBytes", 0))
        return {**made, "faster": "", "bytes": str(size)}
    if record.role != "replica" or not record.snapshot or not made["warehouse"]:
        return {}
    return {**made, "faster": faster_than(made["warehouse"])}


def is_carried(record: EnvironmentRecord) -> bool:
    """Whether the data are in the Docker Engine, since it does not see the files of this machine."""
    from dataops.infra.process.containers import CARRIED

    return str(record.facts.get("warehouse", {}).get("cloned")) == CARRIED


def cloned_lines(record: EnvironmentRecord) -> list[tuple[str, str]]:
    """The same, for people."""
    from dataops.envs.techniques import WORDS
    from dataops.infra.platform.quantities import size_text

    found = cloned(record)
    if not found:
        return []
    technique = WORDS.get(found["warehouse"], found["warehouse"])
    technique += f": {size_text(int(found['bytes']))}" if "bytes" in found else ""
    return [("cloned by", technique + (f"; faster: {found['faster']}" if found["faster"] else ""))]


def age_of(snapshot: str) -> str:
    """How old a snapshot is, as `, 3 d old`; "" when its id does not say."""
    from dataops.envs.status import snapshot_age

    seconds = snapshot_age(snapshot)
    return "" if seconds is None else f", {long(seconds)} old"


def long(seconds: int) -> str:
    """A time in the largest unit of which there are at least two."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def urls(record: EnvironmentRecord) -> dict[str, str]:
    """Service to URL."""
    return {name: s["url"] for name, s in sorted(record.facts.get("services", {}).items()) if "url" in s}


def use(record: EnvironmentRecord) -> list[str]:
    """The commands that a developer will want next."""
    name = record.name
    pipelines = record.facts.get("pipelines", [])
    commands = [f"dataops pipeline run {pipeline} --env {name}" for pipeline in pipelines[:MOST_PIPELINES]]
    if len(pipelines) > MOST_PIPELINES:
        commands.append(f"dataops pipeline ls --env {name}")
    commands += [f"dataops env shell {name}", f"dataops env exec {name} -- COMMAND", f"dataops env logs {name} -f"]
    logins = {role["name"] for role in record.facts.get("roles", []) if role.get("login")}
    if "developer" in logins:
        commands.append(f"dataops env connect {name} --show-password")
    commands += [f"curl {url}" for url in urls(record).values()]
    if record.role == "replica":
        commands += [f"dataops env reset {name}", f"dataops env down {name}"]
    return commands


def _facts(record: EnvironmentRecord) -> list[tuple[str, str]]:
    warehouse = record.facts.get("warehouse", {})
    checks = record.facts.get("checks", [])
    found = [("state", record.state.value), ("branch", f"{record.branch} at {record.commit[:12]}")]
    if record.snapshot:
        found.append(("data", f"snapshot {record.snapshot}, masked{age_of(record.snapshot)}"))
    found += cloned_lines(record)
    if warehouse:
        found.append(("warehouse", f"{warehouse.get('host')}:{warehouse.get('port')}/{warehouse.get('database', '')}"))
    if lake := record.facts.get("lake"):
        found.append(("lake", str(lake)))
    found += [("service", f"{name} {url}") for name, url in urls(record).items()]
    if logins := sorted(role["name"] for role in record.facts.get("roles", []) if role.get("login")):
        found.append(("logins", ", ".join(logins)))
        role = next(role for role in ("developer", "pipeline", *logins) if role in logins)
        found.append(("password", f"dataops env connect {record.name} --role {role} --show-password"))
    if directory := record.facts.get("directory"):
        found.append(("code", str(directory)))
    if checks:
        good = sum(1 for check in checks if check.get("ok"))
        found.append(("checks", f"{good} of {len(checks)} passed: {', '.join(str(c.get('name')) for c in checks)}"))
    return found
