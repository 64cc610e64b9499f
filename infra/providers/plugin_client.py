"""A provider in another process, spoken to over gRPC: dynamic providers and plugin binaries.

What a provider cannot do (secrets, previews, resource references) it says when it is configured, and is spared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffKind,
    DiffResult,
    InvokeResult,
    PropertyDiff,
    ReadResult,
    UpdateResult,
)
from dataops.infra.providers.plugin_components import (
    CallResult,
    ComponentContext,
    ConstructResult,
    call_request,
    construct_request,
    constructed,
    returned,
)
from dataops.infra.providers.plugin_status import NotReadyError, UnimplementedError, called, first_answer
from dataops.infra.providers.protocol import load
from dataops.infra.resources.urn import name_of, type_of
from dataops.infra.resources.values import Properties, Secret, has_secrets, has_unknowns, unwrap_secrets

_DIFF_KINDS = tuple(DiffKind)


class PluginClient:
    """A `Provider` behind a gRPC channel.

    Args:
        channel: connected or connecting; calls wait until it is ready.
        explain: what the process behind it last said, to be told when it is gone.
        stop: ends the process; called once, by `close`.
        package: its package, for plugins that read their configuration under the old names `<package>:config:<key>`.
    """

    def __init__(self, channel: Any, explain: Callable[[], str], stop: Callable[[], None], package: str = "") -> None:
        self._channel = channel
        self._stub = load("provider_pb2_grpc").ResourceProviderStub(channel)
        self._messages = load("provider_pb2")
        self._explain = explain
        self._stop = stop
        self._package = package
        self._secrets = self._references = self._outputs = self._previews = False
        self._known = True
        self._agreed = False
        self._cancelling: Any = None

    def shake_hands(self, engine: str, folder: str | None, alive: Callable[[], bool] = lambda: True) -> None:
        """Agrees with a plugin on what both can do, before anything else; one that knows no handshake says it later.

        Args:
            engine: the address of the `Engine` service for its messages.
            folder: where the plugin lies; None when that is not known.
            alive: whether it is worth waiting for one that does not listen yet.
        """
        request = self._messages.ProviderHandshakeRequest(
            engine_address=engine,
            root_directory=folder,
            program_directory=folder,
            invoke_with_preview=True,
        )
        try:
            answer = first_answer(self._stub.Handshake, request, self._explain, alive)
        except UnimplementedError:
            return
        self._secrets, self._references = answer.accept_secrets, answer.accept_resources
        self._outputs, self._previews, self._agreed = answer.accept_outputs, True, True

    def attach(self, engine: str) -> None:
        """Tells a plugin that was not started by us where the `Engine` service is; an old one need not know how."""
        with suppress(UnimplementedError):
            self._call(self._stub.Attach, load("plugin_pb2").PluginAttach(address=engine))

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        request = self._messages.CheckRequest(urn=urn, name=name_of(urn), type=type_of(urn))
        wire.to_struct(old, secrets=False, references=False, into=request.olds)
        wire.to_struct(new, secrets=False, references=False, into=request.news)
        try:
            answer = self._call(self._stub.CheckConfig, request)
        except UnimplementedError:
            return CheckResult(new)
        inputs = wire.from_struct(answer.inputs)
        # It is sent plain, as older plugins want it, so what was secret is marked again.
        wire.annotate_secrets(inputs, new)
        return CheckResult(inputs, _failures(answer))

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        request = self._messages.DiffRequest(urn=urn, name=name_of(urn), type=type_of(urn))
        wire.to_struct(old, secrets=False, references=False, into=request.olds)
        wire.to_struct(old, secrets=False, references=False, into=request.old_inputs)
        wire.to_struct(new, secrets=False, references=False, into=request.news)
        try:
            return _diff(self._call(self._stub.DiffConfig, request))
        except UnimplementedError:
            return DiffResult(Changes.UNKNOWN)

    def configure(self, config: Properties) -> None:
        if has_unknowns(config):
            self._known = False
            return
        request = self._messages.ConfigureRequest(
            acceptSecrets=True, acceptResources=True, sends_old_inputs=True, sends_old_inputs_to_delete=True
        )
        wire.to_struct(config, into=request.args)
        request.args.SetInParent()
        request.variables.update(_variables(self._package, config))
        answer = self._call(self._stub.Configure, request)
        if not self._agreed:
            self._secrets, self._references = answer.acceptSecrets, answer.acceptResources
            self._outputs, self._previews = answer.acceptOutputs, answer.supportsPreview

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        if not self._known:
            return CheckResult(new_inputs)
        request = self._messages.CheckRequest(urn=urn, name=name_of(urn), type=type_of(urn))
        self._fill(request.olds, old_inputs or {})
        self._fill(request.news, new_inputs)
        answer = self._call(self._stub.Check, request)
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
        return _diff(self._call(self._stub.Diff, request))

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
            answer, reasons = self._call(self._stub.Create, request), ()
        except NotReadyError as partial:
            answer, reasons = partial.detail, partial.reasons
        outputs = wire.from_struct(answer.properties)
        self._annotate(outputs, inputs)
        if not answer.id and not preview:
            raise ResourceError("the provider gave no id to what it created", where=name_of(urn))
        return CreateResult(answer.id, outputs, reasons)

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float = 0) -> ReadResult:
        if not self._known:
            return ReadResult(id_, {}, {})
        request = self._messages.ReadRequest(
            urn=urn, name=name_of(urn), type=type_of(urn), id=id_, **({"timeout": timeout} if timeout else {})
        )
        self._fill(request.properties, outputs)
        self._fill(request.inputs, inputs)
        try:
            answer, reasons = self._call(self._stub.Read, request), ()
        except NotReadyError as partial:
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
            answer, reasons = self._call(self._stub.Update, request), ()
        except NotReadyError as partial:
            answer, reasons = partial.detail, partial.reasons
        outputs = wire.from_struct(answer.properties)
        self._annotate(outputs, new_inputs)
        return UpdateResult(outputs, reasons)

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        request = self._messages.DeleteRequest(urn=urn, name=name_of(urn), type=type_of(urn), id=id_, timeout=timeout)
        self._fill(request.properties, outputs)
        self._fill(request.old_inputs, inputs)
        self._call(self._stub.Delete, request)

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        if not self._known:
            return InvokeResult({})
        request = self._messages.InvokeRequest(tok=token, preview=preview)
        self._fill(request.args, args)
        answer = self._call(self._stub.Invoke, request)
        returned = wire.from_struct(getattr(answer, "return"))
        if not self._secrets and has_secrets(args):
            # It was sent them plain, and any result may tell of them.
            returned = {key: value if isinstance(value, Secret) else Secret(value) for key, value in returned.items()}
        return InvokeResult(returned, _failures(answer))

    def construct(
        self,
        context: ComponentContext,
        type_: str,
        name: str,
        parent: str,
        inputs: Properties,
        dependencies: Mapping[str, Sequence[str]],
        options: Mapping[str, Any],
    ) -> ConstructResult:
        """Has the plugin make a component; see `construct_request`. Inputs may hold `Output` values.

        Raises:
            ResourceError: the plugin cannot, or failed; `details` names the property at fault where one is known.
        """
        if not self._secrets:
            raise ResourceError("a plugin that makes components must keep secrets, and this one does not")
        struct = wire.to_struct(inputs, references=self._references, outputs=self._outputs)
        request = construct_request(context, type_, name, parent, struct, dependencies, options)
        return constructed(self._call(self._stub.Construct, request))

    def call(
        self, context: ComponentContext, token: str, args: Properties, dependencies: Mapping[str, Sequence[str]]
    ) -> CallResult:
        """Calls a method of a component; see `call_request`. Arguments may hold `Output` values."""
        if not self._known:
            return CallResult({}, {})
        struct = wire.to_struct(args, outputs=self._outputs)
        return returned(self._call(self._stub.Call, call_request(context, token, struct, dependencies)))

    def cancel(self) -> None:
        from google.protobuf.empty_pb2 import Empty

        # kept, since gRPC takes a call back that nobody holds
        self._cancelling = self._stub.Cancel.future(Empty(), timeout=5)

    def close(self) -> None:
        self._channel.close()
        self._stop()

    def _fill(self, struct: Any, properties: Properties) -> None:
        wire.to_struct(properties, secrets=self._secrets, references=self._references, into=struct)
        struct.SetInParent()

    def _annotate(self, returned: Properties, given: Properties) -> None:
        if not self._secrets:
            wire.annotate_secrets(returned, given)

    def _call(self, method: Any, request: Any) -> Any:
        return called(method, request, self._explain)


def _variables(package: str, config: Properties) -> dict[str, str]:
    """The configuration as plugins of old read it: texts, under names with the package."""
    plain = {key: value for key, value in unwrap_secrets(config).items() if key != "version"}
    return {f"{package}:config:{key}": v if isinstance(v, str) else json.dumps(v) for key, v in plain.items()}


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
