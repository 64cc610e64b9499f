"""How an update that failed is told, and noted in the environment's record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dataops.envs.phases import PhaseClock
from dataops.envs.registry import Registry, State
from dataops.infra.errors import (
    AuthenticationError,
    CancelledError,
    DataopsError,
    NotFoundError,
    PolicyError,
    ProgramError,
    ResourceError,
    VerificationError,
)


@contextmanager
def noting_failure(registry: Registry, name: str) -> Iterator[None]:
    """Notes in the record that, and why, the block failed.

    Raises:
        CancelledError: the user interrupted it.
    """
    try:
        yield
    except BaseException as error:
        why = error.what if isinstance(error, DataopsError) else "interrupted"
        if not isinstance(error, (DataopsError, KeyboardInterrupt)):
            why = f"defect: {type(error).__name__}"
        # On a disk that is full this cannot be noted: the error itself counts.
        with suppress(OSError, DataopsError):
            if record := registry.load(name):
                registry.save(record, state=State.FAILED, failure=why)
        if isinstance(error, ProgramError) and not error.hint:
            error.hint = f"mend the program on its branch, commit, and run the command again; {_removal(name)}"
        if isinstance(error, (CancelledError, KeyboardInterrupt)):
            # before the engine runs, and beside it, an interruption is what Python makes of the signal
            raise CancelledError(
                error.what if isinstance(error, CancelledError) else "interrupted",
                where=f"environment {name}",
                hint=f"run the command again, it continues from here; {_removal(name)}",
            ) from None
        raise


def failure(clock: PhaseClock, name: str, hint: str = "") -> DataopsError:
    """The error for an operation that ended with failed steps: which, and what was said about them."""
    failures = clock.failures()
    lines = [
        line
        for failed in failures
        for line in (failed.messages or ("failed",))
        for line in [f"{_short(failed.urn)}{line}"]
    ]
    codes = {f.exit_code for f in failures}
    kinds = (k for k in (PolicyError, VerificationError, AuthenticationError, NotFoundError) if k.exit_code in codes)
    kind: type[DataopsError] = next(kinds, ResourceError)
    hint = hint or next((f.hint for f in failures if f.exit_code == kind.exit_code and f.hint), "")
    named = ", ".join(_short(f.urn).removesuffix(": ") for f in failures if f.urn)
    return kind(
        f"{named or 'the deployment'} failed",
        where=f"environment {name}",
        details="\n".join(lines) or None,
        hint=hint or f"mend the cause and run the command again, it continues from here; {_removal(name)}",
    )


def _removal(name: str) -> str:
    return f"`dataops env down {name}` removes what is there"


def _short(urn: str) -> str:
    from dataops.infra.resources.urn import name_of, type_of

    return f"{type_of(urn).rpartition(':')[2]} {name_of(urn)}: " if urn else ""
