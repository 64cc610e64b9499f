"""Where stacks are kept: the protocol that the file and the memory backend share, and its values.

A *stack* has a *checkpoint* (its deployment as JSON), a *history* of updates, *tags*, and while somebody works on it a
*lock* and a *journal* of what has happened since the checkpoint was written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.resources.state import Deployment
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.holder import LockHolder as LockHolder
from dataops.infra.state.session import UpdateSession

ORGANIZATION = "organization"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True, order=True)
class StackReference:
    """A stack's full name; the organization of a self-managed backend is always `organization`."""

    project: str
    stack: str

    def __post_init__(self) -> None:
        for what, name in (("project", self.project), ("stack", self.stack)):
            if not NAME.fullmatch(name) or name in (".", ".."):
                raise ConfigurationError(
                    f"{name!r} cannot name a {what}", hint="use letters, digits, '-', '_' and '.', at most 100"
                )

    @property
    def qualified(self) -> str:
        """`organization/<project>/<stack>`."""
        return f"{ORGANIZATION}/{self.project}/{self.stack}"

    @classmethod
    def parse(cls, text: str, project: str | None) -> StackReference:
        """Reads `stack`, `organization/stack` or `organization/project/stack`; `project` fills in what is missing."""
        parts = text.split("/")
        if len(parts) > 1 and parts[0] != ORGANIZATION or len(parts) > 3:
            raise ConfigurationError(f"{text!r} cannot name a stack", hint="write STACK or organization/PROJECT/STACK")
        named = parts[1] if len(parts) == 3 else project
        if not named:
            raise ConfigurationError(
                f"stack {text!r} does not say which project it belongs to",
                hint="run this in a folder with a Pulumi.yaml, or write organization/PROJECT/STACK",
            )
        return cls(named, parts[-1])


