"""The JSON Schemas of `dataops.yaml` and `masking.yaml`, for editors and for whoever generates the file."""

from __future__ import annotations

import json
from typing import Any

from dataops.infra.platform.masking import Masking
from dataops.infra.platform.model import Platform


def platform_schema() -> dict[str, Any]:
    """The schema as plain data, in the dialect that it names."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Platform.model_json_schema(by_alias=True),
        "title": "dataops.yaml",
    }


def masking_schema() -> dict[str, Any]:
    """That of the masking rules in a file of their own."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Masking.model_json_schema(by_alias=True),
        "title": "masking.yaml",
    }


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as it is published in `docs/dataops.schema.json` and `docs/masking.schema.json`."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
