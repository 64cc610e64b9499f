"""What a plugin's failed call means: a gRPC status as one of our errors, by its code and its details."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.providers.base import OutcomeUnknownError
from dataops.infra.providers.protocol import load

_PATIENCE, _LOOK = 10.0, 0.2
"""Seconds that a plugin may take until it answers, and after which it is looked whether it still runs."""

_FRAME = re.compile(r'^  File "(?P<file>[^"]*)", line \d+.*\n(?:    .*\n)*', re.MULTILINE)
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]|^<frozen ")


class UnimplementedError(ResourceError):
    """The provider does not have this method."""


class NotReadyError(ResourceError):
    """The resource exists, but is not ready: carries what the provider said of it."""

    def __init__(self, detail: Any) -> None:
        super().__init__("the resource is not ready")
        self.detail = detail
        self.reasons = tuple(detail.reasons)


def called(method: Any, request: Any, explain: Callable[[], str]) -> Any:
    """The answer of a unary call.

    Args:
        explain: what the process behind it last said; asked when it is gone.

    Raises:
        UnimplementedError: the provider does not have the method.
        OutcomeUnknownError: it went away; what was asked may or may not have been done.
        NotReadyError: the resource exists, but is not ready.
        DeadlineError, ResourceError: it said that it failed.
    """
    import grpc

    try:
        return method(request, wait_for_ready=False)
    except grpc.RpcError as error:
        raise _meaning(error, error.code(), explain) from None


def first_answer(method: Any, request: Any, explain: Callable[[], str], alive: Callable[[], bool]) -> Any:
    """The answer of the first call, which waits for a plugin that does not listen yet.

    Args:
        alive: whether there still is a process that may begin to listen.

    Raises:
        ResourceError: as `called`, or it ended, or did not listen within ten seconds.
    """
    import grpc

    waiting = method.future(request, wait_for_ready=True, timeout=_PATIENCE)
    while True:
        try:
            return waiting.result(timeout=_LOOK)
        except grpc.FutureTimeoutError:
            if not alive():
                waiting.cancel()
                raise ResourceError("the plugin ended before it answered", details=explain() or None) from None
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ResourceError("the plugin does not answer", details=explain() or None) from None
            raise _meaning(error, error.code(), explain) from None


def _meaning(error: Any, code: Any, explain: Callable[[], str]) -> Exception:
    import grpc

    said = error.details() or ""
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return UnimplementedError(f"the provider cannot do this: {said}")
    if code is grpc.StatusCode.UNAVAILABLE or code is grpc.StatusCode.CANCELLED:
        return OutcomeUnknownError("the provider is gone", details=explain() or None)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineError(said or "the provider did not answer in time")
    details = [*_details(error)]
    for detail in details:
        if (found := _unpacked(detail, load("provider_pb2").ErrorResourceInitFailed)) is not None:
            return NotReadyError(found)
    wrong = [line for detail in details for line in _properties(detail)]
    what, more = _split(said or code.name)
    return ResourceError(what, details="\n".join([*wrong, *filter(None, [more])]) or None)


def _details(error: Any) -> list[Any]:
    """The messages that a status carries beside its text."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return list(load("status_pb2").Status.FromString(value).details)
    return []


def _properties(detail: Any) -> list[str]:
    """What is wrong with which property: `InputPropertiesError`, and `ConfigureErrorMissingKeys`."""
    if (found := _unpacked(detail, load("errors_pb2").InputPropertiesError)) is not None:
        return [f"{wrong.property_path}: {wrong.reason}" for wrong in found.errors]
    if (found := _unpacked(detail, load("provider_pb2").ConfigureErrorMissingKeys)) is not None:
        return [f"{key.name}: missing from the configuration: {key.description}" for key in found.missingKeys]
    return []


def _unpacked(detail: Any, kind: Any) -> Any:
    message = kind()
    return message if detail.Unpack(message) else None


def _split(text: str) -> tuple[str, str]:
    """The message of an error, which may be a whole Python traceback, and what else was said."""
    if "Traceback (most recent call last)" in text:
        return text.strip().rsplit("\n", 1)[-1], _trimmed(text)
    what, _, more = text.partition("\n")
    return what, more


def _trimmed(traceback: str) -> str:
    """A traceback without the frames of installed packages, unless there are no others."""
    theirs = [found for found in _FRAME.finditer(traceback) if _INSTALLED.search(found["file"])]
    if len(theirs) == len(_FRAME.findall(traceback)):
        return traceback
    for found in reversed(theirs):
        traceback = traceback[: found.start()] + traceback[found.end() :]
    return traceback
