"""What an environment has on this machine, found by looking rather than by any record; and removing it.

Everything of an environment lies below its root, and its processes work there, so what can be proved to be its own is
what refers to that folder. This is the second line of `env down`: the first one is the state, which knows every
resource, but a crash may have come between a deed and its record, and the state may have gone with the repository.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.environment import ROOT
from dataops.infra.process.ports import is_free
from dataops.infra.process.removal import remove_tree

PATIENCE = 10.0
"""Seconds that processes have to end by themselves."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is left of an environment: processes as `pid command`, paths, ports that still answer."""

    processes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()

    def lines(self) -> list[str]:
        """One line for each thing that is left."""
        found = [f"process {process}" for process in self.processes]
        return found + [f"path {path}" for path in self.paths] + [f"port {port}" for port in self.ports]


def check_root(root: Path) -> None:
    """Makes sure that a record's root is the folder of one environment and nothing more, since it will be removed.

    Raises:
        ResourceError: it is not of the form `…/platforms/<platform>/environments/<name>`.
    """
    if (
        not root.is_absolute()
        or ".." in root.parts
        or root.parts[-4:-3] + root.parts[-2:-1]
        != (
            "platforms",
            "environments",
        )
    ):
        raise ResourceError(
            "the record names a folder that is not an environment's; nothing was removed", where=str(root)
        )


def processes_of(root: Path) -> dict[int, str]:
    """The processes that belong to the environment at `root`, id to program.

    They run from it or work in it, or carry its mark: the variable that the supervisor hands down.

    Left out are this process and those it descends from, and what has a terminal: a developer may stand in the folder.
    """
    import psutil

    # the kernel tells resolved paths; of the root itself only what leads to it is resolved, lest it be a link
    roots = {root, root.parent.resolve() / root.name}
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, str] = {}
    for process in psutil.process_iter():
        try:
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.terminal() is None and (
                any(_is_below(process.cwd, path) or _is_below(process.exe, path) for path in roots)
                or any(_mentions(word, path) for word in process.cmdline() for path in roots)
                or _mark_of(process) in map(str, roots)
            ):
                found[process.pid] = process.name()
        except psutil.Error:
            continue
    return found


def environment_processes(environments: Path) -> dict[int, tuple[str, str]]:
    """The processes below the folder of all environments: id to program, and to the name of the environment.

    Only what works there, runs from there or carries the mark counts, not who merely mentions a path.
    """
    import psutil

    bases = [f"{base}/" for base in (environments, environments.parent.resolve() / environments.name)]
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, tuple[str, str]] = {}
    for process in psutil.process_iter():
        try:
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE or process.terminal() is not None:
                continue
            for text in (_path_of(process.cwd), _path_of(process.exe), f"{_mark_of(process)}/"):
                if base := next((base for base in bases if text.startswith(base)), ""):
                    name = text.removeprefix(base).partition("/")[0]
                    found[process.pid] = (process.name(), name.removeprefix(".").removesuffix(".removed"))
                    break
        except psutil.Error:
            continue
    return found


def end_processes(root: Path, patience: float = PATIENCE) -> list[str]:
    """Ends the environment's processes, politely first; returns what they were."""
    import psutil

    ended: dict[int, str] = {}
    for forced in (False, True):
        # Whoever ends may be restarted by its supervisor once more, so look again until there is nobody.
        for _ in range(5):
            found = processes_of(root)
            if not found:
                break
            ended |= found
            running = [psutil.Process(pid) for pid in found if psutil.pid_exists(pid)]
            for process in running:
                try:
                    process.kill() if forced else process.terminate()
                except psutil.Error:
                    continue
            psutil.wait_procs(running, timeout=patience / 5)
    return [f"{pid} {name}" for pid, name in sorted(ended.items())]


def remove_files(root: Path) -> None:
    """Removes the environment's folder and the folders for sockets that stand in for folders below it.

    Raises:
        ResourceError: something cannot be removed.
    """
    from dataops.infra.process.sockets import fallback_directory

    for place in (root / "postgres", root / "supervisor", root / "sockets", root):
        shutil.rmtree(fallback_directory(place), ignore_errors=True)
    # A rename first: a crash in the middle leaves nothing that looks like an environment.
    doomed = doomed_path(root)
    try:
        remove_tree(doomed)
        if root.exists() or root.is_symlink():
            root.rename(doomed)
            remove_tree(doomed)
    except OSError as error:
        raise ResourceError(f"it cannot be removed: {error.strerror}", where=str(error.filename or root)) from None


def doomed_path(root: Path) -> Path:
    """What an environment's folder is called while it is being removed."""
    return root.with_name(f".{root.name}.removed")


def leftovers(root: Path, ports: Iterable[int], patience: float = 2.0) -> Leftovers:
    """What is left of the environment after all; ports get a moment to become free."""
    deadline = time.monotonic() + patience
    busy = tuple(port for port in ports if not is_free(port))
    while busy and time.monotonic() < deadline:
        time.sleep(0.05)
        busy = tuple(port for port in busy if not is_free(port))
    return Leftovers(
        processes=tuple(f"{pid} {name}" for pid, name in sorted(processes_of(root).items())),
        paths=tuple(str(path) for path in (root, doomed_path(root)) if path.exists() or path.is_symlink()),
        ports=busy,
    )


def _mark_of(process: Any) -> str:
    import psutil

    try:
        return str(process.environ().get(ROOT, ""))
    except (psutil.Error, OSError):
        return ""


def _is_below(get: object, root: Path) -> bool:
    path = _path_of(get)
    return bool(path) and _mentions(path, root)


def _path_of(get: object) -> str:
    import psutil

    try:
        path = get() if callable(get) else ""
    except (psutil.AccessDenied, OSError):
        return ""
    return str(path or "").removesuffix(" (deleted)")


def _mentions(word: str, root: Path) -> bool:
    text = str(root)
    start = word.find(text)
    return start >= 0 and word[start + len(text) : start + len(text) + 1] in ("", "/")
