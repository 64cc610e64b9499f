"""Real pools: file systems on which copies share blocks, made in a small file where whoever runs the tests may mount.

Where that cannot be done `left_out` says why, and the end of the test run tells it; in CI it is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dataops.envs.pool import PoolRequest, create
from dataops.infra.errors import ResourceError
from dataops.infra.platform.pool import Pool
from dataops.infra.process.loop_filesystem import PACKAGES, SMALLEST, SYSTEM_PATH, make_image

KINDS = ("xfs", "btrfs")


@contextmanager
def shared_blocks(folder: Path, kind: str = "xfs", megabytes: int = 0) -> Iterator[Path]:
    """Mounts an empty file system on an existing, empty folder, for whoever runs the tests; it is gone at the end."""
    with mounted(folder, kind, megabytes):
        yield folder


@contextmanager
def whole_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mounts a file system as `shared_blocks` does, that writes at once whatever it is given; gives the disk's image.

    What is removed stays on the disk as long as nothing else is written there.
    """
    with mounted(folder, "xfs", megabytes, "sync", "nodiscard") as image:
        yield image


@contextmanager
def mounted(folder: Path, kind: str, megabytes: int, *options: str) -> Iterator[Path]:
    """Mounts an empty file system for whoever runs the tests; gives its image."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "image")
        make_image(image, kind, megabytes << 20 or SMALLEST[kind], "tests")
        _as_root("mount", "-t", kind, "-o", ",".join(["loop", "noatime", *options]), str(image), str(folder))
        try:
            _as_root("chown", f"{os.geteuid()}:{os.getegid()}", str(folder))
            yield image
        finally:
            unmount(folder)


def make_pool(request: PoolRequest, home: Path) -> Pool:
    """Makes a pool as whoever runs the tests, typing as root what it says has to be."""
    try:
        return create(request, home).pool
    except ResourceError as error:
        if os.geteuid() == 0:
            raise
        for line in (error.details or "").splitlines():
            subprocess.run(line, shell=True, check=True)
        return create(request, home).pool


def unmount(folder: Path) -> None:
    """Unmounts what is mounted on a folder, if anything is."""
    if os.path.ismount(folder):
        _as_root("umount", "--lazy", str(folder))


def _as_root(*words: str) -> None:
    subprocess.run([*([] if os.geteuid() == 0 else ["sudo", "-n"]), *words], check=True, capture_output=True)


@cache
def left_out() -> str:
    """Why tests on a real pool are left out on this machine; "" when they are run, which in CI they must be."""
    why = _obstacle()
    if why and os.environ.get("CI") == "true":
        raise RuntimeError(f"tests on a real pool cannot be run in CI: {why}")
    return why


def _obstacle() -> str:
    missing = [PACKAGES[kind] for kind in KINDS if not shutil.which(f"mkfs.{kind}", path=SYSTEM_PATH)]
    if missing:
        return f"they need {' and '.join(missing)}: apt-get install {' '.join(missing)}"
    try:
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as folder, shared_blocks(Path(folder), kind):
                pass
    except FileNotFoundError:
        return "they mount a file system, which needs root or sudo"
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        return f"they mount a file system, which cannot be done here: {said}"
    return ""
