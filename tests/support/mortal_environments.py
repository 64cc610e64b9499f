"""Commands on environments, cut with `kill -9` while a phase of theirs runs, and what a replica must be afterwards.

The victim is the command itself, the environment's supervisor, or its Postgres server. A kill counts when the victim
was there and the command had not come to its end; it counts for every phase that was running then, since phases of the
engine overlap. `support.kill_table` prints how many there were.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dataops.envs.sweep import leftovers
from dataops.infra.process import postgres_status
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.sockets import fallback_directory
from dataops.infra.process.supervisor import Supervisor
from support.kill_table import Victim
from support.scratch_git import git
from support.scratch_platform import ScratchPlatform

PATIENCE = 150.0
"""Seconds after which a command that lost its supervisor or its server should long have ended."""


@dataclass
class Progress:
    """What a running command says, followed by a thread: which phases run, and since when."""

    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    spent: dict[str, float] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _over: bool = False

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait_for(self, phase: str) -> bool:
        """Waits until the phase has begun; False when the command ended without it."""
        with self._news:
            self._news.wait_for(lambda: phase in self._began or self._over)
            return phase in self._began

    def wait_within(self, phase: str, seconds: float) -> None:
        """Waits for so long, but no longer than the phase runs."""
        with self._news:
            self._news.wait_for(lambda: phase not in self.running, seconds)

    def running_now(self) -> tuple[str, ...]:
        """The phases that have begun and not ended."""
        with self._news:
            return tuple(self.running)

    def finish(self) -> None:
        """Reads to the end and closes what the command wrote to."""
        self._thread.join(10)
        assert self.process.stdout is not None and self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()

    def text(self) -> str:
        """What was said, for the message of a failing test."""
        return "\n".join(f"{e.get('phase', '')}: {e.get('moment', '')} {e.get('text', e)}" for e in self.events)

    def _follow(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {"text": line.rstrip()}
            phase, moment = event.get("phase", ""), event.get("moment", "")
            with self._news:
                self.events.append(event)
                if moment == "started":
                    self.running[phase] = 1
                    self._began[phase] = time.monotonic()
                elif moment in ("finished", "failed") and self.running.pop(phase, 0):
                    self.spent[phase] = self.spent.get(phase, 0.0) + time.monotonic() - self._began[phase]
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


@dataclass(frozen=True)
class Kill:
    """One attempt.

    Args:
        victim, command, aimed: who was to be killed, in which command and phase.
        phases: what was running at that moment, () when the attempt missed.
        status: how the command ended, negative for a signal.
        said: what it said.
    """

    victim: Victim
    command: str
    aimed: str
    phases: tuple[str, ...]
    status: int
    said: str

    @property
    def hit(self) -> bool:
        """Whether the victim was there, and the command not over."""
        return bool(self.phases)

    def __str__(self) -> str:
        return f"{self.victim} killed in {self.aimed} of `{self.command}` ({', '.join(self.phases)}):\n{self.said}"


def kill_in(shop: ScratchPlatform, victim: Victim, phase: str, root: Path, delay: float, *words: str) -> Kill:
    """Runs a command and kills the victim `delay` seconds after a phase of it began.

    Args:
        root: the folder of the environment whose supervisor or server is meant.
    """
    process = shop.start(*words, DATAOPS_LOG_FORMAT="json")
    progress = Progress(process)
    phases: tuple[str, ...] = ()
    if progress.wait_for(phase):
        progress.wait_within(phase, delay)
        if victim is Victim.COMMAND:
            if process.poll() is None:
                process.kill()
                process.wait()
                progress.finish()
                # what it said up to its death shows what it was doing, however late we were
                phases = progress.running_now() or ("between phases",) if process.returncode == -signal.SIGKILL else ()
        else:
            phases = progress.running_now()
            if process.poll() is not None or not _kill(_pid(victim, root)):
                phases = ()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{victim} was killed in {phase}, and the command hangs:\n{progress.text()}") from None
    finally:
        progress.finish()
    return Kill(victim, " ".join(words[:2]), phase, phases, process.returncode, progress.text())


def _pid(victim: Victim, root: Path) -> int | None:
    if victim is Victim.SUPERVISOR:
        return Supervisor(root / "supervisor").pid()
    drafts = sorted(root.parents[1].glob("golden/.partial-*/postgres"))
    servers = [found for data in (root / "postgres", *drafts) if (found := postgres_status.status(data))]
    return servers[0].pid if servers else None


def _kill(pid: int | None) -> bool:
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


@dataclass(frozen=True)
class Contents:
    """What two runs of the same command must agree on: data, rights, and what answers where."""

    tables: dict[str, Any]
    objects: dict[str, Any]
    rights: dict[str, list[Any]]
    services: tuple[str, ...]
    resources: int


RIGHTS = {
    "roles": "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolpassword <> ''"
    " FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 1",
    "members": "SELECT roleid::regrole::text, member::regrole::text, admin_option, inherit_option, set_option"
    " FROM pg_auth_members ORDER BY 1, 2",
    "databases": "SELECT datname, datdba::regrole::text, datacl::text FROM pg_database ORDER BY 1",
    "schemas": "SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_t'"
    " ORDER BY 1",
    "tables": "SELECT oid::regclass::text, relowner::regrole::text, relacl::text FROM pg_class"
    " WHERE relnamespace::regnamespace::text IN ('raw', 'marts') ORDER BY 1",
}


def contents(shop: ScratchPlatform, name: str) -> Contents:
    """What an environment that works holds."""
    status = shop.do("env", "status", name, "-o", "json").json
    assert status["state"] == "ready" and not status["interrupted"], status
    assert status["parts"] and all(part["answers"] for part in status["parts"]), status["parts"]
    assert all(check["ok"] for check in status["checks"])
    data = shop.do("env", "fingerprint", name, "-o", "json").json
    root = Path(status["root"])
    server = postgres_status.status(root / "postgres")
    assert server is not None
    with connect(server.connection, "shop") as session:
        rights = {what: session.execute(query.encode()).fetchall() for what, query in RIGHTS.items()}
    published = json.loads((root / "endpoints.json").read_text())
    assert status["urls"].items() <= published.items(), (status["urls"], published)
    recorded = json.loads(next(shop.home.glob(f"platforms/*/registry/{name}.json")).read_text())
    return Contents(data["tables"], data["objects"], rights, tuple(sorted(published)), recorded["facts"]["resources"])


def check_gone(shop: ScratchPlatform, name: str, others: Iterable[str] = ("production",)) -> None:
    """No process, file, port, socket, worktree or state of an environment is left, and the others are whole."""
    found = shop.do("env", "ls", "-o", "json").json
    assert [e["name"] for e in found] == sorted(others)
    assert all(part["answers"] for e in found for part in e["parts"])
    environments = next(shop.home.glob("platforms/*/environments"))
    assert sorted(path.name for path in environments.iterdir()) == sorted(others)
    root = environments / name
    assert leftovers(root, []).lines() == []
    assert [d for d in (root / "postgres", root / "supervisor", root) if fallback_directory(d).exists()] == []
    registry = environments.parent / "registry"
    assert [path.name for path in registry.iterdir() if name in path.name] == []
    assert name not in git(shop.folder, "worktree", "list")
    state = shop.folder / ".dataops" / "state" / ".pulumi"
    assert [path for path in state.rglob(f"*{name}*") if path.is_file()] == []
    assert [line for line in _processes(shop.home) if name in line] == []


def _processes(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = f"{process.pid} {process.cwd()} {' '.join(process.cmdline())}"
            if str(home) in line:
                found.append(line)
    return found


def durations(shop: ScratchPlatform, *words: str) -> dict[str, float]:
    """Runs a command to its end and gives its phases in the order in which they began, and the seconds of each."""
    process = shop.start(*words, DATAOPS_LOG_FORMAT="json")
    progress = Progress(process)
    process.wait()
    progress.finish()
    assert process.returncode == 0, progress.text()
    order = dict.fromkeys(e["phase"] for e in progress.events if e.get("moment") == "started")
    return {phase: progress.spent.get(phase, 0.0) for phase in order}
