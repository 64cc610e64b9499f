"""What nobody owns: traces of environments, snapshots and commands that a crash, or a hand, cut off from their record.

Everything here only looks. A thing is *ours* when its place and its marks prove that dataops made it for this platform;
it is *unowned* when no record, no snapshot and no living process accounts for it. What cannot be proved is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dataops.envs.findings import ORDER, Finding, Kept, identity_of
from dataops.envs.git import registered_worktrees
from dataops.envs.lock import holder_of
from dataops.envs.naming import FIXED, check_name
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.stack import Tools, state_is_there
from dataops.envs.sweep import environment_processes
from dataops.envs.unowned_engine import engine_findings
from dataops.infra.errors import DataopsError
from dataops.infra.platform.layout import GOLDEN_RECORD, PlatformLayout
from dataops.infra.process.advisory_lock import is_locked
from dataops.infra.process.identity import process_start
from dataops.infra.process.removal import size_of
from dataops.infra.process.sockets import substitutes
from dataops.snapshots.golden import PARTIAL, is_being_built
from dataops.snapshots.store import LOCK
from dataops.snapshots.without_rows import base_of

MARKS = (
    "supervisor/supervisord.conf",
    "postgres/dataops.json",
    ".postgres.partial",
    ".lake.complete",
    ".lake.partial",
    "s3/iam/users.json",
    "environment.env",
    "production.json",
    "endpoints.json",
    "venv/*/.dataops-complete",
    "code/*/.git",
    ".dataops",
)
"""Files in an environment's folder that nobody but dataops puts there; one is enough."""


