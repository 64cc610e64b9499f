"""The kinds of text that `dataops.yaml` is made of, each with its own pattern and description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from dataops.infra.platform.quantities import DURATION, SIZE, seconds_of

NAME = r"^[a-z][a-z0-9_-]{0,39}$"
SQL_NAME = r"^[a-z_][a-z0-9_]{0,62}$"
TABLE = r"^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
DATASET = r"^(warehouse:[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*|lake:[A-Za-z0-9_][A-Za-z0-9_.=/-]*)$"
OBJECT = r"^[A-Za-z0-9_][A-Za-z0-9_.=/-]*$"
OBJECTS = r"^[A-Za-z0-9_][A-Za-z0-9_.=/*-]*$"
PARAMETER = r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
IMAGE = (
    rf"^(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$"
)
REPOSITORY = r"^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$"
HOST_PATH = r"^(~/|/).+$"
MEMBER = r"^(person|team):[a-z_][a-z0-9_-]{0,62}$"

RESERVED_ROLES = frozenset({"postgres", "warehouse_owner", "pipeline", "developer", "public"})
"""Database roles that dataops itself declares."""

RESERVED_VARIABLES = frozenset(
    {
        "WAREHOUSE_URL",
        "LAKE_URL",
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
        "DATAOPS_ENVIRONMENT",
        "DATAOPS_ROLE",
        "DATAOPS_STEP_REPORT",
        "DATAOPS_RUN_ID",
        "DATAOPS_ATTEMPT",
        "DATAOPS_FULL_REFRESH",
        "DATAOPS_DUE",
    }
)
"""Variables that dataops itself sets in every environment."""

MANAGED_SETTINGS = frozenset(
    {
        "port",
        "listen_addresses",
        "unix_socket_directories",
        "unix_socket_group",
        "unix_socket_permissions",
        "data_directory",
        "config_file",
        "hba_file",
        "ident_file",
        "external_pid_file",
    }
)
"""Settings of Postgres that dataops itself writes for every server: where it lies, listens and whom it lets in."""


def _within(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "" in parts:
        raise PydanticCustomError("relative_path", "expected a path inside the repository, such as `requirements.txt`")
    return path


_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$")


def _cron(text: str) -> str:
    fields = text.split()
    if len(fields) != len(_CRON_RANGES):
        raise PydanticCustomError("cron", "expected five fields: minute, hour, day of month, month, day of week")
    for value, (low, high) in zip(fields, _CRON_RANGES, strict=True):
        for part in value.split(","):
            match = _CRON_PART.match(part)
            numbers = [int(n) for n in match.groups()[:2] if n] if match else [-1]
            endless = match is not None and match.group(3) is not None and int(match.group(3)) == 0
            if endless or any(not low <= n <= high for n in numbers) or numbers != sorted(numbers):
                raise PydanticCustomError(
                    "cron",
                    "`{part}` is not a cron field between {low} and {high}",
                    {"part": part, "low": low, "high": high},
                )
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(text, datetime(2024, 1, 1)))
    except (CronSimError, StopIteration):
        raise PydanticCustomError("cron", "no day is ever like that: the schedule would never be due") from None
    return text


def _duration(text: object) -> object:
    if not isinstance(text, str) or not re.fullmatch(DURATION, text) or seconds_of(text) <= 0:
        raise PydanticCustomError("duration", "expected a duration such as `90s` or `1h30m`")
    return text


def _size(text: object) -> object:
    if not isinstance(text, str) or not re.fullmatch(SIZE, text):
        raise PydanticCustomError("size", "expected a size such as `512MiB` or `2GB`")
    return text


def _timezone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if known := available_timezones():
            near = get_close_matches(name, known, n=1, cutoff=0.7)
            example = f"; did you mean `{near[0]}`?" if near else " such as `UTC` or `Europe/Berlin`"
            raise PydanticCustomError("timezone", "expected a time zone{example}", {"example": example}) from None
    return name


def _backend(place: str) -> str:
    scheme, separator, _ = place.partition("://")
    if separator and scheme not in ("file", "s3"):
        raise PydanticCustomError("backend", "expected a folder, `file:///path` or `s3://bucket/prefix?region=…`")
    return place


Name = Annotated[str, StringConstraints(pattern=NAME)]
SqlName = Annotated[str, StringConstraints(pattern=SQL_NAME)]
Table = Annotated[str, StringConstraints(pattern=TABLE)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
DatasetName = Annotated[str, StringConstraints(pattern=DATASET)]
ObjectName = Annotated[str, StringConstraints(pattern=OBJECT), AfterValidator(_within)]
ObjectPattern = Annotated[str, StringConstraints(pattern=OBJECTS), AfterValidator(_within)]
ParameterKey = Annotated[str, StringConstraints(pattern=PARAMETER)]
Member = Annotated[str, StringConstraints(pattern=MEMBER)]
RelativePath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_within)]
Cron = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Duration = Annotated[str, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION})]
Size = Annotated[str, BeforeValidator(_size), WithJsonSchema({"type": "string", "pattern": SIZE})]
Text = Annotated[str, Field(min_length=1)]
ImageName = Annotated[str, StringConstraints(pattern=IMAGE)]
HostPath = Annotated[str, StringConstraints(pattern=HOST_PATH)]
BackendUrl = Annotated[str, Field(min_length=1), AfterValidator(_backend)]
Command = Annotated[tuple[Text, ...], Field(min_length=1)]

EXPECTED = {
    NAME: "a name of lower-case letters, digits, `-` and `_` that starts with a letter, at most 40 long",
    SQL_NAME: "a database name of lower-case letters, digits and `_`, at most 63 long",
    TABLE: "a table as `schema.table` in lower case",
    VARIABLE: "the name of an environment variable",
    DATASET: "a dataset as `warehouse:schema.table` or `lake:path/to/object`",
    OBJECT: "the path of an object in the lake, such as `raw/flights.parquet`",
    OBJECTS: "a path in the lake, such as `raw/flights.parquet` or `marts/*`",
    PARAMETER: "a key of letters, digits, `_`, `-` and `.` that starts with a letter",
    IMAGE: "the name of an image, such as `registry.example.com/team/dbt:1.9`",
    REPOSITORY: "a repository with its registry, such as `registry.example.com/team/flights`",
    HOST_PATH: "a path of the machine that begins with `/` or `~/`",
    MEMBER: "a member as `person:name` or `team:name`",
}
"""What each pattern stands for, in the words of an error message."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table of the warehouse (`name` is `schema.table`) or an object of the lake (`name` is its path)."""

    store: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Dataset:
        """Takes apart `warehouse:schema.table` or `lake:path`; the model has checked the form."""
        store, _, name = text.partition(":")
        return cls(store, name)

    def __str__(self) -> str:
        return f"{self.store}:{self.name}"
