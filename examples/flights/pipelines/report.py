"""Tells whoever runs a step how many rows it wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def report(rows: Mapping[str, int]) -> None:
    """Prints one line of JSON, and writes it to the file that `DATAOPS_STEP_REPORT` names, if it is set."""
    line = json.dumps({"rows": dict(rows)})
    print(line, flush=True)
    if path := os.environ.get("DATAOPS_STEP_REPORT"):
        Path(path).write_text(line + "\n", encoding="utf-8")
