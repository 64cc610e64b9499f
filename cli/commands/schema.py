"""`dataops schema`: the JSON Schema of dataops.yaml."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of dataops.yaml, for editors.

    \b
    Example:
      dataops schema > dataops.schema.json
    """
    from dataops.infra.platform.schema import schema_text

    click.echo(schema_text(), nl=False)
