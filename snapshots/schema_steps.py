"""The part of a schema that follows the rows, in steps: what `pg_dump` wrote one after the other but may run at once.

Indexes take most of the time of a restore that rows do not take, and each is built by a session of its own. Whoever
adds a key locks its table alone, so that keys of one table stay together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

_BEGIN = re.compile(rb"(?:\n\n|\A)(?=--\n-- Name: )")
_END = b"\n\n--\n-- PostgreSQL database dump complete\n"
_NOTE = rb"--\n-- Name: [^\n]*\n--\n\n"
_NAME = rb'(?P<table>(?:"(?:[^"]|"")+"|[^\s"]+)+)'
_MORE = rb"(?:ALTER TABLE [^;]* (?:CLUSTER ON|REPLICA IDENTITY) [^;]*;\s*)*"
_KEY = re.compile(
    _NOTE + rb"ALTER TABLE ONLY " + _NAME + rb"\n    ADD CONSTRAINT [^;]* (?:PRIMARY KEY|UNIQUE) [^;]*;\s*" + _MORE
)
_INDEX = re.compile(_NOTE + rb"CREATE (?:UNIQUE )?INDEX [^;]* ON (?:ONLY )?" + _NAME + rb" USING [^;]*;\s*" + _MORE)


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """Scripts that may run at once, after those of the step before; each can be run by a session of its own."""

    scripts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object of the script: what kind it is (`key`, `index` or nothing), and of which table."""

    text: bytes
    kind: str = ""
    table: bytes = b""


def schema_steps(script: bytes, sizes: Mapping[str, int]) -> tuple[SchemaStep, ...]:
    """A script of `pg_dump` in steps; what is not known for sure to be independent stays in its order, by itself.

    Args:
        script: the section *post-data*.
        sizes: bytes of the tables, by name with schema: the largest ones come first.
    """
    head, *texts = _BEGIN.split(script.partition(_END)[0])
    # where a quotation is open, what looks like an object stands within a text
    if any(text.count(b"'") % 2 or text.count(b'"') % 2 or b"$" in text for text in (head, *texts)):
        return (SchemaStep((script,)),)
    steps = []
    for kind, run in groupby(map(_entry, texts), key=lambda entry: entry.kind):
        entries = list(run)
        scripts = _apart(entries, kind, sizes) if kind else [b"\n\n".join(entry.text for entry in entries)]
        steps.append(SchemaStep(tuple(head + b"\n\n" + text + b"\n" for text in scripts)))
    return tuple(steps)


def _entry(text: bytes) -> _Entry:
    for kind, form in (("key", _KEY), ("index", _INDEX)):
        if found := form.fullmatch(text):
            return _Entry(text, kind, found["table"])
    return _Entry(text)


def _apart(entries: Iterable[_Entry], kind: str, sizes: Mapping[str, int]) -> list[bytes]:
    """The texts of entries that need not wait for each other."""

    def size(table: bytes) -> int:
        return sizes.get(table.decode().replace('"', ""), 0)

    ordered = sorted(entries, key=lambda entry: (-size(entry.table), entry.table))  # stable: those of a table stay so
    if kind == "index":
        return [entry.text for entry in ordered]
    return [b"\n\n".join(entry.text for entry in own) for _, own in groupby(ordered, key=lambda entry: entry.table)]
