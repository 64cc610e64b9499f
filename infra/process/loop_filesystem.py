"""File systems in a file: making the image, mounting it by a loop device, and the line that mounts it at boot."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ConfigurationError, NotFoundError, ResourceError
from dataops.infra.process.commands import CommandError, run_command

FSTAB = Path("/etc/fstab")
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
"""Where the programs lie that make and mount file systems: often not on the PATH of ordinary users."""

PACKAGES = {"xfs": "xfsprogs", "btrfs": "btrfs-progs"}
SMALLEST = {"xfs": 320 << 20, "btrfs": 128 << 20}
"""Bytes below which the file system cannot be made."""

_MAKE = {
    "xfs": ("mkfs.xfs", "-q", "-f", "-m", "reflink=1", "-L"),
    "btrfs": ("mkfs.btrfs", "-q", "-f", "-L"),
}
_MAGIC = {"xfs": (0, b"XFSB", 108, 12), "btrfs": (0x10040, b"_BHRfS_M", 0x1012B, 256)}
"""Where a kind has its mark, the mark, and where its label lies and how long it may be."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a file holds: the kind of file system, its label, and how large the file is."""

    kind: str
    label: str
    size: int


def look_at_image(path: Path) -> Image | None:
    """What a file holds; None when there is no file. The kind is "" when it is no file system that we make.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for kind, (place, magic, at, length) in _MAGIC.items():
                if os.pread(file.fileno(), len(magic), place) == magic:
                    label = os.pread(file.fileno(), length, at).partition(b"\0")[0]
                    return Image(kind, label.decode(errors="replace"), size)
            return Image("", "", size)
    except FileNotFoundError:
        return None


def make_image(path: Path, kind: str, size: int, label: str) -> None:
    """Makes a sparse file with an empty file system. It has its name once it is complete; needs no root.

    Raises:
        NotFoundError: the program that makes such file systems is missing.
        ConfigurationError: the size is less than such a file system needs.
        ResourceError: there is no room, or the program fails.
    """
    if size < SMALLEST[kind]:
        least = SMALLEST[kind] >> 20
        raise ConfigurationError(f"{size >> 20} MiB are too few for {kind}: it needs {least} MiB", where="--size")
    program = find_program(_MAKE[kind][0], PACKAGES[kind])
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise ResourceError(
            f"there is no room for {size / 2**30:.1f} GiB: {free / 2**30:.1f} GiB are free",
            where=str(path.parent),
            hint="choose a smaller --size, or another disk with --path",
        )
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "rb") as file:
            os.truncate(file.fileno(), size)
            run_command([program, *_MAKE[kind][1:], label, partial], purpose=f"make a {kind} file system")
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def find_program(name: str, package: str) -> str:
    """The path of a system program.

    Raises:
        NotFoundError: it is missing; the hint is the package that has it.
    """
    if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"):
        return found
    raise NotFoundError(f"{name} is not installed", hint=f"apt-get install {package}")


def mount(image: Path, folder: Path, kind: str, options: str) -> None:
    """Mounts an image; needs root.

    Raises:
        ResourceError: the system refuses; the details are what `mount` said.
    """
    try:
        run_command(["mount", "-t", kind, "-o", options, image, folder], purpose=f"mount {image}")
    except CommandError as error:
        hint = f"a kernel with {kind} and loop devices is needed; in a container, run it privileged or on the host"
        raise ResourceError(error.what, where=str(folder), details=error.details, hint=hint) from error


def unmount(folder: Path) -> None:
    """Unmounts what is mounted on a folder; needs root.

    Raises:
        ResourceError: somebody works in it.
    """
    try:
        run_command(["umount", folder], purpose=f"unmount {folder}")
    except CommandError as error:
        hint = f"end what works in it; `fuser -vm {folder}` lists that"
        raise ResourceError(error.what, where=str(folder), details=error.details, hint=hint) from error


def image_mounted_on(folder: Path) -> Path | None:
    """The file whose file system is mounted on a folder by a loop device; None when there is no such thing."""
    if not os.path.ismount(folder):
        return None
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        if _unescaped(left.split()[4]) == str(folder.resolve()) and right.split()[1].startswith("/dev/loop"):
            backing = Path("/sys/block", Path(right.split()[1]).name, "loop", "backing_file")
            try:
                return Path(backing.read_text(encoding="utf-8").rstrip("\n"))
            except OSError:
                return None
    return None


def boot_line(image: Path, folder: Path, kind: str, options: str) -> str:
    """The line of /etc/fstab that mounts an image when the system starts, which it does even without the image."""
    return f"{_escaped(image)} {_escaped(folder)} {kind} {options},nofail 0 0"


def add_boot_line(line: str, fstab: Path = FSTAB) -> None:
    """Adds a line to the table of file systems, unless it is there; needs root.

    Raises:
        OSError: the table cannot be written.
    """
    text = fstab.read_text(encoding="utf-8") if fstab.exists() else ""
    if line not in text.splitlines():
        _replace(fstab, text + ("" if text.endswith("\n") or not text else "\n") + line + "\n")


def remove_boot_lines(folder: Path, fstab: Path = FSTAB) -> bool:
    """Takes the lines of a mount point out of the table of file systems; whether there was one. Needs root."""
    lines = fstab.read_text(encoding="utf-8").splitlines(keepends=True) if fstab.exists() else []
    kept = [line for line in lines if line.split()[1:2] != [_escaped(folder)] or line.startswith("#")]
    if len(kept) == len(lines):
        return False
    _replace(fstab, "".join(kept))
    return True


def _replace(path: Path, text: str) -> None:
    """Writes a system file whole or not at all, with the mode it has."""
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def _escaped(path: Path) -> str:
    """A path as fstab has it: blanks and backslashes in octal."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in str(path))


def _unescaped(text: str) -> str:
    parts = text.split("\\")
    return parts[0] + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts[1:])
