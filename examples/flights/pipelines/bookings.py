"""Made-up people and their bookings: the personal data of this sample.

Nobody is real: names are drawn from a dictionary that Faker made once, everything else from one seed, so that every
run on every machine makes the same rows.
"""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

SEED = 20130101
PASSENGERS = 60_000
BOOKINGS = 200_000
FLIGHT_KEY = ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
REFERENCE = "0123456789" + LETTERS
MAILBOXES = ("example.com", "example.net", "example.org")
NOTES = ("Vegetarian meal", "Wheelchair to the gate", "Travels with an infant", "Please call before any change")
BIRTH = date(1930, 1, 1)
BOOKED = datetime(2012, 10, 1)


def make_passengers(count: int = PASSENGERS) -> pa.Table:
    """People with a name, an e-mail address, a telephone number, a date of birth and a passport number."""
    draw = random.Random(SEED)
    names = json.loads((Path(__file__).parent / "dictionaries" / "names.json").read_text(encoding="utf-8"))
    first, last = draw.choices(names["first"], k=count), draw.choices(names["last"], k=count)
    mailboxes = draw.choices(MAILBOXES, k=count)
    areas, lines = draw.choices(range(201, 990), k=count), draw.choices(range(2_000_000, 10_000_000), k=count)
    letters, numbers = draw.choices(LETTERS, k=count), draw.sample(range(10**8), count)
    days = draw.choices(range((date(2010, 12, 31) - BIRTH).days), k=count)
    ids = range(1, count + 1)
    return pa.table(
        {
            "passenger_id": pa.array(ids, pa.int32()),
            "name": [f"{given} {family}" for given, family in zip(first, last, strict=True)],
            "email": [
                f"{given}.{family}{id_}@{mailbox}".replace("'", "").lower()
                for given, family, id_, mailbox in zip(first, last, ids, mailboxes, strict=True)
            ],
            "phone": [f"+1 ({a}) {n // 10_000:03d}-{n % 10_000:04d}" for a, n in zip(areas, lines, strict=True)],
            "date_of_birth": pa.array([BIRTH + timedelta(days=n) for n in days], pa.date32()),
            "passport_number": [f"{letter}{number:08d}" for letter, number in zip(letters, numbers, strict=True)],
        }
    )


def make_bookings(flights: pa.Table, passengers: int, count: int = BOOKINGS) -> pa.Table:
    """Bookings of random people on random flights, each with a reference that no other has."""
    draw = random.Random(SEED + 1)
    flown = flights.select(list(FLIGHT_KEY)).take(pa.array(draw.choices(range(flights.num_rows), k=count), pa.int64()))
    codes = draw.sample(range(36**6), count)
    rows, places = draw.choices(range(1, 41), k=count), draw.choices("ABCDEF", k=count)
    cents = draw.choices(range(4_900, 89_900), k=count)
    minutes = draw.choices(range(365 * 24 * 60), k=count)
    notes = draw.choices((None,) * 46 + NOTES, k=count)
    columns = {
        "booking_id": pa.array(range(1, count + 1), pa.int32()),
        "reference": [_reference(code) for code in codes],
        "passenger_id": pa.array(draw.choices(range(1, passengers + 1), k=count), pa.int32()),
        **{name: flown[name] for name in FLIGHT_KEY},
        "seat": [f"{row}{place}" for row, place in zip(rows, places, strict=True)],
        "price_cents": pa.array(cents, pa.int32()),
        "booked_at": pa.array([BOOKED + timedelta(minutes=n) for n in minutes], pa.timestamp("s")),
        "note": pa.array(notes, pa.string()),
    }
    return pa.table(columns)


def _reference(code: int) -> str:
    found = ""
    for _ in range(6):
        code, digit = divmod(code, 36)
        found = REFERENCE[digit] + found
    return found
