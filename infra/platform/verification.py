"""The model of `verification` in `dataops.yaml`: how far marts may be from production's, and the branch's own tests."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from dataops.infra.platform.names import Command, Name, ObjectName, RelativePath, Table, Text
from dataops.infra.platform.section import Section

USUAL = 0.01
"""What every figure may differ by unless somebody says otherwise: one part in a hundred."""


def _share(value: Any) -> Any:
    """A share: `5%`, or a number, where 0.05 means the same."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())):
        return float(found[1]) / 100
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise PydanticCustomError("share", "expected a share, as `5%` or 0.05")
    return float(value)


Share = Annotated[float, BeforeValidator(_share, json_schema_input_type=str | float)]


class Tolerance(Section):
    """How far figures may be from production's. What is left out is as it is one level above; at the top 1 %."""

    nulls: Share | None = Field(default=None, description="The share of rows without a value: the plain difference.")
    distinct: Share | None = Field(default=None, description="The number of different values: part of production's.")
    mean: Share | None = Field(
        default=None, description="The mean of numbers: part of production's mean or, if larger, of its spread."
    )
    spread: Share | None = Field(default=None, description="The standard deviation of numbers: part of production's.")


class TableTolerance(Tolerance):
    """How far a table may be from production's."""

    rows: Share | None = Field(default=None, description="The number of rows: part of production's.")
    changes: Literal["none", "additive", "any"] | None = Field(
        default=None,
        description="Which changes of columns and their types pass: `none`, as by default, `additive` or `any`.",
    )


class MartTolerance(TableTolerance):
    """How far one table may be from production's, and each of its columns."""

    columns: dict[Text, Tolerance] = Field(default={}, description="Columns with tolerances of their own.")


class SyntheticColumn(Section):
    """What is said of the made-up values of a column, beside its type, its keys and its masking rule."""

    values: tuple[StrictStr | StrictInt | StrictFloat | StrictBool, ...] = Field(
        default=(), description="One of these."
    )
    low: StrictInt | StrictFloat | None = Field(default=None, alias="from", description="No less than that.")
    high: StrictInt | StrictFloat | None = Field(default=None, alias="to", description="No more than that.")
    nulls: Share | None = Field(default=None, description="The share of rows without a value, where there may be some.")


class SyntheticData(Section):
    """What rows are made from where there is no snapshot to take the schema from."""

    schema_files: tuple[RelativePath, ...] = Field(
        default=(), description="SQL files that make the tables, in order; run in an empty warehouse of a verification."
    )
    rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(default=200, description="How many rows each table gets.")
    tables: dict[Table, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(
        default={}, description="Tables that get another number of rows."
    )
    columns: dict[Table, dict[Text, SyntheticColumn]] = Field(
        default={}, description="What is said of the values of columns."
    )
    objects: dict[ObjectName, Table] = Field(
        default={},
        description="Parquet objects with the rows of a table, beside those that masking says are `like` one.",
    )


class Verification(Section):
    """What `dataops verify` runs and how strictly it compares."""

    checks: dict[Name, Command] = Field(
        default={},
        description="Commands of the branch that run in the replica after its pipelines, and must exit with 0.",
    )
    tolerance: TableTolerance = Field(
        default_factory=TableTolerance, description="How far all tables of data products may be from production's."
    )
    tables: dict[Table, MartTolerance] = Field(default={}, description="Tables with tolerances of their own.")
    synthetic: SyntheticData = Field(
        default_factory=SyntheticData, description="What `--data synthetic` makes rows from."
    )

    def rows(self, table: str) -> float:
        """What the number of rows of a table may differ by."""
        return _first(*(found.rows for found in self._levels(table)))

    def changes(self, table: str) -> str:
        """Which changes of a table's columns pass: `none`, `additive` or `any`."""
        return next((found.changes for found in self._levels(table) if found.changes), "none")

    def figure(self, table: str, column: str, name: str) -> float:
        """What a figure of a column (`nulls`, `distinct`, `mean`, `spread`) may differ by."""
        own = self.tables[table].columns.get(column) if table in self.tables else None
        levels = [*([own] if own else []), *self._levels(table)]
        return _first(*(getattr(level, name) for level in levels))

    def _levels(self, table: str) -> list[TableTolerance]:
        return [*([self.tables[table]] if table in self.tables else []), self.tolerance]


def _first(*values: float | None) -> float:
    return next((value for value in values if value is not None), USUAL)
