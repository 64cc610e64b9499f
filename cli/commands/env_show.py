"""`dataops env ls|status|connect|fingerprint`: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.commands.env_report import age_of, cloned, cloned_lines, is_carried
from dataops.cli.notices import notice
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from dataops.envs.status import EnvironmentStatus, Part


@click.command()
@click.option("-a", "--all", "everywhere", is_flag=True, help="Of every platform on this machine.")
@folder_option
@output_option
def ls(everywhere: bool, cwd: Path, as_json: bool) -> None:
    """List the environments of the platform at hand; outside of a repository, of every platform.

    \b
    Example:
      dataops env ls -o json
    """
    from dataops.envs.checkout import find_layout
    from dataops.envs.registry import Registry, registries
    from dataops.envs.status import all_statuses

    layout = None if everywhere else find_layout(cwd.absolute())
    places = [Registry(layout.registry)] if layout else list(registries())
    found = [status for place in places for status in all_statuses(place)]
    damaged = {name: error for place in places for name, error in place.survey()[1].items()}
    if as_json:
        unread = [{"name": name, "state": "damaged", "failure": str(error)} for name, error in damaged.items()]
        print_json([*(status.to_json() for status in found), *unread])
        return
    if not found and not damaged:
        notice("There are no environments. Make one: dataops env up --branch BRANCH")
        return
    rows = [
        (s.record.name, s.record.role, s.state, s.record.branch, s.record.commit[:12], s.record.owner, s.record.updated)
        for s in found
    ]
    rows += [(name, "", "damaged", "", "", "", "") for name in damaged]
    print_table(("NAME", "ROLE", "STATE", "BRANCH", "COMMIT", "OWNER", "UPDATED"), rows)
    for error in damaged.values():
        notice(f"{error}; {error.hint}")


@click.command()
@click.argument("name", type=ENVIRONMENT)
@folder_option
@output_option
def status(name: str, cwd: Path, as_json: bool) -> None:
    """Show one environment and whether it answers.

    \b
    Example:
      dataops env status feature-x
    """
    from dataops.envs.footprint import footprint
    from dataops.envs.pipeline import states_of
    from dataops.envs.status import status as look
    from dataops.infra.platform.quantities import size_text

    registry, record = find_environment(name, cwd)
    found = look(record, registry, deep=True)
    pipelines, used = states_of(record), footprint(Path(record.root), carried=is_carried(record))
    if as_json:
        taken = {"memory_bytes": used.memory, "disk_bytes": used.disk, "cloned": cloned(record)}
        print_json({**found.to_json(), **taken, "pipelines": [pipeline.to_json() for pipeline in pipelines]})
        return
    click.echo(f"{click.style(name, bold=True)} {'has' if found.state == 'failed' else 'is'} {found.state}.")
    lines = [("role", record.role), ("branch", f"{record.branch} at {record.commit[:12]}"), ("owner", record.owner)]
    if record.snapshot:
        lines.append(("data", f"snapshot {record.snapshot}{age_of(record.snapshot)}"))
    lines += cloned_lines(record)
    lines += [("updated", record.updated), ("files", record.root)]
    lines.append(("uses", f"{size_text(used.memory)} of memory, {size_text(used.disk)} on disk"))
    if found.astray:
        lines.append(("code", f"{found.astray}; the environment can still be used"))
    if record.failure:
        lines.append(("failure", record.failure))
    if found.holder:
        lines.append(("locked by", f"{found.holder.describe()}: {found.holder.command}"))
    lines += [(part.name, f"{part.address} {_seen(part, found)}".rstrip()) for part in found.parts]
    lines += [(f"pipeline {p.name}", p.summary()) for p in pipelines]
    print_facts(lines + ([("next", found.remedy)] if found.remedy else []))


def _seen(part: Part, found: EnvironmentStatus) -> str:
    """What can be seen of a part, in words."""
    if part.name == "code":
        return "" if part.answers else "IS NOT THERE"
    if part.answers:
        return "answers"
    return "sleeps" if found.state == "sleeping" else "DOES NOT ANSWER"


@click.command()
@click.argument("name", type=ENVIRONMENT)
@click.option("--role", metavar="ROLE", help="Who to connect as; by default developer, in deployed ones pipeline.")
@click.option("--show-password", is_flag=True, help="Print the password, too.")
@folder_option
@output_option
def connect(name: str, role: str | None, show_password: bool, cwd: Path, as_json: bool) -> None:
    """Show how to reach an environment's warehouse, and its lake where that has a server.

    \b
    Examples:
      dataops env connect feature-x --show-password
      dataops env connect feature-x --role sales_reader --show-password
    """
    from dataops.cli import wiring
    from dataops.envs.connect import connect as find_connection

    _, record = find_environment(name, cwd)
    role = role or ("developer" if record.role == "replica" else "pipeline")
    connection = find_connection(record, wiring.environment_tools(), role, show_password)
    if as_json:
        print_json(connection.to_json())
        return
    if connection.warehouse:
        click.echo(connection.warehouse.url)
    for variable, value in (connection.lake.variables() if connection.lake else {}).items():
        click.echo(f"{variable}={value}")
    for service, url in connection.services.items():
        click.echo(f"{service}  {url}")
    if not show_password:
        notice(f"The password is shown with: dataops env connect {name} --role {role} --show-password")


@click.command()
@click.argument("name", type=ENVIRONMENT)
@folder_option
@output_option
def fingerprint(name: str, cwd: Path, as_json: bool) -> None:
    """Hash every table, ordered by its key, and every object of an environment.

    \b
    Example:
      dataops env fingerprint production -o json
    """
    from dataops.envs.fingerprint import fingerprint as take
    from dataops.envs.variables import from_outside, read_variables
    from dataops.infra.platform.layout import EnvironmentLayout
    from dataops.infra.process.lake_volume import lake_at_hand

    _, record = find_environment(name, cwd)
    with lake_at_hand(EnvironmentLayout(Path(record.root)).lake) as lake:
        found = take(from_outside(read_variables(record)), lake)
    if as_json:
        print_json({"environment": name, **found.to_json()})
        return
    rows = [(f"warehouse:{table}", f"{f.count} rows", f.sha256) for table, f in found.tables.items()]
    rows += [(f"lake:{path}", f"{f.count} bytes", f.sha256) for path, f in found.objects.items()]
    print_table(("DATA", "SIZE", "SHA-256"), rows)
