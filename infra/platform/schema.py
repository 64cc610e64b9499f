"""The JSON Schema of `dataops.yaml`, for editors and for whoever generates the file."""

from __future__ import annotations

import json
from typing import Any

from dataops.infra.platform.model import Platform


def platform_schema() -> dict[str, Any]:
    """The schema as plain data, in the dialect that it names."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Platform.model_json_schema(by_alias=True),
        "title": "dataops.yaml",
    }


def schema_text() -> str:
    """The schema as it is published in `docs/dataops.schema.json`."""
    return json.dumps(platform_schema(), indent=2, ensure_ascii=False) + "\n"
