"""A provider in another process, spoken to over gRPC: dynamic providers and plugin binaries.

What a provider cannot do (secrets, previews, resource references) it says when it is configured, and is spared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffKind,
    DiffResult,
    InvokeResult,
    OutcomeUnknownError,
    PropertyDiff,
    ReadResult,
    UpdateResult,
)
from dataops.infra.providers.protocol import load
from dataops.infra.resources.urn import name_of, type_of
from dataops.infra.resources.values import Properties, has_unknowns

_DIFF_KINDS = tuple(DiffKind)


class PluginClient:
    """A `Provider` behind a gRPC channel.

    Args:
        channel: connected or connecting; calls wait until it is ready.
        explain: what the process behind it last said, to be told when it is gone.
        stop: ends the process; called once, by `close`.
    """

    def __init__(self, channel: Any, explain: Callable[[], str], stop: Callable[[], None]) -> None:
        self._channel = channel
        self._stub = load("provider_pb2_grpc").ResourceProviderStub(channel)
        self._messages = load("provider_pb2")
        self._explain = explain
        self._stop = stop
        self._secrets = self._references = self._previews = False
        self._known = True

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        request = self._messages.CheckRequest(urn=urn, name=name_of(urn), type=type_of(urn))
        wire.to_struct(old, into=request.olds)
        wire.to_struct(new, into=request.news)
        try:
            answer = self._call(self._stub.CheckConfig, request, urn)
        except _Unimplemented:
            return CheckResult(new)
        return CheckResult(wire.from_struct(answer.inputs), _failures(answer))

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        request = self._messages.DiffRequest(urn=urn, name=name_of(urn), type=type_of(urn))
        wire.to_struct(old, into=request.olds)
        wire.to_struct(old, into=request.old_inputs)
        wire.to_struct(new, into=request.news)
        try:
            return _diff(self._call(self._stub.DiffConfig, request, urn))
        except _Unimplemented:
            return DiffResult(Changes.UNKNOWN)

    def configure(self, config: Properties) -> None:
        if has_unknowns(config):
            self._known = False
            return
        request = self._messages.ConfigureRequest(
            acceptSecrets=True, acceptResources=True, sends_old_inputs=True, sends_old_inputs_to_delete=True
        )
        wire.to_struct(config, into=request.args)
        answer = self._call(self._stub.Configure, request, "")
        self._secrets, self._references = answer.acceptSecrets, answer.acceptResources
        self._previews = answer.supportsPreview

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        if not self._known:
            return CheckResult(new_inputs)
        request = self._messages.CheckRequest(urn=urn, name=name_of(urn), type=type_of(urn))
        self._fill(request.olds, old_inputs or {})
        self._fill(request.news, new_inputs)
        answer = self._call(self._stub.Check, request, urn)
        inputs = wire.from_struct(answer.inputs)
        self._annotate(inputs, new_inputs)
        return CheckResult(inputs, _failures(answer))

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> DiffResult:
        if not self._known:
            return DiffResult(Changes.SOME)
        request = self._messages.DiffRequest(
            urn=urn, name=name_of(urn), type=type_of(urn), id=id_, ignoreChanges=ignore_changes
        )
        self._fill(request.olds, old_outputs)
        self._fill(request.old_inputs, old_inputs)
        self._fill(request.news, new_inputs)
        return _diff(self._call(self._stub.Diff, request, urn))

    def create(self, urn: str, inputs: Properties, timeout: float, preview: bool) -> CreateResult:
        if preview and not self._known:
            return CreateResult("", {})
        if preview and not self._previews:
            return CreateResult("", inputs)
        request = self._messages.CreateRequest(
            urn=urn, name=name_of(urn), type=type_of(urn), timeout=timeout, preview=preview
        )
        self._fill(request.properties, inputs)
        try:
            answer, reasons = self._call(self._stub.Create, request, urn), ()
        except _NotReady as partial:
            answer, reasons = partial.detail, partial.reasons
        outputs = wire.from_struct(answer.properties)
        self._annotate(outputs, inputs)
        if not answer.id and not preview:
            raise ResourceError("the provider gave no id to what it created", where=name_of(urn))
        return CreateResult(answer.id, outputs, reasons)

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties) -> ReadResult:
        request = self._messages.ReadRequest(urn=urn, name=name_of(urn), type=type_of(urn), id=id_)
        self._fill(request.properties, outputs)
        self._fill(request.inputs, inputs)
        try:
            answer, reasons = self._call(self._stub.Read, request, urn), ()
        except _NotReady as partial:
            answer, reasons = partial.detail, partial.reasons
        state = wire.from_struct(answer.properties)
        self._annotate(state, outputs)
        read = wire.from_struct(answer.inputs) if answer.HasField("inputs") else None
        if read is not None:
            self._annotate(read, inputs)
        return ReadResult(answer.id, state, read, reasons)

    def update(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout: float,
        ignore_changes: list[str],
        preview: bool,
    ) -> UpdateResult:
        if preview and not (self._previews and self._known):
            return UpdateResult(new_inputs if self._known else {})
        request = self._messages.UpdateRequest(
            urn=urn,
            name=name_of(urn),
            type=type_of(urn),
            id=id_,
            timeout=timeout,
            ignoreChanges=ignore_changes,
            preview=preview,
        )
        self._fill(request.olds, old_outputs)
        self._fill(request.old_inputs, old_inputs)
        self._fill(request.news, new_inputs)
        try:
            answer, reasons = self._call(self._stub.Update, request, urn), ()
        except _NotReady as partial:
            answer, reasons = partial.detail, partial.reasons
        outputs = wire.from_struct(answer.properties)
        self._annotate(outputs, new_inputs)
        return UpdateResult(outputs, reasons)

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        request = self._messages.DeleteRequest(urn=urn, name=name_of(urn), type=type_of(urn), id=id_, timeout=timeout)
        self._fill(request.properties, outputs)
        self._fill(request.old_inputs, inputs)
        self._call(self._stub.Delete, request, urn)

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        request = self._messages.InvokeRequest(tok=token)
        self._fill(request.args, args)
        answer = self._call(self._stub.Invoke, request, "")
        returned = wire.from_struct(getattr(answer, "return"))
        return InvokeResult(returned, _failures(answer))

    def cancel(self) -> None:
        from google.protobuf.empty_pb2 import Empty

        self._stub.Cancel.future(Empty(), timeout=5)

    def close(self) -> None:
        self._channel.close()
        self._stop()

    def _fill(self, struct: Any, properties: Properties) -> None:
        wire.to_struct(properties, secrets=self._secrets, references=self._references, into=struct)
        struct.SetInParent()

    def _annotate(self, returned: Properties, given: Properties) -> None:
        if not self._secrets:
            wire.annotate_secrets(returned, given)

    def _call(self, method: Any, request: Any, urn: str) -> Any:
        import grpc

        try:
            return method(request, wait_for_ready=False)
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.UNIMPLEMENTED:
                raise _Unimplemented(f"the provider cannot do this: {error.details()}") from None
            if code is grpc.StatusCode.UNAVAILABLE or code is grpc.StatusCode.CANCELLED:
                raise OutcomeUnknownError("the provider is gone", details=self._explain() or None) from None
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise DeadlineError(error.details() or "the provider did not answer in time") from None
            if detail := _initialization_detail(error):
                raise _NotReady(detail) from None
            raise ResourceError(_last_line(error.details() or code.name), details=error.details()) from None


class _Unimplemented(ResourceError):
    """The provider does not have this method."""


class _NotReady(ResourceError):
    """The resource exists, but is not ready: carries what the provider said of it."""

    def __init__(self, detail: Any) -> None:
        super().__init__("the resource is not ready")
        self.detail = detail
        self.reasons = tuple(detail.reasons)


def _initialization_detail(error: Any) -> Any:
    """`ErrorResourceInitFailed` in a status, None if there is none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = load("status_pb2").Status.FromString(value)
            for packed in status.details:
                detail = load("provider_pb2").ErrorResourceInitFailed()
                if packed.Unpack(detail):
                    return detail
    return None


def _last_line(text: str) -> str:
    """The message of an error that may be a whole Python traceback."""
    if "Traceback (most recent call last)" in text:
        return text.strip().rsplit("\n", 1)[-1]
    return text


def _failures(answer: Any) -> tuple[CheckFailure, ...]:
    return tuple(CheckFailure(failure.property, failure.reason) for failure in answer.failures)


def _diff(answer: Any) -> DiffResult:
    detailed = (
        {path: PropertyDiff(_DIFF_KINDS[diff.kind], diff.inputDiff) for path, diff in answer.detailedDiff.items()}
        if answer.hasDetailedDiff
        else None
    )
    return DiffResult(
        Changes(answer.changes),
        tuple(answer.replaces),
        tuple(answer.stables),
        tuple(answer.diffs),
        detailed,
        answer.deleteBeforeReplace,
    )
