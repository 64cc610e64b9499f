"""`env ls` and `env status`: what is recorded of environments, and what can be seen of them now."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.envs.lock import Holder, holder_of
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.envs.variables import again
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.pool import missing_pool, require_pool
from dataops.infra.process.liveness import supervisor_runs

IN_PROGRESS = frozenset({State.CREATING, State.UPDATING, State.DESTROYING})


@dataclass(frozen=True, slots=True)
class Part:
    """One thing of an environment that should answer."""

    name: str
    address: str
    answers: bool


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """An environment as it is now.

    Args:
        record: what is recorded.
        holder: who is at work on it, None when nobody is.
        interrupted: somebody was at work on it and died.
        parts: what should answer, and whether it does.
        astray: what became of the commit that it runs, when its branch no longer holds it.
        mount: what brings back the pool that it lies in, "" when nothing is missing.
        stopped: it was ready, and none of its processes is there: the machine was restarted, or they were killed.
    """

    record: EnvironmentRecord
    holder: Holder | None
    interrupted: bool
    parts: tuple[Part, ...] = ()
    stopped: bool = False
    astray: str = ""
    mount: str = ""

    @property
    def state(self) -> str:
        """The state in a word or two, for people."""
        if self.mount:
            return "out of reach (the pool is not mounted)"
        if self.interrupted:
            return f"{self.record.state.value} (interrupted)"
        if self.record.state is State.ORPHANED:
            return "orphaned (its repository is gone)"
        if self.stopped:
            return "stopped"
        silent = [part for part in self.parts if not part.answers]
        if self.record.state is State.READY and silent:
            return "ready (something does not answer)"
        return self.record.state.value

    @property
    def remedy(self) -> str:
        """The command to type next, "" when nothing is amiss."""
        record = self.record
        if self.holder is not None:
            return ""
        if self.mount:
            return self.mount
        if record.state in (State.DESTROYING, State.ORPHANED):
            return f"dataops env down {record.name}"
        if self.stopped or record.state is State.SLEEPING:
            return f"dataops env wake {record.name}"
        if self.interrupted or record.state is State.FAILED:
            return again(record)
        silent = [part.name for part in self.parts if not part.answers]
        if silent == ["code"]:
            return again(record)
        return f"dataops env logs {record.name}, then {again(record)}" if silent else ""

    def to_json(self) -> dict[str, Any]:
        """The status as `-o json` prints it."""
        record = self.record
        return {
            "name": record.name,
            "platform": record.platform,
            "role": record.role,
            "branch": record.branch,
            "commit": record.commit,
            "target": record.target,
            "snapshot": record.snapshot,
            "snapshot_age_seconds": snapshot_age(record.snapshot),
            "owner": record.owner,
            "state": "stopped" if self.stopped else record.state.value,
            "interrupted": self.interrupted,
            "remedy": self.remedy,
            "astray": self.astray,
            "failure": record.failure,
            "locked_by": self.holder.describe() if self.holder else None,
            "created": record.created,
            "updated": record.updated,
            "root": record.root,
            "code": record.facts.get("directory", ""),
            "urls": {name: s["url"] for name, s in record.facts.get("services", {}).items() if "url" in s},
            "warehouse": record.facts.get("warehouse", {}),
            "lake": record.facts.get("lake", ""),
            "parts": [{"name": p.name, "address": p.address, "answers": p.answers} for p in self.parts],
            "checks": record.facts.get("checks", []),
            "phases": record.phases,
            "notes": record.notes,
        }


def status(record: EnvironmentRecord, registry: Registry, look: bool = True, deep: bool = False) -> EnvironmentStatus:
    """The status of one environment; with `look`, whether its parts answer; `deep`, what git says of its commit."""
    if record.state not in IN_PROGRESS and not Path(record.repository).is_dir():
        record = replace(record, state=State.ORPHANED)
    held = holder_of(registry.folder, record.name)
    alive = held is not None and held.alive()
    parts = tuple(_look(record)) if look and record.state is not State.DESTROYING else ()
    heard = any(part.answers for part in parts if part.name != "code")
    stopped = record.state is State.READY and not heard and not supervisor_runs(Path(record.root) / "supervisor")
    interrupted = record.state in IN_PROGRESS and not alive
    became = astray(record) if deep else ""
    mount = missing_pool(Path(record.root))
    return EnvironmentStatus(record, held if alive else None, interrupted, parts, stopped, became, mount)


def require_running(record: EnvironmentRecord) -> None:
    """Refuses to work in an environment none of whose processes is there, as after a restart of the machine.

    Raises:
        ResourceError: the pool that it lies in is not mounted.
        ConfigurationError: nothing of it runs; the hint is the command that brings it back.
    """
    require_pool(Path(record.root))
    if record.state is State.READY and not supervisor_runs(Path(record.root) / "supervisor"):
        raise ConfigurationError(
            f"nothing of environment {record.name} runs: the machine was restarted, or its processes were killed",
            hint=f"bring it back with `dataops env wake {record.name}`",
        )


def astray(record: EnvironmentRecord) -> str:
    """What became of the commit that an environment runs, "" while its branch holds it or nobody can tell."""
    from dataops.envs.git import Repository

    common = Path(record.repository)
    return Repository(common, common, common).standing(record.branch, record.commit)


def all_statuses(registry: Registry) -> list[EnvironmentStatus]:
    """The status of every environment of a platform whose record can be read, by name."""
    records, _ = registry.survey()
    if not records:
        return []
    with ThreadPoolExecutor(min(8, len(records))) as pool:
        return list(pool.map(lambda record: status(record, registry), records))


def snapshot_age(snapshot: str) -> int | None:
    """Seconds since a snapshot was taken, which its id begins with; None when there is none."""
    try:
        taken = datetime.strptime(snapshot[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0, int((datetime.now(UTC) - taken).total_seconds()))


def _look(record: EnvironmentRecord) -> list[Part]:
    facts, found = record.facts, []
    warehouse = facts.get("warehouse") or {}
    if port := warehouse.get("port"):
        found.append(_part("warehouse", str(warehouse.get("host", "127.0.0.1")), int(port)))
    for name, service in sorted((facts.get("services") or {}).items()):
        if port := service.get("port"):
            found.append(_part(name, "127.0.0.1", int(port)))
    if directory := facts.get("directory"):
        found.append(Part("code", str(directory), Path(directory).is_dir()))
    return found


def _part(name: str, host: str, port: int) -> Part:
    try:
        with socket.create_connection((host, port), timeout=1):
            return Part(name, f"{host}:{port}", True)
    except OSError:
        return Part(name, f"{host}:{port}", False)
