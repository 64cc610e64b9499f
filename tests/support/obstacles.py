"""What may be wrong with a machine: a full disk, a folder that cannot be written, a port that somebody takes."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dataops.envs.sweep import processes_of
from support.console import Outcome
from support.scratch_platform import ScratchPlatform

CLONE_NEWNS = 0x00020000
LIMITED = 'trap "" XFSZ && exec prlimit --fsize="$0":unlimited "$@"'
"""With the signal ignored, what is too large is an error of the write that meets the limit."""
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


def may_mount() -> bool:
    """Whether this process may mount file systems in a mount namespace of its own."""
    if os.geteuid() != 0:
        return False
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@contextmanager
def small_file_system(size: int) -> Iterator[Path]:
    """A file system of `size` megabytes, which this process and its children see and nobody else."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    folder = Path(tempfile.mkdtemp(prefix="dataops-disk-", dir="/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=0755", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@dataclass(frozen=True)
class FullDisk:
    """A platform whose disk can be full for a while.

    Args:
        shop: the platform.
        folder: the small file system that it lies on; None where none can be had: then a limit on the size of the
            files that a command writes stands in for it, which writes meet in the same places.
    """

    shop: ScratchPlatform
    folder: Path | None

    def run(self, room: int, *words: str) -> Outcome:
        """Runs `dataops` with the words while `room` bytes are left, or no file may have more."""
        if self.folder is None:
            try:
                return self.shop.run(*words, prefix=("sh", "-c", LIMITED, str(room)))
            finally:
                for pid in processes_of(self.shop.home):  # such as a supervisor that it has started
                    with suppress(ProcessLookupError):
                        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        filler = self.folder / "filler"
        with open(filler, "wb") as file:
            left = shutil.disk_usage(self.folder).free - room
            os.posix_fallocate(file.fileno(), 0, left)
        try:
            return self.shop.run(*words)
        finally:
            filler.unlink()


def read_only(folder: Path, shop: ScratchPlatform, *words: str) -> Outcome:
    """Runs `dataops` with the words while nothing below a folder can be written by it."""
    if os.geteuid() == 0:
        return shop.run(*words, prefix=("unshare", "--mount", "sh", "-c", READ_ONLY, str(folder)))
    below = [folder, *(Path(at, name) for at, names, _ in os.walk(folder) for name in names)]
    modes = {path: path.stat().st_mode for path in below}
    try:
        for path in below:
            path.chmod(modes[path] & 0o555)
        return shop.run(*words)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def greedy(choices: Sequence[Callable[[], int]]) -> Iterator[list[int]]:
    """Takes each port as soon as it is known to be chosen, before whoever chose it can listen; once for each choice.

    Args:
        choices: each gives the port that was chosen, raising `OSError`, `ValueError` or `KeyError` before that.

    Yields:
        the ports that were taken.
    """
    taken: list[int] = []
    held: list[socket.socket] = []
    over = threading.Event()

    def take() -> None:
        waiting = list(choices)
        while waiting and not over.wait(0.001):
            for choice in list(waiting):
                with suppress(OSError, ValueError, KeyError):
                    port = choice()
                    listener = socket.socket()
                    held.append(listener)
                    listener.bind(("127.0.0.1", port))
                    listener.listen()
                    taken.append(port)
                    waiting.remove(choice)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()
        for listener in held:
            listener.close()
