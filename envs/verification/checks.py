"""What is looked at in a throwaway replica: its own checks, its pipelines, rights, services, and the branch's tests."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from dataops.envs.pipeline import Selection, run_in
from dataops.envs.registry import EnvironmentRecord
from dataops.envs.synthetic.fill import needless_steps
from dataops.envs.variables import command_variables, working_directory
from dataops.envs.verification.verdict import Check, Result
from dataops.envs.warehouse_facts import warehouse_facts
from dataops.infra.errors import DeadlineError, ProgramError
from dataops.infra.platform.access import declared_grants
from dataops.infra.platform.model import Platform
from dataops.services.journal import RunSink

HEALTH_SECONDS = 10.0
SHOWN_LINES = 20

Say = Callable[[str], None]
"""Is told what helps to find the cause of a failure, on the terminal alone: it may quote what the branch printed."""


def replica_checks(record: EnvironmentRecord) -> Iterator[Check]:
    """The checks that the replica passed before anybody could use it."""
    for check in record.facts.get("checks", []):
        seen = str(check["detail"]).replace(record.root, "…")
        yield Check.of("replica", str(check["name"]), bool(check["ok"]), "as declared", seen)


def pipeline_order(platform: Platform) -> list[str]:
    """The pipelines, each after those that make what it reads, where that is no circle."""
    makers: dict[str, set[str]] = {}
    for name, pipeline in platform.pipelines.items():
        for output in (output for step in pipeline.steps for output in step.outputs):
            makers.setdefault(output, set()).add(name)
    before = {
        name: {maker for step in pipeline.steps for read in step.inputs for maker in makers.get(read, ())} - {name}
        for name, pipeline in platform.pipelines.items()
    }
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return list(platform.pipelines)


def pipeline_checks(
    record: EnvironmentRecord, platform: Platform, made_up: bool, full_refresh: bool, on_step: RunSink, say: Say
) -> Iterator[Check]:
    """Runs every pipeline; those that read what a failed one should have made are left out.

    Args:
        made_up: leave out the steps that only bring in what is made up.
        full_refresh: tell steps to build everything anew.
    """
    failed: set[str] = set()
    for name in pipeline_order(platform):
        without = needless_steps(platform, name) if made_up else frozenset[str]()
        steps = [step for step in platform.pipelines[name].steps if step.name not in without]
        group, expected = f"pipeline {name}", f"{len(steps)} steps succeed"
        if without:
            say(f"{name}: without {', '.join(sorted(without))}: what that brings in is made up")
        if not steps:
            continue
        if lacking := sorted({read for step in steps for read in step.inputs} & failed):
            yield Check(group, "runs", Result.SKIPPED, expected, f"{', '.join(lacking)} could not be made")
            failed |= outputs_of(platform, name)
            continue
        try:
            done = run_in(record, name, Selection(without=without, full_refresh=full_refresh), on_step)
        except (ProgramError, DeadlineError) as error:
            failed |= outputs_of(platform, name)
            for line in (error.details or "").splitlines():
                say(line)
            yield Check(group, "runs", Result.FAILED, expected, error.what)
        else:
            good = sum(step.state == "succeeded" for step in done.steps)
            yield Check.of(group, "runs", good == len(steps), expected, f"{good} succeeded")


def outputs_of(platform: Platform, pipeline: str) -> set[str]:
    """The datasets that a pipeline makes."""
    return {output for step in platform.pipelines[pipeline].steps for output in step.outputs}


def access_checks(record: EnvironmentRecord, platform: Platform) -> Iterator[Check]:
    """Whether the rights on data products are still there after the pipelines, which may make tables anew."""
    granted = warehouse_facts(record, exact=0)
    for grant in declared_grants(platform):
        for table in (f"{grant.schema}.{name}" for name in grant.tables):
            if table not in granted.tables:
                continue  # that it is not there is told of the mart itself
            found = set(filter(None, granted.grants.get(f"{grant.role} on {table}", "").split(", ")))
            seen = ", ".join(sorted(found)) or "nothing"
            declared = set(grant.privileges)
            yield Check.of("access", f"{grant.role} on {table}", declared <= found, ", ".join(sorted(declared)), seen)


def service_checks(record: EnvironmentRecord, platform: Platform) -> Iterator[Check]:
    """Whether services that say how still answer after the pipelines."""
    for name, service in platform.services.items():
        url = (record.facts.get("services") or {}).get(name, {}).get("url")
        if url and service.health:
            seen = _answer(f"{url.rstrip('/')}{service.health}")
            yield Check.of(f"service {name}", service.health, seen == "200", "200", seen)


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_SECONDS) as response:
            return str(response.status)
    except urllib.request.HTTPError as error:
        return str(error.code)
    except OSError:
        return "no answer"


def command_checks(record: EnvironmentRecord, commands: Mapping[str, Sequence[str]], say: Say) -> Iterator[Check]:
    """Runs the branch's own checks in the replica, as `env exec` would."""
    for name, words in commands.items():
        status = _run(record, words, say)
        yield Check.of("branch", name, status == 0, "exit status 0", f"exit status {status}")


def _run(record: EnvironmentRecord, words: Sequence[str], say: Say) -> int:
    variables, directory = command_variables(record), working_directory(record)
    if record.target == "docker":
        from dataops.envs.contained import in_container

        words = in_container(record, words, variables)
    with tempfile.TemporaryFile() as output:
        try:
            # a session of its own: Ctrl-C reaches whoever started it, who then ends all of it
            process = subprocess.Popen(
                list(words), cwd=directory, env=variables, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            say(f"{words[0]} cannot be run: {error.strerror}")
            return 127
        try:
            status = process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if status:
            output.seek(0)
            for line in output.read().decode(errors="replace").splitlines()[-SHOWN_LINES:]:
                say(line)
        return status
