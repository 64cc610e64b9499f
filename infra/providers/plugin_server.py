"""A provider of ours as a Pulumi plugin: the `ResourceProvider` service in front of a `Provider`.

Any engine that speaks the protocol can use it, the Pulumi CLI's and ours alike. Secrets, resource references and output
values are kept in both directions; what goes wrong is a gRPC status, with the property at fault where one is known.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dataops.infra.errors import (
    AuthenticationError,
    CancelledError,
    ConfigurationError,
    DataopsError,
    DeadlineError,
    NotFoundError,
    PolicyError,
)
from dataops.infra.providers import wire
from dataops.infra.providers.base import CheckFailure, DiffKind, DiffResult, Provider
from dataops.infra.providers.protocol import CHANNEL_OPTIONS, load
from dataops.infra.resources.urn import name_of
from dataops.infra.resources.values import Properties


class _NotServedError(DataopsError):
    """A method of the protocol that this plugin does not have."""


_CODES: dict[type[DataopsError], str] = {
    _NotServedError: "UNIMPLEMENTED",
    ConfigurationError: "INVALID_ARGUMENT",
    AuthenticationError: "UNAUTHENTICATED",
    PolicyError: "FAILED_PRECONDITION",
    NotFoundError: "NOT_FOUND",
    CancelledError: "ABORTED",
    DeadlineError: "DEADLINE_EXCEEDED",
}
"""The status of each kind of error; any other is UNKNOWN, as the Pulumi SDKs have it."""

_CALLS_AT_ONCE = 64
_KINDS = {kind: number for number, kind in enumerate(DiffKind)}

Answer = Callable[["ProviderService", Any], Any]


def _answering(method: Answer) -> Callable[[ProviderService, Any, Any], Any]:
    """A servicer's method that ends with a status when ours raises."""

    @functools.wraps(method)
    def serve(self: ProviderService, request: Any, context: Any) -> Any:
        import grpc

        try:
            return method(self, request)
        except _NotReadyError as partial:
            context.set_trailing_metadata((("grpc-status-details-bin", partial.status()),))
            context.abort(grpc.StatusCode.UNKNOWN, partial.what)
        except DataopsError as error:
            code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "UNKNOWN")
            context.abort(grpc.StatusCode[code], _told(error))
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
            what = f"{method.__name__} failed with {type(error).__name__}, a defect of dataops"
            context.abort(grpc.StatusCode.INTERNAL, f"{what}\n{frames}")

    return serve


