"""`dataops snapshot classify`: proposes masking rules for whatever has none."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.notices import notice
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_json
from dataops.infra.errors import VerificationError


@click.command()
@click.option(
    "-e",
    "--env",
    "name",
    metavar="NAME",
    type=ENVIRONMENT,
    default="production",
    show_default=True,
    help="Where to look.",
)
@click.option("--write", is_flag=True, help="Add the rules to the file; nothing else in it changes.")
@click.option(
    "--to",
    "target",
    type=click.Choice(["dataops.yaml", "masking.yaml"]),
    help="Where rules belong; by default in masking.yaml where there is one.",
)
@folder_option
@output_option
def classify(name: str, write: bool, target: str | None, cwd: Path, as_json: bool) -> None:
    """Propose masking rules for every column, file and part of a document that has none.

    They are told from names, types and a sample of the values, which stays in memory: what is printed are names of
    patterns and how many values match them. The result is a unified diff of dataops.yaml or masking.yaml.

    \b
    Exit codes: 0 everything has a rule, or --write has added it; 11 rules are missing.

    \b
    Examples:
      dataops snapshot classify                    what a capture would stop at, as a diff
      dataops snapshot classify | git apply        the same as --write
    """
    from difflib import unified_diff

    from dataops.cli.commands.snapshot import warehouse_of
    from dataops.envs.checkout import FILE_NAME, Checkout, platform_folder
    from dataops.infra.platform.document import read_text
    from dataops.infra.platform.layout import EnvironmentLayout
    from dataops.infra.platform.loader import load_platform, parse_platform
    from dataops.infra.platform.masking_edit import add_paths, add_rules, replace_file
    from dataops.infra.platform.masking_file import masking_file
    from dataops.infra.process.lake_volume import lake_at_hand
    from dataops.infra.process.postgres_binaries import install_binaries
    from dataops.infra.process.users import server_user
    from dataops.snapshots.classify import classify as look
    from dataops.snapshots.proposals import additions, path_additions

    checkout = Checkout.find(cwd.absolute())
    _, record = find_environment(name, cwd)
    connection, database = warehouse_of(record)
    folder = platform_folder(cwd.absolute(), checkout.repository)
    platform, beside = folder / FILE_NAME, masking_file(folder / FILE_NAME)
    apart = target == beside.name if target else beside.exists()
    file = beside if apart else platform
    binaries = install_binaries(checkout.layout.home, server_user())
    text = read_text(file) if file.exists() else ""
    with lake_at_hand(EnvironmentLayout(Path(record.root)).lake) as lake:
        proposals = look(load_platform(platform).policy, connection, database, lake, binaries)
    new = add_rules(file, text, additions(proposals), apart=apart)
    new = add_paths(file, new, path_additions(proposals), apart=apart)
    rules = read_text(beside) if beside.exists() else None
    parse_platform(platform, read_text(platform), new) if apart else parse_platform(platform, new, rules)
    if write and proposals:
        replace_file(file, new)
    if as_json:
        print_json(
            {
                "written": write and bool(proposals),
                "proposals": [
                    {
                        "section": proposal.missing.section,
                        "owner": proposal.missing.owner,
                        "column": proposal.missing.name,
                        "path": proposal.missing.path or None,
                        "rule": proposal.rule,
                        "why": proposal.why,
                    }
                    for proposal in proposals
                ],
            }
        )
    else:
        where = file.resolve().relative_to(checkout.repository.top.resolve()).as_posix()
        before = f"a/{where}" if text else "/dev/null"
        lines = unified_diff(text.splitlines(), new.splitlines(), before, f"b/{where}", lineterm="")
        for line in lines:
            click.echo(line)
    if write and proposals:
        notice(f"{len(proposals)} rules were added: look at each before you capture")
    elif proposals:
        raise VerificationError(
            f"{len(proposals)} columns, files or paths have no masking rule",
            where=str(file),
            hint="look at each rule, then run `dataops snapshot classify --write`"
            + (f" --to {target}" if target else ""),
        )
    else:
        notice("Everything has a rule.")
