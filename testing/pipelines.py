"""The platform that is tested: its `dataops.yaml`, and its pipelines, run with the code of the work tree."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops.infra.errors import NotFoundError, ProgramError
from dataops.infra.platform.graph import ordered_steps
from dataops.infra.platform.model import Platform
from dataops.infra.process.commands import printed_by
from dataops.infra.process.environment import SEALED, child_environment
from dataops.infra.process.redaction import Redactor
from dataops.testing.stores import TestedLake, TestedWarehouse

LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step that ran: what it printed, and the rows by dataset that it reported."""

    name: str
    output: str
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """A pipeline that ran."""

    steps: tuple[StepRun, ...]

    @property
    def rows(self) -> dict[str, int]:
        """The rows by dataset that all steps reported."""
        return {name: count for step in self.steps for name, count in step.rows.items()}

    @property
    def output(self) -> str:
        """What all steps printed."""
        return "".join(step.output for step in self.steps)


@dataclass(frozen=True, slots=True)
class TestedPlatform:
    """The platform that is tested.

    Args:
        folder: its folder in the work tree.
        model: what its `dataops.yaml` says.
        code: another folder to run the code of, as a test has changed it; None for the work tree's own.
    """

    __test__ = False

    folder: Path
    model: Platform
    code: Path | None = None

    def with_code(self, folder: Path) -> TestedPlatform:
        """The same platform, whose code is that of another folder."""
        return TestedPlatform(self.folder, self.model, folder)

    def run(
        self,
        pipeline: str,
        *,
        warehouse: TestedWarehouse | None = None,
        lake: TestedLake | None = None,
        steps: Iterable[str] | None = None,
        variables: Mapping[str, str] | None = None,
        full_refresh: bool = False,
    ) -> PipelineRun:
        """Runs steps of a pipeline, one after the other, with the code of the work tree, committed or not.

        They run with the interpreter of the tests, with the variables of a replica and none of the shell that may lead
        anywhere.

        Args:
            pipeline: its name.
            warehouse, lake: what the steps work on.
            steps: names of steps; by default all, in the order of their needs.
            variables: variables on top of those of `environments.replica`.
            full_refresh: whether steps are told to build everything anew.

        Raises:
            NotFoundError: there is no such pipeline or step.
            ProgramError: a step failed; the details are the last lines that it printed.
        """
        if pipeline not in self.model.pipelines:
            raise NotFoundError(f"there is no pipeline {pipeline}", hint=f"there are {', '.join(self.model.pipelines)}")
        ordered = ordered_steps(self.model.pipelines[pipeline])
        wanted = {step.name for step in ordered} if steps is None else set(steps)
        if unknown := wanted - {step.name for step in ordered}:
            raise NotFoundError(f"pipeline {pipeline} has no step {min(unknown)}")
        given = {
            **SEALED,
            **self.model.variables("replica"),
            **(warehouse.variables() if warehouse else {}),
            **(lake.variables() if lake else {}),
            "DATAOPS_ENVIRONMENT": "test",
            "DATAOPS_ROLE": "replica",
            **({"DATAOPS_FULL_REFRESH": "1"} if full_refresh else {}),
            **(variables or {}),
        }
        return PipelineRun(tuple(self._step(step.name, step.run, given) for step in ordered if step.name in wanted))

    def _step(self, name: str, command: tuple[str, ...], variables: Mapping[str, str]) -> StepRun:
        words = [sys.executable if command[0] == "python" else command[0], *command[1:]]
        with tempfile.TemporaryDirectory(prefix="dataops-test-") as place:
            report = Path(place) / "report.json"
            seen = child_environment({**variables, "DATAOPS_STEP_REPORT": str(report)})
            status, printed = printed_by(words, seen, self.code or self.folder)
            output = Redactor(dict(variables))(printed)
            if status:
                last = "\n".join(output.splitlines()[-LAST_LINES:])
                error = ProgramError(f"step {name} exited with {status}", details=last)
                error.add_note(last)  # which is what pytest shows
                raise error
            return StepRun(name, output, _rows(report))


def _rows(report: Path) -> dict[str, int]:
    try:
        told: Any = json.loads(report.read_text(encoding="utf-8"))
        return {str(name): int(count) for name, count in told["rows"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
