"""`dataops schema`: the JSON Schema of dataops.yaml, and of masking.yaml."""

from __future__ import annotations

import click


@click.command()
@click.option("--masking", is_flag=True, help="That of masking.yaml.")
def schema(masking: bool) -> None:
    """Print the JSON Schema of dataops.yaml, or of masking.yaml, for editors.

    \b
    Examples:
      dataops schema > dataops.schema.json
      dataops schema --masking > masking.schema.json
    """
    from dataops.infra.platform.schema import masking_schema, platform_schema, schema_text

    click.echo(schema_text(masking_schema() if masking else platform_schema()), nl=False)
