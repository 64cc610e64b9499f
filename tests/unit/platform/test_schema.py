"""The published JSON Schema is that of the model."""

from __future__ import annotations

from pathlib import Path

from dataops.infra.platform.schema import masking_schema, platform_schema, schema_text

ROOT = Path(__file__).parents[3]


def test_the_published_schemas_are_current() -> None:
    published = (ROOT / "docs" / "dataops.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(platform_schema()), "run `dataops schema > docs/dataops.schema.json`"
    published = (ROOT / "docs" / "masking.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(masking_schema()), "run `dataops schema --masking > docs/masking.schema.json`"


def test_every_key_is_described() -> None:
    schema = platform_schema()
    nodes = [("Platform", schema), *schema["$defs"].items()]
    bare = [
        f"{name}.{key}"
        for name, node in nodes
        for key, value in node.get("properties", {}).items()
        if not {"description", "$ref"} & value.keys() and key != "rule"
    ]
    assert bare == []
