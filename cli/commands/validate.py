"""`dataops validate`: whether dataops.yaml is right, without running anything."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import output_option
from dataops.cli.notices import notice
from dataops.cli.tables import print_json


@click.command()
@click.option(
    "-f",
    "--file",
    "file",
    type=click.Path(path_type=Path),
    default="dataops.yaml",
    show_default=True,
    help="The file, or the folder that it lies in.",
)
@output_option
def validate(file: Path, as_json: bool) -> int:
    """Check dataops.yaml: every mistake with its line, what was expected and the nearest known name.

    \b
    Examples:
      dataops validate
      dataops validate -f platform/dataops.yaml -o json
    """
    from dataops.infra.platform.loader import load_platform
    from dataops.infra.platform.problems import PlatformError
    from dataops.infra.platform.references import unmasked

    try:
        platform = load_platform(file)
    except PlatformError as error:
        if not as_json:
            raise
        problems = [
            {"line": p.line, "location": p.location, "what": p.what, "hint": p.hint or None} for p in error.problems
        ]
        print_json({"file": str(error.path), "valid": False, "problems": problems, "warnings": []})
        return error.exit_code
    warnings = [f"{dataset} has no masking rules: a snapshot stops there" for dataset in unmasked(platform)]
    if as_json:
        print_json({"file": str(file), "valid": True, "problems": [], "warnings": warnings})
        return 0
    for warning in warnings:
        notice(f"warning: {warning}", moment="warning")
    counts = {
        "pipeline": len(platform.pipelines),
        "service": len(platform.services),
        "product": len(platform.products),
        "role": len(platform.access.roles),
        "masked dataset": len({*platform.policy.tables, *platform.policy.classified}) + len(platform.policy.lake),
    }
    listed = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
    click.echo(f"{file} is valid: platform {platform.name}, {listed}")
    return 0
