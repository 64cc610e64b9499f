"""Made-up values of one column: of its type, of what its masking rule says it is, within what is declared of it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from dataops.envs.synthetic.shapes import ColumnShape
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.verification import SyntheticColumn

NULLS = 0.1
"""The share of rows without a value, where there may be some and nothing else is said."""

FIRST = ("Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "Hedy", "Ida", "John", "Katherine", "Linus", "Mary")
LAST = ("Adler", "Berg", "Castro", "Dahl", "Evers", "Fuchs", "Garcia", "Holm", "Ito", "Jansen", "Kowalski", "Lund")
BEGIN = date(2024, 1, 1)
DAYS = 366
NUMBERS = {"int2": 100, "int4": 1000, "int8": 1000, "float4": 100, "float8": 100, "numeric": 100}
LIMITS = {"int2": 32767, "int4": 2**31 - 1}

Make = Callable[[random.Random, int], Any]
"""A value for a row of that number."""


@dataclass(frozen=True, slots=True)
class ValueMaker:
    """Makes the values of one column.

    Args:
        table: its table, for errors.
        column: its shape.
        rule: its masking rule, which tells what it is about; "" for none.
        unique: whether no two rows may have the same.
        told: what `dataops.yaml` says of it.
    """

    table: str
    column: ColumnShape
    rule: str = ""
    unique: bool = False
    told: SyntheticColumn = field(default_factory=SyntheticColumn)

    def make(self, draw: random.Random, number: int) -> Any:
        """The value of a row: the same for the same generator and number.

        Raises:
            ConfigurationError: nothing is known of such values.
        """
        share = self.told.nulls if self.told.nulls is not None else NULLS
        if not self.column.required and not self.unique and draw.random() < share:
            return None
        if self.told.values:
            told = self.told.values
            return self._parsed(told[number % len(told)] if self.unique else draw.choice(told))
        maker = self._by_label() or self._by_bounds() or self._by_rule() or _BY_TYPE.get(self.column.type)
        if maker is None and self.column.type.startswith("_"):
            return []
        if maker is not None:
            return self._fitting(maker(draw, number) if not self.unique else self._unique(maker, draw, number))
        if not self.column.required:
            return None
        raise ConfigurationError(
            f"rows cannot be made up for {self.table}: nothing is known of values of the type {self.column.type}",
            where=f"column {self.column.name}",
            hint="name some as `values`, below `verification.synthetic.columns` in dataops.yaml",
        )

    def _parsed(self, value: Any) -> Any:
        """A declared value as the column holds it."""
        if isinstance(value, str) and self.column.type in ("date", "timestamp", "timestamptz"):
            moment = datetime.fromisoformat(value)
            return moment.date() if self.column.type == "date" else moment
        return value

    def _by_label(self) -> Make | None:
        return (lambda draw, number: draw.choice(self.column.labels)) if self.column.labels else None

    def _by_bounds(self) -> Make | None:
        low, high = self.told.low, self.told.high
        if low is None and high is None:
            return None
        kind = self.column.type
        begin = low if low is not None else 0
        end = high if high is not None else begin + NUMBERS.get(kind, 100)
        if kind in ("float4", "float8"):
            return lambda draw, number: round(draw.uniform(begin, end), 2)
        if kind == "numeric":
            return lambda draw, number: Decimal(str(round(draw.uniform(begin, end), 2)))
        return lambda draw, number: draw.randint(int(begin), int(end))

    def _by_rule(self) -> Make | None:
        return _BY_RULE.get(self.rule) if self.column.type in ("text", "varchar", "bpchar") else None

    def _unique(self, maker: Make, draw: random.Random, number: int) -> Any:
        """A value that depends on the number of the row, so that no two are the same."""
        kind, value = self.column.type, maker(draw, number)
        if kind in NUMBERS:
            return number + 1 if self.told.low is None else int(self.told.low) + number
        if isinstance(value, str):
            mailbox, at, domain = value.partition("@")
            return f"{mailbox}{number + 1}{at}{domain}"
        if isinstance(value, datetime):
            return datetime(BEGIN.year, 1, 1, tzinfo=value.tzinfo) + timedelta(minutes=number)
        return BEGIN + timedelta(days=number) if isinstance(value, date) else value

    def _fitting(self, value: Any) -> Any:
        if isinstance(value, str) and self.column.length is not None:
            return value[-self.column.length :] if self.unique else value[: self.column.length]
        return min(value, LIMITS[self.column.type]) if self.column.type in LIMITS else value


def _word(draw: random.Random, number: int) -> str:
    return f"word-{draw.randrange(20)}-"


def _moment(draw: random.Random, number: int) -> datetime:
    return datetime(BEGIN.year, 1, 1) + timedelta(minutes=draw.randrange(DAYS * 1440))


def _day(draw: random.Random, number: int) -> date:
    return BEGIN + timedelta(days=draw.randrange(DAYS))


def _digits(count: int) -> Make:
    return lambda draw, number: "".join(draw.choices("0123456789", k=count))


_BY_RULE: dict[str, Make] = {
    "name": lambda draw, number: f"{draw.choice(FIRST)} {draw.choice(LAST)}",
    "email": lambda draw, number: f"{draw.choice(FIRST)}.{draw.choice(LAST)}@example.com".lower(),
    "phone": lambda draw, number: f"+1 (555) 01{draw.randrange(10)}-{draw.randrange(10**4):04d}",
    "company": lambda draw, number: f"{draw.choice(LAST)} Ltd",
    "address": lambda draw, number: f"{draw.randrange(1, 200)} {draw.choice(LAST)} Street",
    "digits": _digits(8),
    "card": _digits(16),
    "uuid": lambda draw, number: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
}
_BY_TYPE: dict[str, Make] = {
    **{kind: (lambda draw, number, end=end: draw.randrange(end)) for kind, end in NUMBERS.items() if kind[0] == "i"},  # type: ignore[misc]
    "float4": lambda draw, number: round(draw.uniform(0, 100), 2),
    "float8": lambda draw, number: round(draw.uniform(0, 100), 2),
    "numeric": lambda draw, number: Decimal(draw.randrange(10_000)) / 100,
    "bool": lambda draw, number: draw.random() < 0.5,
    "text": _word,
    "varchar": _word,
    "bpchar": _word,
    "name": _word,
    "citext": _word,
    "date": _day,
    "timestamp": _moment,
    "timestamptz": lambda draw, number: _moment(draw, number).replace(tzinfo=UTC),
    "time": lambda draw, number: time(draw.randrange(24), draw.randrange(60)),
    "interval": lambda draw, number: timedelta(minutes=draw.randrange(10_000)),
    "uuid": lambda draw, number: uuid.UUID(int=draw.getrandbits(128), version=4),
    "json": lambda draw, number: "{}",
    "jsonb": lambda draw, number: "{}",
    "bytea": lambda draw, number: draw.randbytes(8),
    "inet": lambda draw, number: f"192.0.2.{draw.randrange(256)}",
}
