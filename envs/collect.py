"""`dataops gc`: removes what nobody owns of one platform, and nothing else.

`plan` finds and freezes; `perform` carries out exactly that, each thing under its own lock and only if it is still the
thing that was found and still unowned. A preview prints the same plan.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataops.envs.down import remove_held
from dataops.envs.findings import Finding, Kept, at_work, same
from dataops.envs.images import built_references
from dataops.envs.lock import Lease, hold
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import Registry
from dataops.envs.stack import Tools
from dataops.envs.sweep import doomed_path, processes_of
from dataops.envs.unowned import Search
from dataops.infra.errors import DataopsError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process.built_images import built_images, remove_image
from dataops.infra.process.docker_engine import DockerEngine, Owned
from dataops.infra.process.identity import process_start
from dataops.infra.process.removal import remove_tree
from dataops.snapshots.golden import remove_golden
from dataops.snapshots.store import locked
from dataops.snapshots.sweep import sweep

Say = Callable[[Finding, str], None]
"""Is told of each finding when it was dealt with: with "" when it is gone, else with why it was left."""


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """What would be removed of a platform, and what is left alone although it looks unowned."""

    platform: str
    findings: tuple[Finding, ...]
    kept: tuple[Kept, ...]

    @property
    def bytes(self) -> int:
        """What the findings take on the disk."""
        return sum(finding.bytes for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The plan as `-o json` prints it."""
        shown = [{k: v for k, v in asdict(f).items() if k != "identity"} for f in self.findings]
        kept = [asdict(k) for k in self.kept]
        return {"platform": self.platform, "findings": shown, "kept": kept, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of a plan: what is gone, and what was left, with why."""

    plan: CollectionPlan
    removed: tuple[Finding, ...]
    left: tuple[tuple[Finding, str], ...]

    def to_json(self) -> dict[str, Any]:
        """The outcome as `-o json` prints it."""
        left = [{"kind": f.kind, "place": f.place, "why": why} for f, why in self.left]
        freed = sum(finding.bytes for finding in self.removed)
        removed = [{"kind": f.kind, "place": f.place} for f in self.removed]
        return {**self.plan.to_json(), "removed": removed, "left": left, "freed": freed}


def plan(layout: PlatformLayout, tools: Tools, backends: tuple[str, ...] = ()) -> CollectionPlan:
    """Finds what nobody owns of a platform; changes nothing.

    Args:
        layout: the platform's files.
        tools: see `Tools`.
        backends: backends to look into beside those that the platform's records name.
    """
    search = Search(layout, tools, backends)
    findings = search.findings()
    return CollectionPlan(layout.directory, findings, tuple(dict.fromkeys(search.kept)))


def perform(made: CollectionPlan, layout: PlatformLayout, tools: Tools, say: Say) -> Collected:
    """Removes what a plan lists. What has changed since, or has found an owner, is left, with the reason."""
    search = Search(layout, tools)
    removed: list[Finding] = []
    left: list[tuple[Finding, str]] = []
    for name in dict.fromkeys(finding.name for finding in made.findings):
        part = [finding for finding in made.findings if finding.name == name]
        try:
            with _held(layout, name) as lease:
                for finding in part:
                    why = _remove(finding, layout, tools, search, lease)
                    say(finding, why)
                    removed += [finding] if not why else []
                    left += [(finding, why)] if why else []
        except DataopsError as error:  # somebody has begun to work on it
            for finding in part:
                if finding not in removed:
                    say(finding, error.what)
                    left.append((finding, error.what))
    return Collected(made, tuple(removed), tuple(left))


def _held(layout: PlatformLayout, name: str) -> AbstractContextManager[Lease]:
    return hold(layout.registry, name, "gc") if name else nullcontext(Lease())


def _remove(finding: Finding, layout: PlatformLayout, tools: Tools, search: Search, lease: Lease) -> str:
    """Removes one thing; why not, if it was left."""
    if finding.kind == "verification":
        return _throwaway(finding, layout, tools, lease)
    if finding.name and (layout.registry / f"{finding.name}.json").exists():
        return "there is a record of it now"
    try:
        return _REMOVERS[finding.kind](finding, layout, tools)
    except DataopsError as error:
        return error.what
    except OSError as error:
        return f"{error.strerror or error}"


def _throwaway(finding: Finding, layout: PlatformLayout, tools: Tools, lease: Lease) -> str:
    """Takes down what a command made for itself before it died, from its record and its state."""
    registry = Registry(layout.registry)
    record = registry.load(finding.name)
    if record is None or not record.purpose or (record.created,) != finding.identity:
        return "it is another one now"
    try:
        remove_held(finding.name, registry, tools, PhaseClock(lambda event: None), force=True, lease=lease)
    except DataopsError as error:
        return error.what
    return ""


def _engine(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    engine, (root,) = DockerEngine(), finding.identity
    owned = Owned(finding.kind, finding.place, root)
    if owned in engine.owned(root):
        engine.remove(owned)
    return ""


def _image(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    engine, (image_id, *running) = DockerEngine(), finding.identity
    named = [each for each in built_images(engine, layout.root) if each.reference == finding.place]
    if not named:
        return ""
    if named[0].image_id != image_id:
        return "it is another one now"
    if running:
        record = Registry(layout.registry).load(named[0].environment)
        if record is not None and ([*built_references(record)] != running or at_work(layout, record)):
            return f"somebody works on {record.name}"
    return "" if remove_image(engine, finding.place) else "a container was made from it"


def _process(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    from dataops.infra.process.processes import end_process

    pid, start = int(finding.identity[0]), finding.identity[1]
    if process_start(pid) == start:
        end_process(pid)
    return "it does not end" if process_start(pid) == start else ""


def _environment(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    place = Path(finding.place)
    from dataops.infra.providers.local.git_worktree import repositories_of

    if not same(finding):
        return "it is another folder now"
    if running := processes_of(place):
        return f"processes work in it: {', '.join(map(str, sorted(running)))}"
    repositories = repositories_of(place / "code")
    if not place.name.startswith("."):
        # a rename first: a crash in the middle leaves nothing that looks like an environment
        remove_tree(doomed_path(place))
        place.rename(doomed_path(place))
        place = doomed_path(place)
    remove_tree(place)
    for repository in repositories:
        from dataops.infra.providers.local.git_worktree import forget_missing_worktrees

        forget_missing_worktrees(repository)
    return ""


def _folder(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    if not same(finding):
        return "it is another one now"
    remove_tree(Path(finding.place))
    return ""


def _golden(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    if not same(finding):
        return "it is another one now"
    remove_golden(Path(finding.place))
    return ""


def _snapshot(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    with locked(layout.snapshots):
        sweep(layout.snapshots, layout.keys)
    return ""


def _state(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    from dataops.infra.state.backend import StackReference

    backend = tools.backend(finding.identity[0])
    reference = StackReference(layout.directory.rpartition("-")[0], finding.name)
    if backend.exists(reference):
        backend.remove(reference, force=True)
    return ""


def _worktree(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    from dataops.infra.providers.local.git_worktree import forget_missing_worktrees

    forget_missing_worktrees(Path(finding.identity[0]))
    return ""


def _lease(finding: Finding, layout: PlatformLayout, tools: Tools) -> str:
    """It was taken over by holding it, and goes when it is let go."""
    return ""


_Remover = Callable[[Finding, PlatformLayout, Tools], str]
_REMOVERS: dict[str, _Remover] = {
    "container": _engine,
    "network": _engine,
    "volume": _engine,
    "image": _image,
    "process": _process,
    "state": _state,
    "worktree": _worktree,
    "environment": _environment,
    "sockets": _folder,
    "golden": _golden,
    "snapshot": _snapshot,
    "lease": _lease,
    "record": _folder,
}