@dataclass(frozen=True, slots=True)
class StackSummary:
    """One line of a list of stacks; times are in seconds since 1970, None when it was never updated."""

    reference: StackReference
    last_update: float | None
    resource_count: int | None
    locked: bool


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """One update of a stack's history; fields as `apitype.UpdateInfo`, times in seconds since 1970.

    `config` is in the form of Pulumi.<stack>.yaml: text, objects, and `{"secure": …}` where it is secret.
    """

    kind: str
    start_time: int
    end_time: int
    message: str
    environment: Mapping[str, str]
    config: Mapping[str, Any]
    result: str
    version: int
    resource_changes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LostJournal:
    """A journal that does not extend the stack's checkpoint: what was done and is not in the state.

    Args:
        path: the file, which is kept.
        kind, started, holder: the update that wrote it.
        base: the hash of the checkpoint that it extends.
        resources: `(what happened, URN, id)` of each entry, such as `("create", "urn:…", "i-123")`.
    """

    path: str
    kind: str
    started: str
    holder: str
    base: str
    resources: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class GoodCopy:
    """A copy of a checkpoint that can be read; `time` is that of its deployment, an ISO time."""

    path: str
    time: str
    resources: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A checkpoint that cannot be read.

    Args:
        path: the file; size: in bytes.
        copies: what could take its place, the newest deployment first; after a restoration the one that did.
        aside: where the damaged file was moved to, "" while it lies in its place.
    """

    path: str
    size: int
    copies: tuple[GoodCopy, ...]
    aside: str = ""


class Backend(Protocol):
    """Keeps stacks. Every method may raise `NotFoundError` (no such stack) and `DataopsError` (storage failed).

    Whatever reads or changes a stack first folds the journal that a killed update left behind.
    """

    url: str

    def stacks(self, project: str | None = None) -> list[StackSummary]:
        """All stacks, or those of one project, by name."""
        ...

    def exists(self, ref: StackReference) -> bool:
        """Whether there is such a stack."""
        ...

    def create(self, ref: StackReference, secrets: SecretsManager | None = None) -> None:
        """Makes an empty stack; `ConfigurationError` when it exists."""
        ...

    def remove(self, ref: StackReference, force: bool = False) -> None:
        """Removes a stack with its history and tags; `PolicyError` while it has resources, unless `force`."""
        ...

    def load(self, ref: StackReference, secrets: SecretsManager) -> Deployment:
        """The stack's deployment with its secrets decrypted; `AuthenticationError` when they cannot be."""
        ...

    def begin(self, ref: StackReference, kind: str, secrets: SecretsManager) -> UpdateSession:
        """Starts an `update`, `refresh`, `destroy`, `import` or `preview`.

        All but a preview take the stack's lock first: `LockedError` when somebody else is at work on it,
        `VerificationError` when a lost journal (see `lost_journals`) has to be looked at first.
        """
        ...

    def settle(self, ref: StackReference) -> None:
        """Puts in order what a killed update left, as `begin` does, for somebody else who is to work on the stack.

        Raises:
            LockedError: somebody works on it.
            VerificationError: it has a journal that cannot be folded.
        """
        ...

    def history(self, ref: StackReference) -> list[UpdateRecord]:
        """The stack's updates, newest first, also when the stack itself is gone."""
        ...

    def export(
        self, ref: StackReference, secrets: SecretsManager | None = None, version: int | None = None
    ) -> dict[str, Any]:
        """The deployment as `pulumi stack export` prints it; with `secrets` given, secret values are in plain text.

        `version` selects the deployment after an update of the history instead of the newest.
        """
        ...

    def import_(
        self, ref: StackReference, document: Mapping[str, Any], secrets: SecretsManager, force: bool = False
    ) -> None:
        """Replaces the deployment by an exported one; secrets in plain text are encrypted first.

        `ConfigurationError` when it is not a deployment, or one of another stack (unless `force`).
        """
        ...

    def annotate(self, ref: StackReference, version: int, facts: Mapping[str, str]) -> None:
        """Adds facts, such as `git.head`, to the circumstances of an update of the history; it keeps what it has."""
        ...

    def move_history(self, old: StackReference, new: StackReference) -> None:
        """Gives the history of a stack to another one, as when a stack is renamed."""
        ...

    def tags(self, ref: StackReference) -> dict[str, str]:
        """The stack's tags."""
        ...

    def set_tags(self, ref: StackReference, tags: Mapping[str, str]) -> None:
        """Replaces the stack's tags."""
        ...

    def lock_holder(self, ref: StackReference) -> LockHolder | None:
        """Who holds the lock, if anybody."""
        ...

    def cancel(self, ref: StackReference) -> list[LockHolder]:
        """Breaks whatever locks there are, folds what was recorded and says whose locks they were."""
        ...

    def lost_journals(self, ref: StackReference) -> list[LostJournal]:
        """Journals that extend another checkpoint than the stack's: the one in the way first, then those set aside."""
        ...

    def set_aside(self, ref: StackReference) -> None:
        """Moves a lost journal out of the way, keeping it, so that the stack can be worked on again."""
        ...

    def damage(self, ref: StackReference) -> Damage | None:
        """What is wrong with the stack's checkpoint, None when it can be read."""
        ...

    def restore(self, ref: StackReference) -> Damage:
        """Puts the newest good copy in the place of a damaged checkpoint, which is kept beside it.

        `NotFoundError` when the checkpoint is not damaged, or there is no good copy.
        """
        ...


def not_found(ref: StackReference) -> NotFoundError:
    """The error for a stack that does not exist."""
    return NotFoundError(
        f"there is no stack {ref.stack!r} in project {ref.project!r}", hint=f"dataops stack init {ref.stack}"
    )


def open_backend(url: str, environment: Mapping[str, str] = os.environ) -> Backend:
    """Opens the backend at a path (`~` is the home directory), a `file://` or an `s3://` URL.

    Args:
        url: where; a folder is made with its first stack, a bucket has to exist.
        environment: variables that say how checkpoints are compressed.

    Raises:
        ConfigurationError: the URL is not one of these, or the state there is of another layout.
    """
    from dataops.infra.state.checkpoint import compression
    from dataops.infra.state.file_backend import FileBackend

    suffix = compression(environment)
    if url.startswith("s3://"):
        from dataops.infra.state.s3_location import S3Location
        from dataops.infra.state.s3_storage import S3Storage
        from dataops.infra.state.stack_backend import StackBackend

        return StackBackend(S3Storage(S3Location.parse(url)), suffix=suffix)
    return FileBackend.open(url, suffix)
