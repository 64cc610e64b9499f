"""Where settings are looked for: the variables of this process, the platform file above a folder, git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataops.infra.platform.document import Document

FILE_NAME = "dataops.yaml"
GIT_PREFIX = "dataops."


@dataclass(frozen=True)
class Surroundings:
    """What surrounds a command; each source is read when it is first asked, and once.

    Args:
        start: the folder the command works in.
        environment: variables.
    """

    start: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def file(self) -> Path | None:
        """The nearest `dataops.yaml`, from `start` up to the top of the work tree."""
        start = self.start.absolute()
        for folder in (start, *start.parents):
            if (folder / FILE_NAME).is_file():
                return folder / FILE_NAME
            if (folder / ".git").exists():
                break
        return None

    @cached_property
    def document(self) -> Document | None:
        """The platform file with its lines, whether or not it is valid.

        Raises:
            ConfigurationError: it cannot be read or is not YAML.
        """
        from dataops.infra.platform.document import read_document

        return read_document(self.file) if self.file else None

    def in_file(self, location: tuple[str, ...]) -> tuple[Any, str] | None:
        """A value of the platform file and its `file:line`; None where it is not given."""
        if not location or self.file is None or not self._mentions(location[0]):
            return None
        value: Any = self.document.value if self.document else None
        for part in location:
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        line = self.document.line(location) if self.document else 1
        return (value, f"{self.file}:{line}") if value is not None else None

    def in_git(self, key: str) -> tuple[str, str] | None:
        """A value of git's configuration and the file that gives it; None where there is none."""
        return self._git_configuration.get(key.lower())

    @cached_property
    def branch(self) -> str:
        """The branch that is checked out; "" where there is none."""
        return self._git("symbolic-ref", "--quiet", "--short", "HEAD").strip()

    @cached_property
    def top(self) -> str:
        """The top of the work tree; "" outside of git."""
        return self._git("rev-parse", "--show-toplevel").rstrip("\n")

    @cached_property
    def _git_configuration(self) -> dict[str, tuple[str, str]]:
        words = ("config", "--show-origin", "--null", "--get-regexp", rf"^{re.escape(GIT_PREFIX)}")
        origin, found = "", {}
        for index, part in enumerate(self._git(*words).split("\0")[:-1]):
            if index % 2 == 0:
                origin = part.removeprefix("file:")
            else:
                key, _, value = part.partition("\n")
                found[key.removeprefix(GIT_PREFIX)] = (value, origin)
        return found

    def _mentions(self, key: str) -> bool:
        """Whether the file names a top-level key: most do not, and need not be parsed for it."""
        try:
            text = self.file.read_text(encoding="utf-8") if self.file else ""
        except (OSError, UnicodeDecodeError):
            return True
        return re.search(rf"""^["']?{re.escape(key)}["']?\s*:""", text, re.MULTILINE) is not None or text.startswith(
            "{"
        )

    def _git(self, *words: str) -> str:
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=self.start,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=10,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""
