"""The passphrase that encrypts secrets in the state: found where `dataops.yaml` says, never written anywhere else."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops.infra.errors import AuthenticationError

DEFAULT_FILE = Path(".dataops") / "passphrase"


@dataclass(frozen=True, slots=True)
class FoundPassphrase:
    """A passphrase and, when it was made just now, the file it was written to."""

    text: str = field(repr=False)
    made: Path | None = None


def find_passphrase(source: Mapping[str, Any], may_make: bool = False) -> FoundPassphrase:
    """Finds the passphrase.

    Args:
        source: `{"file": path}`, `{"variable": name}` or `{"command": [..], "directory": path}`, as records have it.
        may_make: makes one, readable by its owner alone, when the file of the default name does not exist.

    Raises:
        AuthenticationError: there is none to be had.
    """
    if "variable" in source:
        return FoundPassphrase(_from_variable(str(source["variable"])))
    if "command" in source:
        return FoundPassphrase(_from_command([str(word) for word in source["command"]], source.get("directory")))
    path = Path(str(source["file"]))
    if may_make and not path.exists() and path.parts[-2:] == DEFAULT_FILE.parts:
        return FoundPassphrase(_make(path), path)
    try:
        text = path.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError:
        raise AuthenticationError(
            "the file of the passphrase does not exist",
            where=str(path),
            hint="put back the file that the environments were made with; `passphrase` in dataops.yaml names it",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AuthenticationError(f"the passphrase cannot be read: {error}", where=str(path)) from None
    if not text:
        raise AuthenticationError("the file of the passphrase is empty", where=str(path))
    return FoundPassphrase(text)


def keep_out_of_git(folder: Path) -> None:
    """Makes the folder of local files and lets git ignore all of it, whatever the repository's own rules say."""
    if not (folder / ".gitignore").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _from_variable(name: str) -> str:
    if text := os.environ.get(name):
        return text
    raise AuthenticationError(
        f"the variable {name}, which holds the passphrase, is not set",
        hint=f"export {name}=…, or let `passphrase` in dataops.yaml name another source",
    )


def _from_command(command: list[str], directory: str | None) -> str:
    where = directory if directory and Path(directory).is_dir() else None
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise AuthenticationError(
            f"the command that prints the passphrase cannot be started: {error.strerror}", where=command[0]
        ) from None
    text = done.stdout.strip("\r\n")
    if done.returncode != 0 or not text:
        raise AuthenticationError(
            f"the command that prints the passphrase exited with {done.returncode} and printed "
            f"{'something' if text else 'nothing'}",
            where=command[0],
            details=done.stderr.strip() or None,
        )
    return text


def _make(path: Path) -> str:
    if path.parent.name == DEFAULT_FILE.parts[0]:
        keep_out_of_git(path.parent)
    text = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip("\r\n")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return text
