"""The verdict on a branch: every check with what was expected and what was seen, as a document, JUnit and Markdown.

It is made to be published: it names tables, columns and figures, and never a value of a row.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

UNPRINTABLE = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""


class Result(StrEnum):
    """How a check ended; one that could not be made since another failed is skipped."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        group: what it is about: `replica`, `pipeline sales`, `mart marts.sales`, …
        name: what was looked at.
        result: how it ended.
        expected, seen: in words.
    """

    group: str
    name: str
    result: Result
    expected: str = ""
    seen: str = ""

    @classmethod
    def of(cls, group: str, name: str, good: bool, expected: str, seen: str) -> Check:
        """A check that passed or failed."""
        return cls(group, name, Result.PASSED if good else Result.FAILED, expected, seen)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a branch.

    Args:
        branch, commit: what was verified.
        target: where it ran.
        data: `snapshot` or `synthetic`.
        source: what it was compared with, in words.
        checks: everything that was looked at, in order.
        seconds: how long it all took.
    """

    branch: str
    commit: str
    target: str
    data: str
    source: str
    checks: tuple[Check, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing failed; what was skipped was skipped because something did."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.result is Result.FAILED)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        subject = f"{self.branch} at {self.commit[:12]}"
        if self.passed:
            return f"{subject} is verified: {len(self.checks)} checks passed"
        places = dict.fromkeys(check.group for check in self.failures)
        return f"{subject} is refused: {len(self.failures)} of {len(self.checks)} checks failed, in {', '.join(places)}"

    def to_json(self) -> dict[str, Any]:
        """The verdict as `-o json` prints it."""
        facts = asdict(self)
        return {"verdict": "passed" if self.passed else "failed", "sentence": self.sentence, **facts}


def junit(verdict: Verdict) -> str:
    """The verdict as JUnit XML: a suite for each group, a test case for each check."""
    root = ElementTree.Element("testsuites", _counts(verdict.checks) | {"name": f"dataops verify {verdict.branch}"})
    for group in dict.fromkeys(check.group for check in verdict.checks):
        checks = [check for check in verdict.checks if check.group == group]
        suite = ElementTree.SubElement(root, "testsuite", _counts(checks) | {"name": _xml(group)})
        for check in checks:
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(group), name=_xml(check.name), time="0")
            said = _xml(f"expected {check.expected}; seen {check.seen}")
            if check.result is Result.FAILED:
                ElementTree.SubElement(case, "failure", message=said, type="verification").text = said
            elif check.result is Result.SKIPPED:
                ElementTree.SubElement(case, "skipped", message=_xml(check.seen))
    root.set("time", f"{verdict.seconds:.3f}")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(verdict: Verdict) -> str:
    """The verdict as Markdown, as for a comment on a merge request: what failed first, all else folded."""
    mark = "✅" if verdict.passed else "❌"
    lines = [f"### {mark} {_cell(verdict.sentence)}", "", f"On {verdict.target}, compared with {verdict.source}.", ""]
    lines += _table(verdict.failures)
    others = [check for check in verdict.checks if check.result is not Result.FAILED]
    if others:
        lines += ["<details>", f"<summary>{len(others)} other checks</summary>", "", *_table(others), "</details>", ""]
    return "\n".join(lines)


def _table(checks: tuple[Check, ...] | list[Check]) -> list[str]:
    if not checks:
        return []
    rows = [(check.group, check.name, str(check.result), check.expected, check.seen) for check in checks]
    lines = ["| About | Check | Result | Expected | Seen |", "| --- | --- | --- | --- | --- |"]
    return [*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows), ""]


def _cell(text: str) -> str:
    """A text that neither leaves its cell nor becomes a heading, a link or HTML."""
    escaped = re.sub(r"([\\|`*_\[\]<>#])", r"\\\1", " ".join(text.split()))
    return escaped or " "


def _counts(checks: tuple[Check, ...] | list[Check]) -> dict[str, str]:
    results = [check.result for check in checks]
    return {
        "tests": str(len(results)),
        "failures": str(results.count(Result.FAILED)),
        "errors": "0",
        "skipped": str(results.count(Result.SKIPPED)),
    }


def _xml(text: str) -> str:
    return UNPRINTABLE.sub("?", text)
