"""What is known of each environment, outside of its state: one JSON file per environment.

A record is written before anything of the environment is made, so that there is never anything that no record names;
`env down` needs nothing else than the record and the state it points to.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dataops.envs.naming import FIXED
from dataops.infra.errors import ConfigurationError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout, default_home
from dataops.infra.platform.records import read_record, write_record


class State(StrEnum):
    """Where an environment is in its life."""

    CREATING = "creating"
    READY = "ready"
    SLEEPING = "sleeping"
    UPDATING = "updating"
    FAILED = "failed"
    DESTROYING = "destroying"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """One environment as the registry knows it; holds no secret.

    Args:
        name, platform: the environment and the platform that it is an instance of.
        role: `production`, `staging` or `replica`.
        branch, commit: what it was made from last.
        repository: git's common directory; directory: the platform's folder within the work tree, "" for its top.
        root: the folder that holds everything the environment has on this machine.
        backend, project, stack: where its state is.
        passphrase: how the passphrase is found, never the passphrase itself; salt: what it is combined with.
        snapshot: the snapshot that its data came from, "" for none.
        facts: where things are, as `envs.facts` reads them from the state.
        phases: the last completed `up`, phase name to seconds.
        notes: what happened to it that somebody may want to know later, such as a lock taken over.
        generations: how often the data of its warehouse and lake were laid anew, as text; none for never.
        purpose: "" for what somebody works with; what a command made it for that removes it again: `verify`. Such an
            environment is nobody's when that command is dead.
    """

    name: str
    platform: str
    role: str
    branch: str
    commit: str
    repository: str
    directory: str
    root: str
    backend: str
    project: str
    stack: str
    passphrase: dict[str, Any]
    salt: str = ""
    target: str = "local"
    snapshot: str = ""
    state: State = State.CREATING
    owner: str = ""
    created: str = ""
    updated: str = ""
    failure: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    generations: dict[str, str] = field(default_factory=dict)
    purpose: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as it is written."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> EnvironmentRecord:
        """Reads a record; fields that a later version added are left out.

        Raises:
            ValueError: it is none.
        """
        values = {}
        for known in fields(cls):
            if known.name in document:
                values[known.name] = document[known.name]
            elif known.default is MISSING and known.default_factory is MISSING:
                raise ValueError(f"{known.name} is missing")
            if known.type == "str" and not isinstance(values.get(known.name, ""), str):
                raise ValueError(f"{known.name} is no text")
        return cls(**{**values, "state": State(document.get("state", State.CREATING))})


def now() -> str:
    """The present, as records have it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Registry:
    """The records of one platform, in one folder."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def load(self, name: str) -> EnvironmentRecord | None:
        """The record of an environment, or None when there is none.

        Raises:
            VerificationError: there is one that cannot be read: to go on without it would lose what it says.
        """
        path = self.path(name)
        document = read_record(path)
        if document is None and not path.exists():
            return None
        try:
            record = EnvironmentRecord.from_json(document or {})
        except (TypeError, ValueError):
            raise _damaged(name, path) from None
        if record.name != name:
            raise _damaged(name, path)
        return record

    def get(self, name: str) -> EnvironmentRecord:
        """The record of an environment.

        Raises:
            NotFoundError: there is none; the hint names those that are near.
            VerificationError: it cannot be read.
        """
        if record := self.load(name):
            return record
        raise unknown_environment(name, self.names())

    def names(self) -> list[str]:
        """The environments that have a record, readable or not."""
        return sorted(path.stem for path in self.folder.glob("[!.]*.json"))

    def all(self) -> list[EnvironmentRecord]:
        """Every record that can be read, by name.

        Raises:
            VerificationError: that of production or staging cannot: without it nothing would be kept from them.
        """
        records, damaged = self.survey()
        for error in (damaged[name] for name in FIXED if name in damaged):
            raise error
        return records

    def survey(self) -> tuple[list[EnvironmentRecord], dict[str, VerificationError]]:
        """The records that can be read, and by environment what is wrong with the others; for those who only look."""
        found, damaged = [], {}
        for name in self.names():
            try:
                if record := self.load(name):
                    found.append(record)
            except VerificationError as error:
                damaged[name] = error
        return found, damaged

    def save(self, record: EnvironmentRecord, **changes: Any) -> EnvironmentRecord:
        """Writes a record with changes and the time, and returns it."""
        moment = now()
        record = replace(record, **{"created": record.created or moment, **changes, "updated": moment})
        write_record(self.path(record.name), record.to_json(), mode=0o600)
        return record

    def remove(self, name: str) -> None:
        """Forgets an environment, with drafts that killed writers left; one that is not known is no error."""
        self.path(name).unlink(missing_ok=True)
        for draft in self.folder.glob(f".{name}.*.tmp"):
            draft.unlink(missing_ok=True)


def registries(home: Path | None = None) -> Iterator[Registry]:
    """The registries of every platform below a home."""
    platforms = (home or default_home()) / "platforms"
    for folder in sorted(platforms.glob("*/registry")):
        yield Registry(folder)


def find_record(
    name: str, layout: PlatformLayout | None, home: Path | None = None
) -> tuple[Registry, EnvironmentRecord]:
    """The record of an environment, from the platform at hand or, when there is none, from any on this machine.

    Args:
        name: the environment.
        layout: the platform whose repository the user stands in, None where that cannot be told.
        home: overrides the default home.

    Raises:
        NotFoundError: nobody knows it.
        ConfigurationError: several platforms have one of that name and nothing says which is meant.
    """
    if layout is not None:
        registry = Registry(layout.registry)
        return registry, registry.get(name)
    found = [(registry, record) for registry in registries(home) if (record := registry.load(name))]
    if not found:
        raise unknown_environment(name, [known for registry in registries(home) for known in registry.names()])
    if len(found) > 1:
        raise ConfigurationError(
            f"{len(found)} platforms have an environment named {name}",
            hint="run the command in one of their repositories: " + ", ".join(r.repository for _, r in found),
        )
    return found[0]


def unknown_environment(name: str, known: list[str]) -> NotFoundError:
    """The error for a name that no record has, with the nearest that exist."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? `dataops env ls` lists all" if near else "`dataops env ls` lists all"
    return NotFoundError(f"there is no environment named {name}", hint=hint)


def _damaged(name: str, path: Path) -> VerificationError:
    again = f"deploy {name}" if name in FIXED else "up --branch BRANCH"
    return VerificationError(
        f"the record of environment {name} is damaged",
        where=str(path),
        hint=f"nothing else of it is lost: move that file away; `dataops env {again}` then writes it anew",
    )