@dataclass(slots=True)
class Search:
    """Looks for what nobody owns of one platform.

    Args:
        layout: the platform's files.
        tools: opens the backends that its records name.
        backends: further backends to look into.
    """

    layout: PlatformLayout
    tools: Tools
    backends: tuple[str, ...] = ()
    kept: list[Kept] = field(default_factory=list)
    _repositories: set[Path] = field(default_factory=set)

    def findings(self) -> tuple[Finding, ...]:
        """Everything that nobody owns, in the order in which it is removed; `kept` has what is left alone."""
        registry = Registry(self.layout.registry)
        records = registry.all()
        self.kept += [Kept(str(registry.path(n)), error.what) for n, error in registry.survey()[1].items()]
        self._repositories = {Path(record.repository) for record in records}
        found = [
            *self._throwaways(records), *engine_findings(self, records), *self._processes(),
            *self._states({record.backend for record in records}),
            *self._folders(), *self._worktrees(), *self._sockets(),
            *self._golden({record.snapshot for record in records}), *self._snapshots(),
            *self._leases(), *self._drafts(),
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda finding: (ORDER.index(finding.kind), finding.place)))

    @property
    def environments(self) -> tuple[Path, ...]:
        """The folders that environments lie in: in the home, and in the pool where there is one."""
        return tuple(place / "environments" for place in self.layout.places)

    def above(self, path: Path) -> Path | None:
        """The folder of environments that a path lies below."""
        return next((folder for folder in self.environments if path.is_relative_to(folder)), None)

    def owned(self, name: str) -> bool:
        """Whether a record, readable or not, or a living lease accounts for an environment."""
        holder = holder_of(self.layout.registry, name)
        return Registry(self.layout.registry).path(name).exists() or (holder is not None and holder.alive())

    def unowned(self, name: str, place: str) -> bool:
        """Whether nobody owns what a place says is of an environment; what may not be asked about is kept."""
        try:
            check_name(name)
        except DataopsError:
            self.kept.append(Kept(place, "its name cannot be that of an environment"))
            return False
        holder = holder_of(self.layout.registry, name)
        if holder is not None and holder.alive():
            self.kept.append(Kept(place, f"{holder.describe()} is at work: {holder.command}"))
            return False
        if self.owned(name):
            return False
        if name in FIXED:
            self.kept.append(Kept(place, f"it is {name}'s, whose data may exist nowhere else"))
            return False
        return True

    def _throwaways(self, records: list[EnvironmentRecord]) -> Iterator[Finding]:
        for record in records:
            holder = holder_of(self.layout.registry, record.name)
            if not record.purpose or (holder is not None and holder.alive()):
                continue
            ours = f"its record says that `dataops {record.purpose}` made it for itself"
            size = size_of(Path(record.root))
            yield Finding(
                "verification", record.name, ours, "that command has died", "take it down", size, record.name,
                (record.created,),
            )  # fmt: skip

    def _processes(self) -> Iterator[Finding]:
        found = [(pid, at, facts) for at in self.environments for pid, facts in environment_processes(at).items()]
        for pid, environments, (program, name) in sorted(found):
            place = f"{pid} {program}"
            if self.unowned(name, place):
                ours = f"it works in, or was started for, {environments / name}"
                gone = f"no record names {name}"
                identity = (str(pid), process_start(pid))
                yield Finding("process", place, ours, gone, "end it", 0, name, identity)

    def _folders(self) -> Iterator[Finding]:
        for folder in (folder for environments in self.environments for folder in _entries(environments)):
            doomed = re.fullmatch(r"\.(.+)\.removed", folder.name)
            name = doomed[1] if doomed else folder.name
            if folder.name.startswith(".") and not doomed:
                continue
            if folder.is_symlink() or not folder.is_dir():
                self.kept.append(Kept(str(folder), "it is no folder, or a link that leads elsewhere"))
                continue
            if not self.unowned(name, str(folder)):
                continue
            mark = next((mark for mark in MARKS if next(folder.glob(mark), None)), "")
            if not mark and not doomed and any(folder.iterdir()):
                self.kept.append(Kept(str(folder), "nothing in it proves that dataops made it"))
            elif work := _uncommitted(folder):
                self.kept.append(Kept(str(folder), f"its code holds work that is in no commit: {work}"))
            else:
                ours = f"it is named as a folder being removed is, below {folder.parent}" if doomed else ""
                ours = ours or f"it lies below {folder.parent} and holds {mark or 'nothing'}"
                gone = f"no record names {name}"
                size = size_of(folder)
                yield Finding("environment", str(folder), ours, gone, "remove it", size, name, identity_of(folder))

    def _worktrees(self) -> Iterator[Finding]:
        for repository in sorted(self._repositories):
            for path in registered_worktrees(repository):
                environments = self.above(path)
                if environments is None or path.exists():
                    continue
                name = path.relative_to(environments).parts[0]
                if self.unowned(name, str(path)):
                    ours = f"git has it registered below {environments}"
                    gone = "its folder is gone, and no record names its environment"
                    identity = (str(repository),)
                    yield Finding("worktree", str(path), ours, gone, "forget it", 0, name, identity)

    def _sockets(self) -> Iterator[Finding]:
        for directory, meant in sorted(substitutes().items()):
            environments = self.above(meant)
            if environments is None:
                continue
            name = meant.relative_to(environments).parts[0]
            if self.unowned(name, str(directory)):
                ours, gone = f"it says that it stands for {meant}", f"no record names {name}"
                size = size_of(directory)
                yield Finding("sockets", str(directory), ours, gone, "remove it", size, name, identity_of(directory))

    def _golden(self, used: set[str]) -> Iterator[Finding]:
        known = {path.name for path in _entries(self.layout.snapshots)} | {*map(base_of, used)}
        for folder in (folder for place in self.layout.places for folder in _entries(place / "golden")):
            half = folder.name.startswith(PARTIAL)
            snapshot = base_of(folder.name.removeprefix(PARTIAL).partition("_")[0])
            if folder.is_symlink() or not folder.is_dir() or (folder.name.startswith(".") and not half):
                continue
            if is_being_built(folder):
                self.kept.append(Kept(str(folder), "somebody is building it"))
            elif half:
                gone = "nobody builds it: who did has died"
                ours = "it is named as a golden directory in the making is"
                size = size_of(folder)
                yield Finding("golden", str(folder), ours, gone, "remove it", size, "", identity_of(folder))
            elif snapshot not in known:
                if _golden_snapshot(folder) != snapshot:
                    self.kept.append(
                        Kept(str(folder), f"its {GOLDEN_RECORD} does not say that it was made of {snapshot}")
                    )
                    continue
                ours = f"its {GOLDEN_RECORD} says that it was made of {snapshot}"
                gone = "that snapshot is gone, and no environment was made of it"
                size = size_of(folder)
                yield Finding("golden", str(folder), ours, gone, "remove it", size, "", identity_of(folder))

    def _snapshots(self) -> Iterator[Finding]:
        for folder in self.layout.snapshots.glob(f"{PARTIAL}*"):
            if is_locked(self.layout.snapshots / LOCK):
                self.kept.append(Kept(str(folder), "a capture or removal is under way"))
            else:
                ours = "it is named as what captures and removals leave while they are at work is"
                gone = "none is under way: who left it has died"
                action = "remove what no snapshot refers to"
                yield Finding("snapshot", str(folder), ours, gone, action, 0, "", identity_of(folder))

    def _leases(self) -> Iterator[Finding]:
        for path in sorted(self.layout.registry.glob("*.lease")):
            holder = holder_of(self.layout.registry, path.stem)
            if holder is None or not self.unowned(path.stem, str(path)):
                continue
            ours = f"it is the lease of `{holder.command}` ({holder.describe()})"
            gone = "its holder has died, and no record names the environment"
            yield Finding("lease", str(path), ours, gone, "remove it", size_of(path), path.stem, (holder.token,))

    def _drafts(self) -> Iterator[Finding]:
        for path in sorted(self.layout.registry.glob(".*.tmp")):
            match = re.fullmatch(r"\..+\.(\d+)\.tmp", path.name)
            if match and not process_start(int(match[1])):
                ours, gone = "it is named as a record being written is", f"process {match[1]}, which wrote it, has died"
                yield Finding("record", str(path), ours, gone, "remove it", size_of(path), "", identity_of(path))

    def _states(self, urls: set[str]) -> Iterator[Finding]:
        for url in sorted({*urls, *self.backends}):
            if "://" in url.removeprefix("file://") or not state_is_there(url):
                continue  # other machines may keep their environments in a shared one
            backend = self.tools.backend(url)
            for summary in backend.stacks(self.layout.directory.rpartition("-")[0]):
                name = summary.reference.stack
                place = f"stack {summary.reference.qualified} in {url}"
                if self.owned(name):
                    continue
                holder = holder_of(self.layout.registry, name)
                text, ours = json.dumps(backend.export(summary.reference)), ""
                roots = [environments / name for environments in self.environments]
                if root := next((root for root in roots if json.dumps(f"{root}/")[1:-1] in text), None):
                    ours = f"its resources lie below {root}"
                elif holder is not None and not summary.resource_count:
                    ours = f"it is empty, and `{holder.command}`, which died, was about to fill it"
                if not ours:
                    self.kept.append(Kept(place, "nothing in it proves that it was an environment of this machine"))
                elif self.unowned(name, place):
                    gone = f"no record names {name}"
                    yield Finding("state", place, ours, gone, "remove it with its history", 0, name, (url,))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _golden_snapshot(folder: Path) -> str:
    try:
        return base_of(str(json.loads((folder / GOLDEN_RECORD).read_text(encoding="utf-8"))["snapshot"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _uncommitted(folder: Path) -> str:
    """The first path with work that is in no commit, below any checkout of an environment's folder; "" for none."""
    from dataops.infra.providers.local.git_worktree import unsaved_work

    for worktree in sorted((folder / "code").glob("*")):
        if work := unsaved_work(worktree):
            return f"{worktree.name}/{work[0]}"
    return ""
