"""The variables of an environment, for commands that run in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataops.envs.registry import EnvironmentRecord, State
from dataops.infra.errors import ConfigurationError, NotFoundError, VerificationError
from dataops.infra.process.environment import INHERITED, ROOT

PASSED = INHERITED + (
    *("COLORTERM", "COLUMNS", "LINES", "TERM_PROGRAM", "TERMINFO", "TERMINFO_DIRS", "TMUX", "ZDOTDIR", "SSH_TTY"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "LS_COLORS", "CI"),
    *("LANGUAGE", "LC_COLLATE", "LC_MESSAGES", "LC_MONETARY", "LC_NUMERIC", "LC_TIME"),
    *("EDITOR", "VISUAL", "PAGER", "MANPAGER", "LESS", "BROWSER"),
    *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_EDITOR", "GIT_PAGER"),
    *("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"),
    *("PYTHONBREAKPOINT", "PYTHONUNBUFFERED", "MPLBACKEND", "JAVA_HOME", "LD_LIBRARY_PATH"),
    # where packages come from, so that `pip install` finds in an environment what it finds outside
    *("PIP_CACHE_DIR", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"),
    *("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_DEFAULT_TIMEOUT", "PIP_DISABLE_PIP_VERSION_CHECK"),
    *("UV_CACHE_DIR", "UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_FIND_LINKS", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_OFFLINE", "UV_HTTP_TIMEOUT"),
    *("DATAOPS_HOME", "DATAOPS_DEBUG"),  # `dataops` itself must find the same home
)
"""The user's own variables that a command in an environment gets to see. A list of what is passed on, as for every
other process: `AWS_*`, `PG*`, the passphrase and whatever else a shell holds may lead to production; so may the keys
behind `SSH_AUTH_SOCK`, with which a pipeline could open a tunnel."""


def read_variables(record: EnvironmentRecord) -> dict[str, str]:
    """The environment's own variables. Must not be logged.

    Raises:
        NotFoundError: the environment has none (yet).
        ConfigurationError: it sleeps.
        VerificationError: they are damaged.
    """
    from dataops.infra.process import dotenv

    require_awake(record)
    path = Path(record.root) / "environment.env"
    if not path.is_file():
        raise NotFoundError(
            f"environment {record.name} has no variables yet",
            where=str(path),
            hint=f"it is {record.state.value}; finish it with `{again(record)}`",
        )
    try:
        return dotenv.variables_of(path, record.name)
    except VerificationError as error:
        error.hint = f"write them anew with `{again(record)}`"
        raise


def from_outside(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables as programs of this machine need them, where those of the environment run in containers."""
    from dataops.infra.process.ports import LOOPBACK
    from dataops.infra.process.postgres_container import WAREHOUSE
    from dataops.infra.process.s3_gateway import LAKE

    inside = re.compile(rf"(?<=@){WAREHOUSE}(?=:\d)|(?<=//){LAKE}(?=:\d)")
    found = {name: inside.sub(LOOPBACK, value) for name, value in variables.items()}
    return {**found, **({"PGHOST": LOOPBACK} if found.get("PGHOST") == WAREHOUSE else {})}


def command_variables(
    record: EnvironmentRecord, base: Mapping[str, str] | None = None, hidden: tuple[str, ...] = ()
) -> dict[str, str]:
    """The complete environment of a command: the harmless ones of the user's own, then the record's.

    Args:
        record: the environment.
        base: what to start from; by default those of this process that `PASSED` names.
        hidden: further names that are left out, such as the variable that holds the passphrase.
    """
    own = read_variables(record)
    given = {name: os.environ[name] for name in PASSED if name in os.environ} if base is None else dict(base)
    secret = {*hidden, record.passphrase.get("variable")}
    variables = {name: value for name, value in given.items() if name not in secret}
    variables.update(own)
    variables[ROOT] = record.root
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
    """The command that makes or completes an environment, or wakes it."""
    if record.state is State.SLEEPING:
        return f"dataops env wake {record.name}"
    if record.role == "replica":
        return f"dataops env up --branch {record.branch}"
    return f"dataops env deploy {record.name}"


def require_awake(record: EnvironmentRecord) -> None:
    """Refuses to work with an environment whose processes have been stopped.

    Raises:
        ConfigurationError: it sleeps; the hint is the command that wakes it.
    """
    if record.state is State.SLEEPING:
        raise ConfigurationError(f"environment {record.name} is sleeping", hint=again(record))


def connection_of(record: EnvironmentRecord) -> dict[str, Any]:
    """Host, port and database of the warehouse.

    Raises:
        NotFoundError: the environment has none (yet).
        ConfigurationError: it sleeps.
    """
    require_awake(record)
    warehouse = record.facts.get("warehouse") or {}
    if not warehouse.get("port"):
        raise NotFoundError(f"environment {record.name} has no warehouse yet", hint=f"finish it with `{again(record)}`")
    return {"host": warehouse["host"], "port": int(warehouse["port"]), "database": warehouse.get("database", "")}
