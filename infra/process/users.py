"""The user as whom a server runs: oneself, or for root an unprivileged system user, since Postgres refuses root."""

from __future__ import annotations

import os
import pwd
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.process.commands import CommandError, run_command

SERVER_USER = "dataops-postgres"
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ServerUser:
    """A user of the operating system; `dropped` says that it is another one than the user running dataops."""

    name: str
    uid: int
    gid: int
    dropped: bool

    def own(self, path: Path) -> None:
        """Makes `path` this user's; nothing to do when it is our own user."""
        if self.dropped:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, path: Path) -> bool:
        """Whether this user may traverse every directory above `path`, going by their modes."""
        if not self.dropped:
            return True
        return all(self._may_search(parent) for parent in path.resolve().parents if parent.exists())

    def _may_search(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def operating_user() -> str:
    """The name of the user running dataops.

    Raises:
        ResourceError: the user id has no entry in the user database, which Postgres' peer authentication needs.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise ResourceError(
            f"the user id {os.geteuid()} has no entry in the user database, without which Postgres cannot run",
            hint="add one to /etc/passwd or run as a named user",
        ) from error


def server_user() -> ServerUser:
    """The user as whom Postgres runs; as root the system user `dataops-postgres`, made when missing.

    Raises:
        ResourceError: the user cannot be made.
    """
    if os.geteuid() != 0:
        return ServerUser(operating_user(), os.geteuid(), os.getegid(), dropped=False)
    return _lookup() or _create()


def _lookup() -> ServerUser | None:
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        return None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, dropped=True)


def _create() -> ServerUser:
    useradd = next((p for p in ("/usr/sbin/useradd", "/sbin/useradd") if Path(p).exists()), "useradd")
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    options += ["--shell", "/usr/sbin/nologin", "--comment", "dataops Postgres"]
    for attempt in range(ATTEMPTS):
        try:
            run_command([useradd, *options, SERVER_USER], purpose=f"make the system user {SERVER_USER}")
        except CommandError as error:
            # useradd fails at once when somebody else has locked the user database, perhaps to make the same user
            if not _lookup() and attempt == ATTEMPTS - 1:
                raise ResourceError(
                    f"the system user {SERVER_USER}, as whom Postgres runs, could not be made",
                    hint=f"make it yourself: useradd --system --user-group {SERVER_USER}",
                    details=error.details,
                ) from error
        if found := _lookup():
            return found
        time.sleep(0.2)
    raise ResourceError(f"the system user {SERVER_USER} was made but cannot be found")
