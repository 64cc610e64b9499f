"""What is wrong with a `dataops.yaml`, said so that it can be mended: place, expectation, nearest known key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.document import Document, Location
from dataops.infra.platform.names import EXPECTED

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong.

    Args:
        line: in the file, from 1.
        location: the place in words, as `pipelines.flights.steps[0].run`; "" for the whole file.
        what: what is wrong with it.
        hint: what to write instead, where that is known.
        file: the file, where it is not the platform file itself.
    """

    line: int
    location: str
    what: str
    hint: str = ""
    file: str = ""

    def __str__(self) -> str:
        text = f"{self.location}: {self.what}" if self.location else self.what
        return f"{text} ({self.hint})" if self.hint else text


class PlatformError(ConfigurationError):
    """A `dataops.yaml` that is not valid; `problems` has everything that was found, in the order of the file."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(set(problems), key=lambda problem: (problem.file, problem)))
        first, *others = self.problems
        super().__init__(
            f"{first.location}: {first.what}" if first.location else first.what,
            where=f"{first.file or path}:{first.line}",
            hint=first.hint or None,
            details="\n".join(f"{p.file or path}:{p.line}: {p}" for p in others) or None,
        )


def dotted(location: Location) -> str:
    """A place in words: `steps[0].run`; keys that are not plain words are quoted."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def nearest(word: str, known: Iterable[str], kind: str = "") -> str:
    """A hint that names the known word nearest to `word`, or all of them when none is near and they are few."""
    candidates = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in candidates}
    if close := get_close_matches(word.lower(), lowered, n=1, cutoff=0.6):
        return f"did you mean `{lowered[close[0]]}`?"
    prefix = f"{kind} " if kind else ""
    return f"known {prefix}are {', '.join(candidates)}" if 0 < len(candidates) <= 14 else ""


def duplicate_problems(document: Document) -> list[Problem]:
    """Keys that stand twice in one mapping; YAML parsers otherwise drop the first silently."""
    return [problem_at(document, place, "the key is given twice") for place in document.duplicates]


def problem_at(document: Document, place: Location, what: str, hint: str = "") -> Problem:
    """What is wrong at a place of a document."""
    return in_its_file(document, place, Problem(document.line(place), dotted(place), what, hint))


def in_its_file(document: Document, place: Location, problem: Problem) -> Problem:
    """A problem with the file that its place stands in, if that is not the document's own."""
    file = document.file(place)
    if file == document.path:
        return problem
    head, _, rest = problem.location.partition(".")  # the file holds what is below this key
    return replace(problem, location=rest if head == "masking" else problem.location, file=str(file))


def shape_problems(document: Document, errors: Iterable[Any], schema: dict[str, Any]) -> list[Problem]:
    """The problems behind pydantic's error details; `schema` is the JSON Schema, for the keys known at a place."""
    found = [*errors]
    # a list whose every item is wrong counts as empty for pydantic
    below = {tuple(error["loc"][:-1]) for error in found if error["loc"] and isinstance(error["loc"][-1], int)}
    real = [error for error in found if not (error["type"] == "too_short" and tuple(error["loc"]) in below)]
    return [
        in_its_file(document, _in_document(document, error["loc"]), _explain(document, error, schema)) for error in real
    ]


