"""Where unix sockets lie: their paths may have 107 bytes, and who connects must be able to traverse them."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.process.users import ServerUser

LONGEST = 107


def socket_directory(preferred: Path, longest_name: str, user: ServerUser | None = None) -> Path:
    """The directory for sockets: `preferred`, or a fixed one below the system's temporary directory.

    The second when a path would be too long, or when `user`, who makes the socket, may not traverse `preferred`.

    Args:
        preferred: where it belongs; existing.
        longest_name: the longest file name that will be made in it.
        user: the server's user, if it is not oneself.
    """
    short = len(os.fsencode(preferred / longest_name)) <= LONGEST
    if short and (user is None or user.reaches(preferred)):
        return preferred
    return fallback_directory(preferred)


def fallback_directory(preferred: Path) -> Path:
    """The substitute for `preferred`: a name that depends on it alone, so that it is found again."""
    digest = hashlib.sha256(os.fsencode(preferred.absolute())).hexdigest()[:16]
    base = Path("/tmp")  # not gettempdir(): later commands may have another TMPDIR
    return (base if base.is_dir() else Path(tempfile.gettempdir())) / f"dataops-{os.geteuid()}-{digest}"


STANDS_FOR = "stands-for"
"""The file in a substitute directory that names the one it stands for."""


def make_socket_directory(directory: Path, preferred: Path, user: ServerUser | None = None) -> None:
    """Makes the directory for sockets; a substitute says what it stands for, so that it can be told whose it is.

    Raises:
        ResourceError: the path belongs to another user or is no directory.
    """
    make_private(directory, user)
    if directory != preferred:
        (directory / STANDS_FOR).write_text(str(preferred.absolute()), encoding="utf-8")


def substitutes() -> dict[Path, Path]:
    """This user's substitute directories that say what they stand for: their path to the other one."""
    found = {}
    some = fallback_directory(Path("/"))
    for directory in some.parent.glob(f"{some.name.rpartition('-')[0]}-*"):
        try:
            if not directory.is_symlink():
                found[directory] = Path((directory / STANDS_FOR).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def make_private(directory: Path, user: ServerUser | None = None) -> None:
    """Makes a directory that only its owner enters, and refuses one that somebody else has put there.

    Raises:
        ResourceError: the path belongs to another user or is no directory.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    owners = {os.geteuid()} | ({user.uid} if user else set())
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
        raise ResourceError(f"{directory} belongs to somebody else", hint="remove it, it is needed for sockets")
    directory.chmod(0o700)
    if user:
        user.own(directory)
