"""What is said on stderr beside a result: remarks and progress, as text or as one JSON object per line."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from dataops.cli.forms import LogFormat, log_format
from dataops.cli.tables import iso


def notice(text: str, **facts: Any) -> None:
    """Says something that is not the result.

    Args:
        text: the line.
        facts: what a program may want to know of it, such as `phase`; printed with `--log-format json` alone.
    """
    if log_format() is LogFormat.JSON:
        notice_json({"moment": "note", **facts, "text": text})
    else:
        click.echo(text, err=True)


def notice_json(facts: dict[str, Any]) -> None:
    """One line of JSON, stamped with the time."""
    click.echo(json.dumps({"time": iso(time.time()), **facts}, ensure_ascii=False), err=True)
