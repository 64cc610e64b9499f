"""What is wrong with a masking policy, and the lines that would put it right."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataops.infra.errors import VerificationError
from dataops.snapshots.masking.base import Family

if TYPE_CHECKING:
    from dataops.infra.platform.document import Document

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_PLAIN = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "keep", "like"})
_SAFE = {
    Family.TEXT: "hash",
    Family.DATE: "{rule: date_shift, days: 180}",
    Family.INTEGER: "digits",
    Family.UUID: "uuid",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """A column, a part of one, or an object without columns that has no rule.

    Args:
        section: `tables` or `lake`.
        owner: the table or the object.
        name: the column, or the path of a part of it.
        family: of its type; None for an object without columns.
        type: in words.
        unique: whether different values must stay different.
        required: whether it cannot be NULL.
        length: the most characters that it, or an element of it, takes.
        array: whether it is an array, and `family` that of its elements.
        path: the path within its documents that is meant, where their other paths have rules.
        place: where the rules of these paths are written, as keys below `masking`.
    """

    section: str
    owner: str
    name: str
    family: Family | None
    type: str = ""
    unique: bool = False
    required: bool = False
    length: int | None = None
    array: bool = False
    path: str = ""
    place: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """A line for `dataops.yaml` with a rule that is safe for the type."""
        if self.family is None:
            return "keep: []    # it has no columns, such as Parquet has: it is copied as it is"
        return f"{yaml_key(self.name)}: {_SAFE.get(self.family, 'null')}    # or `keep`"


@dataclass(slots=True)
class Problems:
    """Collects problems.

    Args:
        document: the `dataops.yaml` that the policy stands in, to say where.
    """

    document: Document | None = None
    found: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def add(self, missing: Missing, label: str) -> None:
        """Notes a column or object without a rule."""
        found = f"{label} has no masking rule"
        if found not in self.found:  # partitions share their rules
            self.found.append(found)
            self.missing.append(missing)

    def raise_any(self) -> None:
        """Raises `VerificationError` with all that was noted, if anything was."""
        if not self.found:
            return
        lines = list(self.found[1:])
        apart = self.document is not None and self.document.file(("masking",)) != self.document.path
        if self.missing:
            lines += ["add to masking.yaml:"] if apart else ["add to dataops.yaml:", "  masking:"]
        sections: dict[str, dict[str, list[str]]] = {}
        for missing in self.missing:
            sections.setdefault(missing.section, {}).setdefault(missing.owner, []).append(missing.line)
        for section, owners in sections.items():
            lines.append(f"    {section}:")
            for owner, columns in owners.items():
                lines += [f"      {yaml_key(owner)}:", *(f"        {line}" for line in columns)]
        hint = "every column needs a rule: `keep` only if it is neither personal nor secret"
        if self.missing:
            hint += "; `dataops snapshot classify` proposes them"
        raise VerificationError(self.found[0], where=self._where(), hint=hint, details="\n".join(lines) or None)

    def _where(self) -> str | None:
        """The line of the rules that lack something, or else of the whole policy."""
        if self.document is None:
            return None
        place: tuple[str, ...] = ("masking",)
        if self.missing:
            place = ("masking", self.missing[0].section, self.missing[0].owner)
        return self.document.where(place)


def yaml_key(name: str) -> str:
    """A name as a key of YAML."""
    plain = _PLAIN_KEY.fullmatch(name) and name.lower() not in _NOT_PLAIN
    return name if plain else json.dumps(name, ensure_ascii=False)
