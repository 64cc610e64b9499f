"""Environment files: `NAME=value` lines that shells, dotenv libraries and our launcher all read alike.

Simple values stand bare, others in single quotes, which nothing interprets. Only a value that holds a single quote, a
backslash or a line break is put in double quotes with escapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dataops.infra.errors import VerificationError
from dataops.infra.process import launch

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def format_variables(variables: Mapping[str, str]) -> str:
    """The text of an environment file, names in order.

    Raises:
        ValueError: a name cannot name a variable, or a value holds a NUL.
    """
    return "".join(f"{_checked(name)}={_quote(variables[name])}\n" for name in sorted(variables))


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a variable")
    return name


def _quote(value: str) -> str:
    if "\0" in value:
        raise ValueError("the value of a variable cannot hold a NUL")
    if _BARE.fullmatch(value):
        return value
    if not any(character in value for character in "'\\\n\r"):
        return f"'{value}'"
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'


def read_variables(path: Path) -> dict[str, str]:
    """The variables of an environment file that `format_variables` wrote."""
    return launch.read_variables(str(path))


def variables_of(path: Path, environment: str) -> dict[str, str]:
    """The variables of an environment, all of them: what keeps a replica from production is among them.

    Raises:
        FileNotFoundError: there is no such file.
        VerificationError: it was cut off or written over.
    """
    try:
        found = read_variables(path)
    except ValueError:
        found = {}
    if found.get("DATAOPS_ENVIRONMENT") != environment:
        raise VerificationError(f"the variables of environment {environment} are damaged", where=str(path))
    return found
