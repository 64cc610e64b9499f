"""The pool of a home: making it, bringing it back, removing it. Root is needed once, to mount it for its owner.

Each step can be repeated and the record is written last, so whoever was killed half-way runs the same command again;
two at once wait for one another.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dataops.infra.errors import ConfigurationError, NotFoundError, PolicyError, ResourceError
from dataops.infra.platform.pool import LABEL, NOTE, OPTIONS, Pool, read_pool, write_pool
from dataops.infra.platform.pool import RECORD as POOL_RECORD
from dataops.infra.platform.quantities import size_text
from dataops.infra.process import loop_filesystem
from dataops.infra.process.cloning import technique_at
from dataops.infra.process.loop_filesystem import FSTAB, Image, image_mounted_on, look_at_image


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """What the user asked for.

    Args:
        size: bytes; 0 for what is there.
        kind: `xfs` or `btrfs`; "" for what is there, else XFS.
        path: where it is mounted; the image lies beside it. None for `<home>/pool`.
        owner: the ids of user and group who will work in it.
        boot: whether the system is to mount it when it starts.
        fstab: the table of file systems that the system mounts.
    """

    size: int = 0
    kind: str = ""
    path: Path | None = None
    owner: tuple[int, int] = (0, 0)
    boot: bool = False
    fstab: Path = FSTAB


@dataclass(frozen=True, slots=True)
class Created:
    """The pool, and whether there was anything to do."""

    pool: Pool
    changed: bool


def create(request: PoolRequest, home: Path) -> Created:
    """Makes the pool of a home, or finishes one that was begun, or mounts the one that is there.

    Raises:
        ConfigurationError: the size is missing or too small, or there is a pool of another kind, size or place.
        NotFoundError: a program is missing.
        PolicyError: at the place lies something that is not ours.
        ResourceError: there is no room; the system refuses; or root is needed, and the details are what to type.
    """
    _make_folders(home, request.owner)
    with _locked(home):
        recorded = read_pool(home)
        pool = _wanted(request, home, recorded)
        mounted = pool.mounted
        if not mounted:
            _make_image(pool)
            _prepare(pool, request.owner)
        _mount(pool, request)
        if recorded != pool:
            write_pool(home, pool)
        return Created(pool, recorded != pool or not mounted)


def remove(home: Path, fstab: Path = FSTAB) -> Pool:
    """Removes the pool with its golden directories, which are built again where they are needed.

    Raises:
        NotFoundError: there is none.
        PolicyError: an environment lives in it.
        ResourceError: it is not mounted, so nobody can tell; somebody works in it; or root is needed.
    """
    with _locked(home):
        pool = read_pool(home) or _unrecorded(home)
        if pool.mounted:
            _refuse_inhabited(pool)
            write_pool(home, replace(pool, removing=True))  # from here on nothing new is made in it
            try:
                _refuse_inhabited(pool)
            except PolicyError:
                write_pool(home, pool)
                raise
        elif not pool.removing and (home / POOL_RECORD).exists():
            pool.require()
        _unmount(pool, fstab)
        try:
            pool.image.unlink(missing_ok=True)
            (pool.mount / NOTE).unlink(missing_ok=True)
            if pool.mount.is_dir():
                pool.mount.rmdir()
        except PermissionError:
            raise _needs_root("removing the image", [f"sudo rm {shlex.quote(str(pool.image))}"]) from None
        (home / POOL_RECORD).unlink(missing_ok=True)
        return pool


def inhabitants(pool: Pool) -> list[Path]:
    """The folders of the environments that live in a pool."""
    return sorted(path for path in pool.mount.glob("platforms/*/environments/*") if path.is_dir())


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Waits for whoever else makes or removes the pool; a dead one's lock is free."""
    if not home.is_dir():
        raise NotFoundError("there is no pool", where=str(home))
    with open(home / ".pool.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wanted(request: PoolRequest, home: Path, recorded: Pool | None) -> Pool:
    """The pool that is asked for, where there is one already that very pool."""
    mount = request.path or (recorded.mount if recorded else home / "pool")
    image = mount.with_name(f"{mount.name}.img")
    if recorded is not None:
        recorded = replace(recorded, boot=recorded.boot or request.boot)
        if recorded.removing:
            raise PolicyError("the pool is being removed", where=str(mount), hint="finish that with `dataops pool rm`")
        asked = {"kind": request.kind or recorded.kind, "mount": mount, "size": request.size or recorded.size}
        _refuse_other({name: (getattr(recorded, name), value) for name, value in asked.items()}, str(recorded.mount))
        return recorded
    found = look_at_image(image)
    if found is not None and found.label != LABEL:
        raise PolicyError(
            "there is a file that is no image of a pool", where=str(image), hint="move it away, or --path"
        )
    if found is None and not request.size:
        raise ConfigurationError("it must be told how large the pool may become", hint="dataops pool create --size 50G")
    kind, size = request.kind or (found.kind if found else "xfs"), request.size or (found.size if found else 0)
    _refuse_other({"kind": (found.kind, kind), "size": (found.size, size)} if found else {}, str(image))
    return Pool(kind, image, mount, size, request.owner[0], request.boot)


def _refuse_other(facts: dict[str, tuple[object, object]], where: str) -> None:
    for name, (there, asked) in facts.items():
        if there != asked:
            there, asked = (size_text(v) if isinstance(v, int) else v for v in (there, asked))
            raise ConfigurationError(
                f"there is a pool already, and its {name} is {there}, not {asked}",
                where=where,
                hint=f"leave --{'path' if name == 'mount' else name} out, or remove it first: dataops pool rm",
            )


def _make_image(pool: Pool) -> None:
    if look_at_image(pool.image) == Image(pool.kind, LABEL, pool.size):
        return
    if pool.image.exists():
        raise ResourceError(
            "the image of the pool is damaged: it is not what was recorded",
            where=str(pool.image),
            hint="bring it back from a backup, or remove image and record to make an empty pool",
        )
    loop_filesystem.make_image(pool.image, pool.kind, pool.size, LABEL)


def _prepare(pool: Pool, owner: tuple[int, int]) -> None:
    """Makes the folder to mount on, and leaves in it what is seen while nothing is mounted."""
    _make_folders(pool.mount, owner)
    strange = [path.name for path in pool.mount.iterdir() if path.name != NOTE]
    if strange:
        raise PolicyError(
            f"the pool would hide what is there: {', '.join(sorted(strange)[:5])}",
            where=str(pool.mount),
            hint="move it away, or choose another place with --path",
        )
    (pool.mount / NOTE).write_text(pool.mount_command + "\n", encoding="utf-8")


def _mount(pool: Pool, request: PoolRequest) -> None:
    """Mounts the image, gives it to its owner and tries whether copies share blocks."""
    options = OPTIONS[pool.kind]
    line = loop_filesystem.boot_line(pool.image.resolve(), pool.mount, pool.kind, options)
    missing = []
    if not pool.mounted:
        missing.append(pool.mount_command)
    elif (there := image_mounted_on(pool.mount)) != pool.image.resolve():
        what = there or "another file system"
        raise PolicyError(f"{what} is mounted there, not the pool", where=str(pool.mount), hint="umount it, or --path")
    user, group = request.owner
    if not pool.mounted or not os.access(pool.mount, os.W_OK):
        missing.append(f"sudo chown {user}:{group} {shlex.quote(str(pool.mount))}")
    if pool.boot and not (request.fstab.exists() and line in request.fstab.read_text(encoding="utf-8").splitlines()):
        missing.append(f"echo {shlex.quote(line)} | sudo tee -a {request.fstab}")
    if os.geteuid() != 0:
        if missing:
            raise _needs_root("mounting", missing)
    else:
        if not pool.mounted:
            loop_filesystem.mount(pool.image, pool.mount, pool.kind, options)
        os.chown(pool.mount, user, group)
        os.chmod(pool.mount, 0o755)
        if pool.boot:
            loop_filesystem.add_boot_line(line, request.fstab)
    if technique_at(pool.mount) == "copy":
        raise ResourceError(
            f"copies do not share blocks on this {pool.kind}", where=str(pool.mount), hint="try the other --kind"
        )


def _unmount(pool: Pool, fstab: Path) -> None:
    listed = fstab.exists() and any(
        line.split()[1:2] == [str(pool.mount)] for line in fstab.read_text(encoding="utf-8").splitlines()
    )
    if os.geteuid() == 0:
        if pool.mounted:
            loop_filesystem.unmount(pool.mount)
        loop_filesystem.remove_boot_lines(pool.mount, fstab)
    elif pool.mounted or listed:
        folder = shlex.quote(str(pool.mount))
        missing = [f"sudo umount {folder}"] if pool.mounted else []
        missing += [f"sudo sed -i '\\# {pool.mount} #d' {fstab}"] if listed else []
        raise _needs_root("unmounting", missing)


def _needs_root(what: str, commands: list[str]) -> ResourceError:
    return ResourceError(
        f"{what} needs root, once",
        details="\n".join(commands),
        hint="type what stands above, then run the same command again",
    )


def _refuse_inhabited(pool: Pool) -> None:
    if found := inhabitants(pool):
        raise PolicyError(
            f"{len(found)} environments live in the pool: {', '.join(path.name for path in found[:10])}",
            where=str(pool.mount),
            hint="take them down first: " + "; ".join(f"dataops env down {path.name}" for path in found[:3]),
        )


def _unrecorded(home: Path) -> Pool:
    """What a creation that was killed before its record left at the usual place."""
    mount = home / "pool"
    image = mount.with_name("pool.img")
    found = look_at_image(image)
    if found is None or found.label != LABEL:
        raise NotFoundError("there is no pool", where=str(home), hint="make one with `dataops pool create --size 50G`")
    return Pool(found.kind, image, mount, found.size, image.stat().st_uid)


def _make_folders(path: Path, owner: tuple[int, int]) -> None:
    """Makes a folder and those above it that are missing, for their owner."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o755, exist_ok=True)
        if os.geteuid() == 0 and owner[0] != 0:
            os.chown(folder, *owner)
