"""Probes, their findings, and asking many of them at once without waiting for those that hang."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import DataopsError

if TYPE_CHECKING:
    from dataops.infra.state.backend import Backend


class Verdict(StrEnum):
    """How good an answer is: `warning` works but may hurt, `failed` does not work, `absent` is not needed here."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to a probe: what was found, and what to type or change where that is not well."""

    verdict: Verdict
    what: str
    hint: str = ""


def ok(what: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, what)


def warning(what: str, hint: str) -> Finding:
    """It works, but may hurt later."""
    return Finding(Verdict.WARNING, what, hint)


def failed(what: str, hint: str) -> Finding:
    """It does not work."""
    return Finding(Verdict.FAILED, what, hint)


def absent(what: str, hint: str = "") -> Finding:
    """It is not there, and nothing that is configured needs it."""
    return Finding(Verdict.ABSENT, what, hint)


@dataclass(frozen=True, slots=True)
class Scene:
    """What probes look at.

    Args:
        home: dataops' home.
        start: the folder the command works in.
        environment: variables.
        open_backend: opens the state at a URL.
    """

    home: Path
    start: Path
    environment: Mapping[str, str] = field(repr=False)
    open_backend: Callable[[str], Backend]


@dataclass(frozen=True, slots=True)
class Probe:
    """One question.

    Args:
        name: a word or two.
        area: `machine`, `platform`, or the target that needs it.
        look: finds the answer; whatever it raises is a failure.
        deadline: seconds it may take.
    """

    name: str
    area: str
    look: Callable[[Scene], Finding]
    deadline: float = 15.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A probe's answer and how long it took."""

    probe: Probe
    finding: Finding
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The answer as `-o json` prints it."""
        return {
            "area": self.probe.area,
            "check": self.probe.name,
            "verdict": self.finding.verdict.value,
            "found": self.finding.what,
            "hint": self.finding.hint or None,
            "seconds": round(self.seconds, 3),
        }


def examine(probes: Sequence[Probe], scene: Scene) -> list[Diagnosis]:
    """Asks all probes side by side; the answers are in the order of the probes.

    A probe that misses its deadline is a failure and is left behind, in a thread that does not keep the process alive.
    """
    answers: dict[int, tuple[Finding, float]] = {}
    began = time.monotonic()

    def ask(index: int, probe: Probe) -> None:
        answers[index] = (_answer(probe, scene), time.monotonic() - began)

    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in enumerate(probes)]
    for thread in threads:
        thread.start()
    for probe, thread in zip(probes, threads, strict=True):
        thread.join(max(0.0, began + probe.deadline - time.monotonic()))
    seen = dict(answers)
    late = "look at what it asks by hand; everything else was checked"
    return [
        Diagnosis(probe, *seen.get(index, (failed(f"no answer within {probe.deadline:g} s", late), probe.deadline)))
        for index, probe in enumerate(probes)
    ]


def output_of(words: Sequence[str], scene: Scene, seconds: float = 10.0) -> str | None:
    """What a program prints when it ends well in time; None otherwise. Its input is empty."""
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            env={**os.environ, **scene.environment},
            cwd=scene.start if scene.start.is_dir() else None,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _answer(probe: Probe, scene: Scene) -> Finding:
    try:
        return probe.look(scene)
    except DataopsError as error:
        return failed(str(error), error.hint or "mend the cause and look again")
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}", "this is a defect of the check; please report it")
