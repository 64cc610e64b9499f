"""Where things lie on the local target.

    <home>/                              DATAOPS_HOME; by default /var/lib/dataops for root, else ~/.local/share/dataops
    ├── postgres/<build>/                server binaries that every user may read, copied from the wheel
    ├── pool.json                        where the pool is, if there is one
    ├── pool/                            a file system whose copies share blocks: platforms/<platform>/ with the golden
    │                                    directories and replicas that are made from then on
    └── platforms/<platform>/            one per repository: `<name>-<8 hex of the repository's path>`
        ├── keys/                        0700: masking key, store key, signing key
        ├── registry/<environment>.json  what is known of each environment, written before anything is made
        ├── images/<commit>.json         which images the names in `images:` meant when the commit was first made
        ├── snapshots/<id>/              manifest.json, written last, the index of its chunks, and its key
        ├── snapshots/chunks/            the data of all snapshots, encrypted, equal pieces once
        ├── golden/<key>/                one restored, stopped, read-only Postgres directory per snapshot and server
        └── environments/<environment>/
            ├── code/<12 hex of commit>/ git worktree
            ├── venv/<12 hex>/           virtual environment, by hash of the requirements
            ├── postgres/                data directory of the environment's own cluster
            ├── lake/                    objects
            ├── s3/                      0700, with containers: what the server of the lake keeps beside it
            ├── supervisor/              configuration, socket and pid of the process supervisor
            ├── ports/                   the port of each service that was removed, in case it comes back
            ├── logs/                    one file per process; runs/<pipeline>/<run>/<step>.log
            ├── runner/                  plan.json, what to run and when; per pipeline a lock, a cursor, a pause
            ├── environment.env          0600: the environment's variables
            └── endpoints.json           written last

Postgres refuses to run as root, so as root it runs as an unprivileged user, who must be able to traverse the path: that
is why the home is not below the repository, which may lie under a 0700 home directory.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.platform.pool import Pool, read_pool

DEPLOYED = ("production", "staging")
"""Environments that are nobody's copy: they gain nothing from a pool, whose image stops growing with a full disk."""

GOLDEN_RECORD = "golden.json"
"""In a golden directory: what it is; its presence says that it is complete."""


def default_home() -> Path:
    """`DATAOPS_HOME`, else /var/lib/dataops for root, else dataops below `XDG_DATA_HOME` or ~/.local/share."""
    if named := os.environ.get("DATAOPS_HOME"):
        return Path(named).absolute()
    return usual_home()


def usual_home() -> Path:
    """Where everything lies when `DATAOPS_HOME` does not say."""
    if os.geteuid() == 0:
        return Path("/var/lib/dataops")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "dataops"


@dataclass(frozen=True, slots=True)
class EnvironmentLayout:
    """The paths of one environment; `root` is `…/environments/<name>`."""

    root: Path

    @property
    def golden(self) -> Path:
        """The golden directories that it is cloned from: beside it, since only one file system can share blocks."""
        return self.root.parent.parent / "golden"

    def code(self, commit: str) -> Path:
        """The worktree of a commit."""
        return self.root / "code" / commit[:12]

    def venv(self, key: str) -> Path:
        """The virtual environment for the requirements whose hash is `key`."""
        return self.root / "venv" / key[:12]

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def runs(self) -> Path:
        return self.root / "logs" / "runs"

    @property
    def runner(self) -> Path:
        return self.root / "runner"

    @property
    def plan(self) -> Path:
        return self.root / "runner" / "plan.json"

    @property
    def variables(self) -> Path:
        return self.root / "environment.env"

    @property
    def endpoints(self) -> Path:
        return self.root / "endpoints.json"


@dataclass(frozen=True, slots=True)
class PlatformLayout:
    """The paths of one platform below a home."""

    home: Path
    directory: str

    @classmethod
    def of(cls, name: str, repository: Path, home: Path | None = None) -> PlatformLayout:
        """The layout for the platform `name` whose git repository (its common directory) is `repository`."""
        digest = hashlib.sha256(str(repository.resolve()).encode()).hexdigest()[:8]
        return cls(home or default_home(), f"{name}-{digest}")

    @property
    def root(self) -> Path:
        return self.home / "platforms" / self.directory

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    def images(self, commit: str) -> Path:
        """What the names of images meant for a commit, see `dataops.infra.platform.image_pins`."""
        return self.root / "images" / f"{commit}.json"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def pool(self) -> Pool | None:
        """The pool of this home, None when it has none."""
        return read_pool(self.home)

    @property
    def places(self) -> tuple[Path, ...]:
        """The folders that environments and golden directories of the platform may lie below."""
        pool = self.pool
        return (self.root, pool.mount / "platforms" / self.directory) if pool else (self.root,)

    @property
    def golden(self) -> Path:
        """The golden directories of replicas that are yet to be made."""
        return self.places[-1] / "golden"

    def environment(self, name: str) -> EnvironmentLayout:
        """The paths of the environment `name`: where it is, else where it will be.

        A replica lies in the pool unless it was made before there was one.
        """
        roots = [place / "environments" / name for place in self.places]
        return EnvironmentLayout(roots[0] if name in DEPLOYED or roots[0].exists() else roots[-1])

    def require_pool(self, root: Path) -> None:
        """Makes sure that the pool is there, if an environment's folder lies or will lie in it.

        Raises:
            ResourceError: it is not mounted, or is being removed; the hint is what to type.
        """
        pool = self.pool
        if pool is not None and root.is_relative_to(pool.mount):
            pool.require()