class ProviderService:
    """Serves `ResourceProvider`.

    Args:
        provider: what it is in front of; it must be safe for use from several threads.
        version: of the plugin, as semantic versioning has it.
        schema: the package's schema as JSON; called when somebody asks for it.
    """

    def __init__(self, provider: Provider, version: str, schema: Callable[[], str]) -> None:
        self._provider = provider
        self._version = version
        self._schema = schema
        self._messages = load("provider_pb2")

    @_answering
    def Handshake(self, request: Any) -> Any:
        return self._messages.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True, accept_outputs=True)

    @_answering
    def Attach(self, request: Any) -> Any:
        return _empty()

    @_answering
    def GetPluginInfo(self, request: Any) -> Any:
        return load("plugin_pb2").PluginInfo(version=self._version)

    @_answering
    def GetSchema(self, request: Any) -> Any:
        if request.version != 0:
            raise ConfigurationError(f"there is no schema of format {request.version}", hint="ask for format 0")
        if request.subpackage_name:
            raise ConfigurationError(f"there is no package {request.subpackage_name!r} here: it takes no parameters")
        return self._messages.GetSchemaResponse(schema=self._schema())

    @_answering
    def CheckConfig(self, request: Any) -> Any:
        old, new = wire.from_struct(request.olds), wire.from_struct(request.news)
        result = self._provider.check_config(request.urn, old, new)
        return self._checked(result.inputs, result.failures)

    @_answering
    def DiffConfig(self, request: Any) -> Any:
        old = request.old_inputs if request.HasField("old_inputs") else request.olds
        return self._difference(
            self._provider.diff_config(request.urn, wire.from_struct(old), wire.from_struct(request.news))
        )

    @_answering
    def Configure(self, request: Any) -> Any:
        self._provider.configure(wire.from_struct(request.args))
        return self._messages.ConfigureResponse(
            acceptSecrets=True, acceptResources=True, acceptOutputs=True, supportsPreview=True
        )

    @_answering
    def Check(self, request: Any) -> Any:
        # A new resource is told by empty old inputs: engines do not send the difference.
        old = wire.from_struct(request.olds) or None
        result = self._provider.check(request.urn, old, wire.from_struct(request.news))
        return self._checked(result.inputs, result.failures)

    @_answering
    def Diff(self, request: Any) -> Any:
        return self._difference(
            self._provider.diff(
                request.urn,
                request.id,
                wire.from_struct(request.old_inputs),
                wire.from_struct(request.olds),
                wire.from_struct(request.news),
                list(request.ignoreChanges),
            )
        )

    @_answering
    def Create(self, request: Any) -> Any:
        inputs = wire.from_struct(request.properties)
        result = self._provider.create(request.urn, inputs, request.timeout, request.preview)
        if result.init_errors:
            raise _NotReadyError(request.urn, result.id, result.outputs, inputs, result.init_errors)
        return self._messages.CreateResponse(id=result.id, properties=wire.to_struct(result.outputs))

    @_answering
    def Read(self, request: Any) -> Any:
        inputs = wire.from_struct(request.inputs)
        result = self._provider.read(request.urn, request.id, inputs, wire.from_struct(request.properties))
        found = inputs if result.inputs is None else result.inputs
        if result.init_errors:
            raise _NotReadyError(request.urn, result.id, result.outputs, found, result.init_errors)
        if not result.id:
            return self._messages.ReadResponse()
        return self._messages.ReadResponse(
            id=result.id, properties=wire.to_struct(result.outputs), inputs=wire.to_struct(found)
        )

    @_answering
    def Update(self, request: Any) -> Any:
        inputs = wire.from_struct(request.news)
        result = self._provider.update(
            request.urn,
            request.id,
            wire.from_struct(request.old_inputs),
            wire.from_struct(request.olds),
            inputs,
            request.timeout,
            list(request.ignoreChanges),
            request.preview,
        )
        if result.init_errors:
            raise _NotReadyError(request.urn, request.id, result.outputs, inputs, result.init_errors)
        return self._messages.UpdateResponse(properties=wire.to_struct(result.outputs))

    @_answering
    def Delete(self, request: Any) -> Any:
        inputs, outputs = wire.from_struct(request.old_inputs), wire.from_struct(request.properties)
        self._provider.delete(request.urn, request.id, inputs, outputs, request.timeout)
        return _empty()

    @_answering
    def Invoke(self, request: Any) -> Any:
        result = self._provider.invoke(request.tok, wire.from_struct(request.args), request.preview)
        answer = self._messages.InvokeResponse(failures=self._failures(result.failures))
        wire.to_struct(result.outputs, into=getattr(answer, "return"))
        return answer

    @_answering
    def Parameterize(self, request: Any) -> Any:
        raise _NotServedError("this provider takes no parameters", hint="use the package as it is, without arguments")

    @_answering
    def Construct(self, request: Any) -> Any:
        raise _NotServedError(f"{request.type} cannot be made here: components are Python classes of the program")

    @_answering
    def Call(self, request: Any) -> Any:
        raise _NotServedError(f"there is no method {request.tok}")

    @_answering
    def Cancel(self, request: Any) -> Any:
        self._provider.cancel()
        return _empty()

    def _checked(self, inputs: Properties, failures: tuple[CheckFailure, ...]) -> Any:
        return self._messages.CheckResponse(inputs=wire.to_struct(inputs), failures=self._failures(failures))

    def _failures(self, failures: tuple[CheckFailure, ...]) -> list[Any]:
        return [self._messages.CheckFailure(property=f.property, reason=f.reason) for f in failures]

    def _difference(self, diff: DiffResult) -> Any:
        detailed = {
            path: self._messages.PropertyDiff(kind=_KINDS[found.kind], inputDiff=found.input_diff)
            for path, found in (diff.detailed or {}).items()
        }
        return self._messages.DiffResponse(
            replaces=diff.replaces,
            stables=diff.stables,
            deleteBeforeReplace=diff.delete_before_replace,
            changes=diff.changes.value,
            diffs=diff.changed,
            detailedDiff=detailed,
            hasDetailedDiff=diff.detailed is not None,
        )


class _NotReadyError(DataopsError):
    """The resource exists, but is not ready: the status carries what is known of it."""

    def __init__(self, urn: str, id_: str, outputs: Properties, inputs: Properties, reasons: tuple[str, ...]) -> None:
        super().__init__(f"{name_of(urn)} exists, but is not ready: {'; '.join(reasons)}")
        self._found = id_, outputs, inputs, reasons

    def status(self) -> bytes:
        """The `google.rpc.Status` for the trailing metadata."""
        id_, outputs, inputs, reasons = self._found
        detail = load("provider_pb2").ErrorResourceInitFailed(
            id=id_, properties=wire.to_struct(outputs), reasons=reasons, inputs=wire.to_struct(inputs)
        )
        status = load("status_pb2").Status(code=2, message=self.what)
        status.details.add().Pack(detail)
        packed: bytes = status.SerializeToString()
        return packed


def serve(provider: Provider, version: str, schema: Callable[[], str], address: str = "127.0.0.1:0") -> tuple[Any, int]:
    """Starts a gRPC server with the service; gives it, and the port that it listens on.

    Args:
        address: where to listen; port 0 for any that is free.
    """
    import grpc

    services = load("provider_pb2_grpc")
    service, servicer = ProviderService(provider, version, schema), services.ResourceProviderServicer()
    for name in vars(services.ResourceProviderServicer):
        if not name.startswith("_") and hasattr(service, name):
            # What it does not have, the servicer answers with UNIMPLEMENTED.
            setattr(servicer, name, getattr(service, name))
    server = grpc.server(ThreadPoolExecutor(max_workers=_CALLS_AT_ONCE), options=CHANNEL_OPTIONS)
    services.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port(address)
    server.start()
    return server, port


def _told(error: DataopsError) -> str:
    """An error for somebody who sees only its text; the engine says which resource it was."""
    return "\n".join(filter(None, [error.what, error.details, error.hint and f"hint: {error.hint}"]))


def _empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty()
