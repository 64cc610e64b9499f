"""What an environment logs, and where: services, the runner, Postgres, the supervisor, the steps of pipeline runs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import NotFoundError
from dataops.infra.platform.layout import EnvironmentLayout

SERVICES, PIPELINES = "services", "pipelines"
OWN = ("postgres", "runner")
"""Logs of ours among those of the services."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """One log.

    Args:
        name: what its lines are marked with: `postgres`, `sales-api`, `sales/load`.
        group: what else it is found by: `services`, `pipelines`, the pipeline.
        path: the file; older parts of it are `<path>.1` and so on.
        finished: whether nothing more is written to it.
    """

    name: str
    group: tuple[str, ...]
    path: Path
    finished: bool = False


def sources_of(record: EnvironmentRecord, run: str = "") -> list[LogSource]:
    """Every log of an environment, of each pipeline those of its newest run, or of the run that is named.

    Raises:
        NotFoundError: there is no such run.
    """
    layout = EnvironmentLayout(Path(record.root))
    found = [
        LogSource(path.stem, () if path.stem in OWN else (SERVICES,), path)
        for path in sorted(layout.logs.glob("*.log"))
    ]
    known = {source.name for source in found}
    services = [name for name in record.facts.get("services", {}) if name not in known]
    found += [LogSource(name, (SERVICES,), layout.logs / f"{name}.log") for name in services]
    found.append(LogSource("supervisor", (), layout.supervisor / "supervisord.log"))
    return found + _steps(layout.runs, run)


def choose(sources: Sequence[LogSource], asked: Sequence[str], pipelines: Sequence[str] = ()) -> list[LogSource]:
    """The sources that words name: a log, a service, a pipeline, one of its steps, `services` or `pipelines`.

    Args:
        sources: what there is.
        asked: the words; none for everything.
        pipelines: those that the environment has, which need not have run yet.

    Raises:
        NotFoundError: a word names none; the hint lists those there are.
    """
    if not asked:
        return list(sources)
    chosen = {source: None for word in asked for source in sources if word == source.name or word in source.group}
    for word in asked:
        if word in (SERVICES, PIPELINES, *pipelines) or any(word == s.name or word in s.group for s in sources):
            continue
        known = [name for source in sources for name in (*source.group, source.name)]
        known = list(dict.fromkeys((*known, *pipelines)))
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        raise NotFoundError(f"nothing named {word} is logged", hint=f"{meant}there are: {', '.join(known)}")
    return list(chosen)


def _steps(runs: Path, run: str) -> list[LogSource]:
    from dataops.services.runs import RUNNING, newest_runs

    chosen = newest_runs(runs, run)
    if run and not chosen:
        raise NotFoundError(f"there is no run {run}", hint="`dataops pipeline runs --env ENVIRONMENT` lists them")
    return [
        LogSource(f"{record.pipeline}/{log.stem}", (PIPELINES, record.pipeline), log, record.state != RUNNING)
        for record in chosen
        for log in sorted((runs / record.pipeline / record.id).glob("*.log"), key=lambda path: path.stat().st_mtime)
    ]
