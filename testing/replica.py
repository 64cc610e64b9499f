"""A whole replica for tests: everything that `env up` makes of the commit that is checked out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dataops.envs.checkout import Checkout
from dataops.envs.connect import connect
from dataops.envs.phases import PhaseClock
from dataops.envs.pipeline import Selection, run_in
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.reset import ResetRequest, reset_held
from dataops.envs.stack import Tools
from dataops.envs.up import UpRequest, commit_of
from dataops.envs.variables import command_variables, working_directory
from dataops.envs.verification.sources import fill_replica, schema_snapshot, synthetic_request
from dataops.envs.verification.throwaway import Throwaway, throwaway
from dataops.infra.errors import NotFoundError
from dataops.services.runs import RunRecord
from dataops.testing.settings import Settings
from dataops.testing.stores import TestedWarehouse


@dataclass(slots=True)
class TestedReplica:
    """A replica; whatever a test does to its data is undone before the next test gets it."""

    __test__ = False

    _made: Throwaway
    _settings: Settings
    _tools: Tools
    _url: str = ""
    _used: bool = False

    @property
    def record(self) -> EnvironmentRecord:
        """What is recorded of it."""
        return self._made.record

    @property
    def name(self) -> str:
        """The name of the environment."""
        return self.record.name

    @property
    def services(self) -> Mapping[str, str]:
        """The URLs of its services by name."""
        return {name: s["url"] for name, s in (self.record.facts.get("services") or {}).items() if "url" in s}

    @property
    def warehouse(self) -> TestedWarehouse:
        """Its warehouse, as its developer."""
        self._used = True
        if not self._url:
            self._url = connect(self.record, self._tools, "developer", True).url
        return TestedWarehouse(self._url)

    def run(
        self, pipeline: str, step: str | None = None, since: str | None = None, full_refresh: bool = False
    ) -> RunRecord:
        """Runs a pipeline in it, or a part of one.

        Raises:
            NotFoundError: there is no such pipeline or step.
            ProgramError: a step failed; the details are the last lines of its log.
        """
        self._used = True
        return run_in(self.record, pipeline, Selection(step, since, full_refresh), lambda told: None)

    def exec(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, as `dataops env exec` does; tells how it ended and what it printed."""
        self._used = True
        variables, directory = command_variables(self.record), working_directory(self.record)
        command = list(words)
        if self.record.target == "docker":
            from dataops.envs.contained import in_container

            command = in_container(self.record, words, variables)
        return subprocess.run(
            command, cwd=directory, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def reset(self) -> None:
        """Lays its data anew, as they were in the beginning; ports and passwords stay."""
        registry = Registry(self._made.checkout.layout.registry)
        asked = ResetRequest(self.name, force=True)
        reset_held(asked, registry, self._made.checkout, self._tools, _quiet(), self._made.lease)
        self._fill()
        self._used = False

    def fresh(self) -> TestedReplica:
        """Itself, with the data of the beginning."""
        if self._used:
            self.reset()
        return self

    def _fill(self) -> None:
        if self._settings.data == "synthetic":
            platform = self._made.checkout.branch_platform(self.record.commit)
            fill_replica(self.record, platform, self._settings.seed)


@contextmanager
def tested_replica(settings: Settings, tools: Tools) -> Iterator[TestedReplica]:
    """Brings the replica up for the duration of the block; nothing of it is left.

    Raises:
        NotFoundError: the platform is in no git repository; no such branch; no snapshot.
        DataopsError: as `env up`.
    """
    checkout = Checkout.find(settings.folder)
    branch = settings.branch or checkout.repository.current_branch()
    if not branch:
        raise NotFoundError("no branch is checked out", hint="name one: --dataops-branch BRANCH")
    if settings.data == "synthetic":
        asked = synthetic_request(branch, settings.target, schema_snapshot(checkout))
    else:
        asked = UpRequest(branch, settings.snapshot, settings.target)
    with throwaway(asked, commit_of(branch, checkout), checkout, tools, _quiet()) as made:
        replica = TestedReplica(made, settings, tools)
        replica._fill()
        yield replica


def _quiet() -> PhaseClock:
    return PhaseClock(lambda event: None)
