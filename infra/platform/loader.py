"""Reads `dataops.yaml`.

Everything that is wrong is reported at once, each with file, line, what was expected and the nearest known name: first
the shape of the file, and once that is right, whether what it refers to exists.
"""

from __future__ import annotations

from pathlib import Path

from dataops.infra.platform.document import Document, parse_document, read_document
from dataops.infra.platform.model import Platform
from dataops.infra.platform.problems import PlatformError, Problem, duplicate_problems, shape_problems
from dataops.infra.platform.references import reference_problems

FILE_NAME = "dataops.yaml"


def load_platform(path: Path) -> Platform:
    """Reads and checks a platform file, or the `dataops.yaml` of a folder.

    Raises:
        ConfigurationError: the file is missing, is not YAML, or (as `PlatformError`, with every problem) is not valid.
    """
    path = path / FILE_NAME if path.is_dir() else path
    return _checked(read_document(path))


def parse_platform(path: Path, text: str) -> Platform:
    """Checks a platform file's text, of a commit that is not checked out, say; `path` is for messages."""
    return _checked(parse_document(path, text))


def _checked(document: Document) -> Platform:
    from pydantic import ValidationError

    if not isinstance(document.value, dict):
        raise PlatformError(
            document.path, [Problem(1, "", "expected a mapping of keys to values", "write one with `dataops init`")]
        )
    duplicates = duplicate_problems(document)
    try:
        platform = Platform.model_validate(document.value)
    except ValidationError as error:
        from dataops.infra.platform.schema import platform_schema

        details = error.errors(include_url=False)
        problems = shape_problems(document, details, platform_schema())
        raise PlatformError(document.path, duplicates + problems) from None
    if problems := duplicates + reference_problems(platform, document):
        raise PlatformError(document.path, problems)
    return platform
