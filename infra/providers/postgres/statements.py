"""Statements with quoted names and values: what Postgres does not take as parameters of a statement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import sql

_PLACE = re.compile(r"\{!?\}")


def compose(statement: str, *values: str | None) -> sql.Composed:
    """Puts values into a statement of ours: `{}` takes a name, `{!}` a text or NULL, each quoted by the driver.

    `statement` itself must never hold anything from outside.
    """
    from psycopg import sql

    parts: list[sql.Composable] = []
    end = 0
    for place, value in zip(_PLACE.finditer(statement), values, strict=True):
        parts.append(sql.SQL(statement[end : place.start()]))
        parts.append(sql.Literal(value) if place.group() == "{!}" else sql.Identifier(str(value)))
        end = place.end()
    parts.append(sql.SQL(statement[end:]))
    return sql.Composed(parts)
