"""Masking rules in a file of their own: `masking.yaml` beside `dataops.yaml`, with the keys of its `masking`.

Both may hold rules. Column by column, `dataops.yaml` goes before `masking.yaml`, and both go before the classes that
data products give to their columns. The two become one document that knows in which file each of its parts stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataops.infra.platform.document import Document, Location, parse_document, read_text

FILE_NAME = "masking.yaml"
MASKING = "masking"
_BY_COLUMN = ("tables", "lake", "classified")


def masking_file(platform_file: Path) -> Path:
    """Where the masking rules beside a platform file would stand."""
    return platform_file.with_name(FILE_NAME)


def with_masking_file(document: Document) -> Document:
    """A platform file together with the masking rules beside it, if there are any.

    Raises:
        ConfigurationError: `masking.yaml` cannot be read, or is not YAML.
    """
    path = masking_file(document.path)
    return joined(document, parse_document(path, read_text(path))) if path.exists() else document


def joined(document: Document, rules: Document) -> Document:
    """A platform file and a file of masking rules as one document."""
    if not isinstance(document.value, dict) or rules.value is None:
        return document
    lines = dict(document.lines)
    files: dict[Location, Path] = {}
    join = _Join(rules, lines, files)
    own = document.value.get(MASKING)
    value = {**document.value, MASKING: join.level({} if own is None else own, rules.value, (MASKING,))}
    lines.setdefault((MASKING,), 1)
    if own is None:
        files[(MASKING,)] = rules.path
    duplicates = tuple((MASKING, *place) for place in rules.duplicates)
    for place in duplicates:
        lines[place], files[place] = rules.line(place[1:]), rules.path
    return Document(document.path, value, lines, (*document.duplicates, *duplicates), files)


class _Join:
    """Adds what the second file has and the first has not, and notes where that stands.

    Args:
        rules: the second file.
        lines, files: of the document in the making; by places in it.
    """

    def __init__(self, rules: Document, lines: dict[Location, int], files: dict[Location, Path]) -> None:
        self._rules, self._lines, self._files = rules, lines, files

    def level(self, own: Any, added: Any, place: Location) -> Any:
        """Two values of one place: mappings are joined, of others the first holds unless it alone could be one."""
        if not isinstance(added, dict):
            # it is wrong, which is told where it stands
            return self._take(added, place[1:], place)
        if not isinstance(own, dict):
            return own
        found = dict(own)
        for key, value in added.items():
            below = (*place, key)
            if key not in found or found[key] is None:
                found[key] = self._take(value, below[1:], below)
            elif len(place) == 1 and isinstance(found[key], dict):
                found[key] = self.level(found[key], value, below)
            elif len(place) == 2 and place[1] in _BY_COLUMN and isinstance(found[key], dict):
                found[key] = self._columns(found[key], value, below)
        return found

    def _columns(self, own: Mapping[str, Any], added: Any, place: Location) -> Any:
        """The rules of one table or object: each column has that of the first file, else that of the second."""
        if not isinstance(added, dict):
            return self._take(added, place[1:], place)
        found = dict(own)
        kept = [*own["keep"]] if isinstance(own.get("keep"), list) else []
        for key, value in added.items():
            below = (*place, key)
            if key == "keep" and isinstance(value, list):
                for index, column in enumerate(value):
                    if column not in own and column not in kept[: len(own.get("keep") or ())]:
                        self._note((*below[1:], index), (*below, len(kept)))
                        kept.append(column)
            elif key not in found and (key in ("keep", "like") or key not in kept):
                found[key] = self._take(value, below[1:], below)
        if kept:
            found["keep"] = kept
        return found

    def _take(self, value: Any, source: Location, place: Location) -> Any:
        """A value of the second file with everything below it."""
        self._note(source, place)
        if isinstance(value, dict):
            return {key: self._take(below, (*source, key), (*place, key)) for key, below in value.items()}
        if isinstance(value, list):
            return [self._take(below, (*source, i), (*place, i)) for i, below in enumerate(value)]
        return value

    def _note(self, source: Location, place: Location) -> None:
        self._lines[place] = self._rules.line(source)
        self._files[place] = self._rules.path
