"""Reads `dataops.yaml`, and `masking.yaml` beside it.

Everything that is wrong is reported at once, each with file, line, what was expected and the nearest known name: first
the shape of the file, and once that is right, whether what it refers to exists.
"""

from __future__ import annotations

from pathlib import Path

from dataops.infra.platform.document import Document, parse_document, read_document
from dataops.infra.platform.masking_file import joined, masking_file, with_masking_file
from dataops.infra.platform.model import Platform
from dataops.infra.platform.problems import PlatformError, Problem, duplicate_problems, shape_problems
from dataops.infra.platform.references import reference_problems

FILE_NAME = "dataops.yaml"


def load_platform(path: Path) -> Platform:
    """Reads and checks a platform file, or the `dataops.yaml` of a folder.

    Raises:
        ConfigurationError: the file is missing, is not YAML, or (as `PlatformError`, with every problem) is not valid.
    """
    return _checked(read_platform_document(path))


def read_platform_document(path: Path) -> Document:
    """The text of a platform file, or of the `dataops.yaml` of a folder, with the masking rules beside it.

    Raises:
        ConfigurationError: a file cannot be read, or is not YAML.
    """
    return with_masking_file(read_document(path / FILE_NAME if path.is_dir() else path))


def parse_platform(path: Path, text: str, masking: str | None = None) -> Platform:
    """Checks a platform file's text, of a commit that is not checked out, say.

    Args:
        path: for messages.
        text: the platform file.
        masking: the masking rules beside it, if there are any.
    """
    document = parse_document(path, text)
    return _checked(document if masking is None else joined(document, parse_document(masking_file(path), masking)))


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
