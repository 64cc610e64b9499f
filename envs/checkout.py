"""The platform that the user stands in: repository, folder, `dataops.yaml`, and where its environments are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.envs.git import Repository
from dataops.infra.errors import ConfigurationError, DataopsError
from dataops.infra.platform.layout import PlatformLayout, default_home

if TYPE_CHECKING:
    from dataops.infra.platform.model import Platform

FILE_NAME = "dataops.yaml"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A platform at hand.

    Args:
        repository: the git repository.
        subdirectory: the platform's folder in it, "" for its top.
        platform: `dataops.yaml`, and `masking.yaml` beside it, as they are in the work tree that the user stands in.
        layout: where the platform's files lie on this machine.
        apart: the folder of an environment that nobody is to know of in the platform's backend, whose state and
            passphrase go with it; None for all others.
    """

    repository: Repository
    subdirectory: str
    platform: Platform
    layout: PlatformLayout
    apart: Path | None = None
    _platforms: dict[str, Platform] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def find(cls, start: Path, home: Path | None = None) -> Checkout:
        """The platform whose folder, or a folder below it, is `start`.

        Raises:
            NotFoundError: `start` is not in a git repository.
            ConfigurationError: there is no `dataops.yaml`, or it is not valid.
        """
        from dataops.infra.platform.loader import load_platform

        repository = Repository.find(start)
        folder = platform_folder(start, repository)
        platform = load_platform(folder / FILE_NAME)
        relative = folder.relative_to(repository.top).as_posix()
        return cls(
            repository,
            "" if relative == "." else relative,
            platform,
            PlatformLayout.of(platform.name, repository.common, home),
        )

    @property
    def folder(self) -> Path:
        """The platform's folder in the main work tree: what relative paths in `dataops.yaml` start from."""
        return self.repository.main / self.subdirectory

    @property
    def backend_url(self) -> str:
        """Where state is kept; the same from every work tree."""
        if self.apart is not None:
            return f"file://{self.apart / '.dataops' / 'state'}"
        named = self.platform.backend
        return named if "://" in named else f"file://{(self.folder / Path(named).expanduser()).resolve()}"

    @property
    def passphrase_source(self) -> dict[str, Any]:
        """How the passphrase is found, with absolute paths, as registry records have it."""
        if self.apart is not None:
            return {"file": str(self.apart / ".dataops" / "passphrase")}
        source = self.platform.passphrase
        if source.file is not None:
            return {"file": str(self.folder / Path(source.file).expanduser())}
        if source.variable is not None:
            return {"variable": source.variable}
        return {"command": list(source.command or ()), "directory": str(self.folder)}

    def branch_platform(self, commit: str) -> Platform:
        """`dataops.yaml` as it is in a commit, read before anything of the commit is run.

        Raises:
            ConfigurationError: the commit has none, or it is not valid; `where` is `file:line`.
        """
        if commit not in self._platforms:  # a commit stays what it is
            self._platforms[commit] = self._platform_at(commit)
        return self._platforms[commit]

    def _platform_at(self, commit: str) -> Platform:
        from dataops.infra.platform.loader import parse_platform
        from dataops.infra.platform.masking_file import masking_file

        path = Path(self.subdirectory) / FILE_NAME
        text = self._file_of(commit, path)
        rules = self.repository.file_at(commit, masking_file(path).as_posix())
        here = self.repository.top / path
        if _text_of(here) == text and _text_of(masking_file(here)) == rules:
            return self.platform
        try:
            return parse_platform(path, text, rules)
        except ConfigurationError as error:
            mend = f"it is so in commit {commit[:12]}: mend it on its branch and commit that"
            error.hint = f"{error.hint}; {mend}" if error.hint else mend
            raise

    def require_program(self, commit: str, target: str) -> None:
        """Makes sure that a commit has a program and what images are built by, before anything is recorded of it.

        Raises:
            ConfigurationError: it has no `Pulumi.yaml` beside `dataops.yaml`, or on `docker` no such Dockerfile.
        """
        folder = Path(self.subdirectory)
        self._file_of(commit, folder / "Pulumi.yaml")
        named = self.branch_platform(commit).dockerfiles() if target == "docker" else {}
        for key, path in named.items():
            if self.repository.file_at(commit, (folder / path).as_posix()) is None:
                raise ConfigurationError(
                    f"commit {commit[:12]} has no {path}, which {key} names",
                    where=(folder / FILE_NAME).as_posix(),
                    hint="commit that Dockerfile, or name another one",
                )

    def _file_of(self, commit: str, path: Path) -> str:
        text = self.repository.file_at(commit, path.as_posix())
        if text is None:
            raise ConfigurationError(
                f"commit {commit[:12]} has no {path}", hint="write one on that branch with `dataops init` and commit it"
            )
        return text


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def platform_folder(start: Path, repository: Repository) -> Path:
    """The nearest folder with a `dataops.yaml`, from `start` up to the top of its work tree."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
        if folder == repository.top.resolve():
            break
    raise ConfigurationError(
        f"there is no {FILE_NAME} here or in a folder above", where=str(start), hint="write one with `dataops init`"
    )


def find_layout(start: Path, home: Path | None = None) -> PlatformLayout | None:
    """Where the platform at hand keeps its environments, as far as that can be told without a valid configuration.

    Returns None when `start` is in no repository, or in one that never had an environment: then any platform of this
    machine may be meant.
    """
    home = home or default_home()
    try:
        repository = Repository.find(start)
    except DataopsError:
        return None
    digest = PlatformLayout.of("any", repository.common, home).directory.rpartition("-")[2]
    found = [p.name for p in (home / "platforms").glob(f"*-{digest}") if (p / "registry").is_dir()]
    if len(found) == 1:
        return PlatformLayout(home, found[0])
    if not found:
        return None
    try:
        return Checkout.find(start, home).layout
    except DataopsError:
        return None