def _explain(document: Document, error: Any, schema: dict[str, Any]) -> Problem:
    kind, context = error["type"], error.get("ctx", {})
    location = _in_document(document, error["loc"])
    line, given = document.line(location), error["input"]
    if kind == "missing":
        key = str(error["loc"][-1])
        return Problem(line, dotted(location), f"the key `{key}` is missing", f"add `{key}:`")
    if kind == "extra_forbidden":
        key = str(location[-1])
        hint = nearest(key, known_keys(schema, location[:-1], document.value), "keys here")
        return Problem(line, dotted(location[:-1]), f"unknown key `{key}`", hint)
    if error["loc"] and error["loc"][-1] == "[key]":
        expected = EXPECTED.get(context.get("pattern", ""), "another form")
        return Problem(line, dotted(location[:-1]), f"the key `{location[-1]}` is not valid: expected {expected}")
    place = dotted(location)
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        expected = EXPECTED.get(pattern, "a path that begins with `/`" if pattern == "^/" else f"a match of {pattern}")
        return Problem(line, place, f"expected {expected}, got `{given}`")
    if kind == "literal_error":
        words = str(context["expected"]).replace("'", "`")
        choices = [word for word in words.split("`") if word.strip(" ,or")]
        return Problem(line, place, f"expected {words}, got {_shown(given)}", nearest(str(given), choices, "values"))
    if kind == "unknown_rule":
        from dataops.infra.platform.masking import rule_names

        near = nearest(str(given), rule_names(), "rules") or "or install the package that brings it"
        return Problem(
            line, dotted(location[:-1] if location[-1:] == ("rule",) else location), f"unknown rule `{given}`", near
        )
    if kind == "union_tag_not_found" or (
        kind.startswith("model_") and location[:1] == ("masking",) and len(location) == 4
    ):
        return Problem(line, place, f"expected a masking rule, got {_shown(given)}", "write `keep` or `{rule: NAME}`")
    if kind in {"too_short", "string_too_short"}:
        return Problem(line, place, "must not be empty")
    if kind in {"greater_than_equal", "less_than_equal"}:
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return Problem(line, place, f"expected a number of {bound}, got {_shown(given)}")
    if kind in _KINDS:
        return Problem(line, place, f"expected {_KINDS[kind]}, got {_shown(given)}", _written(kind, location, given))
    return Problem(line, place, str(error["msg"]))


def _written(kind: str, location: Location, given: Any) -> str:
    """How a value of the wrong kind is written instead, where that can be told."""
    if kind in ("tuple_type", "list_type") and isinstance(given, str) and given:
        whole = len(location) > 1 and location[-1] in ("run", "command")  # words of which each is an argument
        return f"write it as a list: [{', '.join(given.split() if whole else [given])}]"
    if kind != "string_type" or given is None or isinstance(given, (dict, list)):
        return ""
    if location[-1:] == ("port",):
        return "write the name of the variable that tells the service its port, such as `PORT`; dataops finds the port"
    return "quote it, to make it text"


def _shown(value: Any) -> str:
    """What was given, in words; texts and collections are not repeated, since a secret may have strayed in."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text `{value}`" if len(value) <= 30 and value.isidentifier() else "text"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"


def _in_document(document: Document, loc: Iterable[str | int]) -> Location:
    """Pydantic's location without the parts that are not in the file: union tags, `[key]`, a missing key."""
    place: Location = ()
    for part in loc:
        if document.has((*place, part)):
            place = (*place, part)
    return place


def known_keys(schema: dict[str, Any], location: Location, value: Any) -> set[str]:
    """The keys that the JSON Schema allows at a place; masking rules are told apart by their `rule`."""
    candidates = _expanded(schema, schema, value)
    for part in location:
        value = value[part]
        below: list[dict[str, Any]] = []
        for candidate in candidates:
            if isinstance(part, int):
                below += [candidate["items"]] if isinstance(candidate.get("items"), dict) else []
            elif part in candidate.get("properties", {}):
                below.append(candidate["properties"][part])
            elif isinstance(candidate.get("additionalProperties"), dict):
                below.append(candidate["additionalProperties"])
            else:
                below += list(candidate.get("patternProperties", {}).values())
        candidates = [found for child in below for found in _expanded(schema, child, value)]
    return {key for candidate in candidates for key in candidate.get("properties", {})}


def _expanded(root: dict[str, Any], node: dict[str, Any], value: Any) -> list[dict[str, Any]]:
    if reference := node.get("$ref"):
        return _expanded(root, root["$defs"][reference.rpartition("/")[2]], value)
    if choices := node.get("anyOf") or node.get("oneOf"):
        return [found for choice in choices for found in _expanded(root, choice, value)]
    tag = node.get("properties", {}).get("rule", {}).get("const")
    if tag is not None and isinstance(value, dict) and value.get("rule") != tag:
        return []
    return [node]
