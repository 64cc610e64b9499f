"""Every error that a user of dataops can meet, as one typed tree.

    DataopsError                     1   anything without a closer kind
    ├── ConfigurationError           2   dataops.yaml, Pulumi.yaml, stack configuration, flags
    ├── AuthenticationError          3   wrong or missing passphrase, refused credentials
    ├── ResourceError                4   a provider could not make, change or delete a resource
    ├── PolicyError                  5   a rule of the house forbids it (production guard, protected resource)
    ├── NotFoundError                6   no such branch, stack, environment, snapshot, pipeline
    ├── ExpectationError             7   `--expect-no-changes` and the like did not hold
    ├── CancelledError               8   interrupted by the user
    ├── DeadlineError                9   something did not become ready in time
    ├── LockedError                 10   somebody else is at work on the same thing
    ├── VerificationError           11   a check of data, masking or integrity failed
    ├── ProgramError                 1   the user's own program failed; carries its trimmed traceback
    ├── UpdateFailedError            1   an update ended with failed steps, already reported one by one
    └── InternalError              255   a defect of dataops itself

The number is the exit status of the command line; the set extends the one that Pulumi publishes for its CLI. Errors of
foreign libraries are translated once, where they enter, by their type. `dataops.cli.main` alone prints them.
"""

from __future__ import annotations

import errno
from typing import ClassVar

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SEALED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class DataopsError(Exception):
    """Something the user can act on.

    Args:
        what: one sentence: what happened, with the names involved. Never a secret or a row of data.
        where: the place to look at, as `file:line` for configuration, or a resource name.
        hint: what to do next: a command to type or a line to change.
        details: further lines shown below, such as the last lines of a log or a traceback.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, where: str | None = None, hint: str | None = None, details: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class ConfigurationError(DataopsError):
    """A configuration file or a flag is wrong; `where` is `file:line` when it is a file."""

    exit_code = 2


class AuthenticationError(DataopsError):
    """A passphrase or credential is missing or wrong."""

    exit_code = 3


class ResourceError(DataopsError):
    """A provider could not perform an operation on a resource."""

    exit_code = 4


class PolicyError(DataopsError):
    """A rule forbids what was asked for; nothing was done."""

    exit_code = 5


class NotFoundError(DataopsError):
    """The thing that was named does not exist."""

    exit_code = 6


class ExpectationError(DataopsError):
    """A condition that the user asked to hold did not."""

    exit_code = 7


class CancelledError(DataopsError):
    """The user interrupted the command; what was finished is recorded."""

    exit_code = 8


class DeadlineError(DataopsError):
    """Something did not finish or become ready in the time it was given."""

    exit_code = 9


class LockedError(DataopsError):
    """Somebody else holds the lock; names the holder, since when and from which host."""

    exit_code = 10


class VerificationError(DataopsError):
    """A check of data, masking, signature or integrity failed."""

    exit_code = 11


class ProgramError(DataopsError):
    """The user's Pulumi program failed; `details` is its traceback, trimmed to the user's files."""


class UpdateFailedError(DataopsError):
    """An update, preview, refresh or destroy ended with failures that were reported as events."""


class InternalError(DataopsError):
    """A defect of dataops itself."""

    exit_code = 255


def of_system(error: OSError) -> DataopsError | None:
    """The error for a file that cannot be written or read for want of room or permission; None for any other."""
    where = str(error.filename) if error.filename else None
    if error.errno in FULL:
        what = "the disk is full" if error.errno != errno.EFBIG else "the file may not become that large"
        return ResourceError(
            what, where=where, hint="free some space, then run the command again: it goes on from there"
        )
    if error.errno in SEALED:
        hint = "make it writable for the user that runs this, or name another folder with DATAOPS_HOME"
        return ConfigurationError(f"not permitted: {error.strerror}", where=where, hint=hint)
    return None
