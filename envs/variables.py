"""The variables of an environment, for commands that run in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import NotFoundError

FOREIGN = ("PG", "PYTHON", "DATAOPS_", "PULUMI_", "WAREHOUSE_", "LAKE_", "VIRTUAL_ENV", "GIT_")
"""Beginnings of variable names that would lead a command out of the environment, or to the passphrase."""

KEPT = frozenset({"DATAOPS_HOME", "DATAOPS_DEBUG"})
"""Variables that are let through all the same: `dataops` itself must find the same home."""


def read_variables(record: EnvironmentRecord) -> dict[str, str]:
    """The environment's own variables. Must not be logged.

    Raises:
        NotFoundError: the environment has none (yet).
    """
    from dataops.infra.process import dotenv

    path = Path(record.root) / "environment.env"
    if not path.is_file():
        raise NotFoundError(
            f"environment {record.name} has no variables yet",
            where=str(path),
            hint=f"it is {record.state.value}; finish it with `{again(record)}`",
        )
    return dotenv.read_variables(path)


def command_variables(
    record: EnvironmentRecord, base: Mapping[str, str] | None = None, hidden: tuple[str, ...] = ()
) -> dict[str, str]:
    """The complete environment of a command: the user's own, without what would lead it astray, then the record's.

    Args:
        record: the environment.
        base: what to start from; by default the variables of this process.
        hidden: further names that are left out, such as the variable that holds the passphrase.
    """
    own = read_variables(record)
    variables = {
        name: value
        for name, value in (os.environ if base is None else base).items()
        if (name in KEPT or not name.startswith(FOREIGN))
        and name not in hidden
        and name != record.passphrase.get("variable")
    }
    variables.update(own)
    if venv := record.facts.get("venv"):
        variables["VIRTUAL_ENV"] = str(venv)
        variables["PATH"] = os.pathsep.join([str(Path(venv) / "bin"), variables.get("PATH", os.defpath)])
    return variables


def working_directory(record: EnvironmentRecord) -> Path:
    """The platform's folder in the environment's worktree.

    Raises:
        NotFoundError: it is not there (any more).
    """
    directory = Path(str(record.facts.get("directory", "")))
    if not record.facts.get("directory") or not directory.is_dir():
        raise NotFoundError(
            f"the code of environment {record.name} is not there",
            where=str(directory),
            hint=f"bring it back with `{again(record)}`",
        )
    return directory


def again(record: EnvironmentRecord) -> str:
    """The command that makes or completes an environment."""
    if record.role == "replica":
        return f"dataops env up --branch {record.branch}"
    return f"dataops env deploy {record.name}"


def connection_of(record: EnvironmentRecord) -> dict[str, Any]:
    """Host, port and database of the warehouse.

    Raises:
        NotFoundError: the environment has none (yet).
    """
    warehouse = record.facts.get("warehouse") or {}
    if not warehouse.get("port"):
        raise NotFoundError(f"environment {record.name} has no warehouse yet", hint=f"finish it with `{again(record)}`")
    return {"host": warehouse["host"], "port": int(warehouse["port"]), "database": warehouse.get("database", "")}
