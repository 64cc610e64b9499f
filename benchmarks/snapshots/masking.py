"""What masking costs: values per second of each rule on distinct values, and rows through six masked columns."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from fastfpe import ff1
from pydantic import TypeAdapter

from dataops.infra.platform.masking import MaskingRule
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.masking.base import Family, VectorMasker
from dataops.snapshots.masking.choose import describe, masker_for
from dataops.snapshots.masking.texts import strings
from dataops.snapshots.memory import Memory
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.rows import mask_rows

KEY = bytes(range(32))
ADAPTER: TypeAdapter[Any] = TypeAdapter(MaskingRule)
DAY = date(1940, 1, 1)

RULES: tuple[tuple[Any, Family, Callable[[int], str]], ...] = (
    ("hash", Family.TEXT, lambda n: f"value number {n}"),
    ("digits", Family.INTEGER, lambda n: str(n * 7919)),
    ("fpe", Family.TEXT, lambda n: f"QZ{n * 7919 % 10**7:07}"),
    ("name", Family.TEXT, lambda n: f"Ada Lovelace {n}"),
    ("company", Family.TEXT, lambda n: f"Lovelace {n}"),
    ("address", Family.TEXT, lambda n: f"{n} Analytical Way"),
    ("email", Family.TEXT, lambda n: f"ada.lovelace{n}@host{n % 50}.org"),
    ("phone", Family.TEXT, lambda n: f"+49 30 {n:08}"),
    ("card", Family.TEXT, lambda n: f"4000 {n // 10000:04} {n % 10000:04} 1234"),
    ("iban", Family.TEXT, lambda n: f"DE89 3704 0044 {n:08} 00"),
    ({"rule": "national_id", "kind": "us_ssn"}, Family.TEXT, lambda n: f"123-45-{n % 10000:04}"),
    ("uuid", Family.UUID, lambda n: str(uuid.UUID(int=n * 7919 << 64, version=4))),
    ({"rule": "date_shift", "days": 180}, Family.DATE, lambda n: f"{DAY + timedelta(n % 30000)} 12:{n % 60:02}:00"),
    ({"rule": "generalise", "to": "year"}, Family.DATE, lambda n: f"{DAY + timedelta(n % 30000)}"),
    ({"rule": "generalise", "prefix": 2}, Family.TEXT, lambda n: f"SW{n}A"),
    ("redact", Family.TEXT, lambda n: f"call ada{n}@x.org or +44 20 7946 {n:04} before noon"),
    ({"rule": "json", "paths": {"mail": "email", "n": "keep"}}, Family.JSON, 
     lambda n: f'{{"mail": "a{n}@x.org", "n": {n}}}'),
)  # fmt: skip
COLUMNS = ("name", "email", "phone", "fpe", {"rule": "date_shift", "days": 180}, "card")


def values_per_second(count: int = 50_000) -> dict[str, float]:
    """By rule, on distinct values; what a rule sets up at first is not counted."""
    found = {}
    for rule, family, make in RULES:
        masker = masker_for(ADAPTER.validate_python(rule), family, KEY)
        assert masker is not None
        values: Any = list(dict.fromkeys(map(make, range(count))))
        mask: Callable[[Any], Any] = masker.mask_all
        if isinstance(masker, VectorMasker):
            values, mask = strings(values), masker.masks
        mask(values)
        began = time.process_time()
        mask(values)
        found[describe(ADAPTER.validate_python(rule))] = len(values) / (time.process_time() - began)
    return found


def value_by_value(count: int = 20_000) -> float:
    """The peer: FF1 of ten digits with a call for each value."""
    values = [f"{number * 7919 % 10**10:010}" for number in range(count)]
    began = time.process_time()
    for value in values:
        ff1.encrypt(KEY.hex(), "", "0123456789", value)
    return count / (time.process_time() - began)


def rows_per_second(people: int, batches: int = 12, rows: int = 40_000) -> tuple[float, float]:
    """Megabytes of COPY text a second of one core, six columns masked: as a whole, and of the later batches."""
    by_rule = {describe(ADAPTER.validate_python(rule)): (family, make) for rule, family, make in RULES}
    memory, fields, makes = Memory(), [], []
    for index, rule in enumerate(COLUMNS):
        parsed = ADAPTER.validate_python(rule)
        family, make = by_rule[describe(parsed)]
        masker = masker_for(parsed, family, KEY)
        assert masker is not None
        fields.append(ColumnMasking(MaskedField(index, f"t.c{index}", describe(parsed), family, masker), memory))
        makes.append(make)
    rng = random.Random(1)
    chosen = [[rng.randrange(people) for _ in range(rows)] for _ in range(batches)]
    texts = ["".join("\t".join(make(n) for make in makes) + "\n" for n in batch).encode() for batch in chosen]
    for make, field in zip(makes, fields, strict=True):  # what rules set up at first
        field.apply(strings([make(people + 1)]))
    times = []
    for text in texts:
        began = time.process_time()
        mask_rows(text, len(fields), fields)
        times.append(time.process_time() - began)
    size, half = len(texts[0]) / 1e6, len(times) // 2
    return size * len(times) / sum(times), size * half / sum(times[half:])


def measure() -> None:
    """Prints all of it."""
    print("\nmasking, one core")
    peer = value_by_value()
    print(f"  FF1 of ten digits, a call for each value: {peer:,.0f} values/s")
    for rule, rate in values_per_second().items():
        print(f"  {rule:<60} {rate:>12,.0f} values/s")
    for people in (2_000, 20_000, 500_000):
        whole, later = rows_per_second(people)
        print(f"  six masked columns of {people:,} people: {whole:.1f} MB/s, later batches {later:.1f} MB/s")


if __name__ == "__main__":
    measure()
