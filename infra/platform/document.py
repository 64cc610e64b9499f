"""A YAML document that remembers on which line each of its parts stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from ruamel.yaml.error import YAMLError

Location = tuple[str | int, ...]
"""A place in a document: mapping keys and list indexes from the root."""

MOST_REPEATED = 20_000
"""Values that aliases may stand for in all; aliases of aliases can stand for more than any memory holds."""


@dataclass(frozen=True, slots=True)
class Document:
    """Plain values and the line (from 1) of each place.

    Args:
        duplicates: the places of keys that are given twice.
        files: the files of places that do not stand in `path`.
    """

    path: Path
    value: Any
    lines: dict[Location, int] = field(repr=False)
    duplicates: tuple[Location, ...] = ()
    files: Mapping[Location, Path] = field(default_factory=dict, repr=False)

    def line(self, location: Location) -> int:
        """The line of a place, or of the nearest enclosing one that is written down."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def file(self, location: Location) -> Path:
        """The file in which the line of a place is."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.files.get(location, self.path)

    def where(self, location: Location) -> str:
        """A place as `file:line`."""
        return f"{self.file(location)}:{self.line(location)}"

    def has(self, location: Location) -> bool:
        """Whether the place exists in the document."""
        return location in self.lines


def read_document(path: Path) -> Document:
    """Parses one YAML file.

    Raises:
        ConfigurationError: the file cannot be read, is not UTF-8, or is not YAML; with file and line.
    """
    if not path.exists():
        raise ConfigurationError(
            "there is no such file", where=str(path), hint="write one with `dataops init`, or name another with -f"
        )
    return parse_document(path, read_text(path))


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        NotFoundError: there is no such file.
        ConfigurationError: it cannot be read, or is not UTF-8; with the line.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigurationError(
                "a folder stands where the file should" if path.is_dir() else "it is no regular file", where=str(path)
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError("there is no such file", where=str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError("the file is not UTF-8 text", where=f"{path}:{line}") from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None


def not_yaml(path: Path, error: YAMLError) -> ConfigurationError:
    """The error for text that ruamel cannot read, with its line where that is known."""
    from ruamel.yaml.reader import ReaderError

    if isinstance(error, ReaderError):
        what = f"the character U+{error.character:04X} may not stand in YAML"
        return ConfigurationError(what, where=str(path), hint="remove it")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = " ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", None)))) or "not readable"
    tab = "'\\t'" in said
    return ConfigurationError(
        "not valid YAML: a tab stands where spaces should" if tab else f"not valid YAML: {said}",
        where=f"{path}:{mark.line + 1 if mark else 1}",
        hint="indent and separate with spaces; YAML takes no tabs there" if tab else "correct that line",
    )


def parse_document(path: Path, text: str) -> Document:
    """Parses YAML text that stands in `path`; raises as `read_document`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        walk = _Walk(yaml.constructor)
        value = None if root is None else walk.visit(root, (), ())
    except YAMLError as error:
        raise not_yaml(path, error) from None
    except RecursionError:
        raise ConfigurationError("it is nested too deeply", where=str(path), hint="no key lies that deep") from None
    return Document(path, value, walk.lines or {(): 1}, tuple(walk.duplicates))


class _Walk:
    """Turns composed nodes into plain values and notes their lines."""

    def __init__(self, constructor: Any) -> None:
        self._constructor = constructor
        self._seen: set[Any] = set()
        self._repeated = 0
        self.lines: dict[Location, int] = {}
        self.duplicates: list[Location] = []

    def visit(self, node: Any, location: Location, above: tuple[int, ...]) -> Any:
        from ruamel.yaml.constructor import ConstructorError
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.lines.setdefault(location, node.start_mark.line + 1)
        self._repeated += node in self._seen
        self._seen.add(node)
        if self._repeated > MOST_REPEATED:
            said = f"aliases stand for more than {MOST_REPEATED} values"
            raise ConstructorError(None, None, said, node.start_mark)
        if id(node) in above:
            raise ConstructorError(None, None, "an alias refers to what it stands in", node.start_mark)
        above = (*above, id(node))
        if isinstance(node, SequenceNode):
            return [self.visit(item, (*location, i), above) for i, item in enumerate(node.value)]
        if not isinstance(node, MappingNode):
            return self._constructor.construct_object(node, deep=True)
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._constructor.construct_object(key_node, deep=True)
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise ConstructorError(None, None, "merge keys (`<<`) are not supported", key_node.start_mark)
            key = key if isinstance(key, (str, int)) and not isinstance(key, bool) else _as_written(key_node)
            place = (*location, key)
            if key in found:
                self.duplicates.append(place)
            self.lines[place] = key_node.start_mark.line + 1
            found[key] = self.visit(value_node, place, above)
        return found


def _as_written(node: Any) -> str:
    return node.value if isinstance(node.value, str) else "(a composite key)"
