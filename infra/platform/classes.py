"""Classes of data that a column can hold, and the rule that each means unless `masking.classes` says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from dataops.infra.platform.masking_rules import (
    Address,
    Card,
    Company,
    DateShift,
    Digits,
    Email,
    Generalise,
    Hash,
    Iban,
    Keep,
    NationalId,
    Null,
    PersonName,
    Phone,
    Redact,
    Rule,
    Uuid,
)


@cache
def built_in() -> Mapping[str, Rule]:
    """The rules by class; made when they are asked for, since most commands never do."""
    return {
        "address": Address(rule="address"),
        "card": Card(rule="card"),
        "city": Address(rule="address", part="city"),
        "company": Company(rule="company"),
        "date_of_birth": DateShift(rule="date_shift", days=180),
        "email": Email(rule="email"),
        "first_name": PersonName(rule="name", part="first"),
        "free_text": Redact(rule="redact"),
        "iban": Iban(rule="iban"),
        "identifier": Digits(rule="digits"),
        "last_name": PersonName(rule="name", part="last"),
        "person_name": PersonName(rule="name"),
        "phone": Phone(rule="phone"),
        "postcode": Generalise(rule="generalise", prefix=2),
        "public": Keep(rule="keep"),
        "secret": Null(rule="null"),
        "street": Address(rule="address", part="street"),
        "token": Hash(rule="hash"),
        "us_ssn": NationalId(rule="national_id", kind="us_ssn"),
        "uuid": Uuid(rule="uuid"),
    }
