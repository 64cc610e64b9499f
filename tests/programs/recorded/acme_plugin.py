"""A provider plugin of the package `acme`, steered by its inputs, for programs whose course is recorded.

Inputs named `r_*` force a replacement when they change; `dbr` asks for delete-before-replace; `fail` names the
operation that is refused; `partial` makes a resource that is not ready; `detailed` tells differences by nested path;
`leak` adds a nested secret output. The provider's own `region` forces a replacement, `zone` does not. Every call that
changes or reads anything is appended to the file that CALLS names, one JSON object a line; WORLD names a JSON file with
what other hands changed: by label, properties, "gone", "empty", which is there without an id, or "refuse" for
what cannot be read.
"""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from google.rpc.status_pb2 import Status
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
DIFF_SOME, DIFF_NONE = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
KINDS = provider_pb2.PropertyDiff
lock = threading.Lock()


def plain(value: Any) -> Any:
    """A value without the marks of secrets."""
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:
            return plain(value.get("value"))
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def read(struct: Struct) -> dict[str, Any]:
    found = MessageToDict(struct)
    return found if isinstance(found, dict) else {}


def struct(values: dict[str, Any]) -> Struct:
    return ParseDict(values, Struct())


def note(call: str, label: Any, **extra: Any) -> None:
    if path := os.environ.get("CALLS"):
        with lock, open(path, "a") as file:
            file.write(json.dumps({"call": call, "name": label, **extra}, sort_keys=True) + "\n")


def world(label: str) -> Any:
    path = os.environ.get("WORLD", "")
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file).get(label)


def paths(old: Any, new: Any, at: str, found: dict[str, int]) -> None:
    """The paths at which two plain values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {*old, *new}:
            inner = f"{at}.{key}" if at else key
            if key not in old or key not in new:
                found[inner] = KINDS.ADD if key not in old else KINDS.DELETE
            else:
                paths(old[key], new[key], inner, found)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (mine, theirs) in enumerate(zip(old, new, strict=True)):
            paths(mine, theirs, f"{at}[{index}]", found)
    elif old != new:
        found[at] = KINDS.UPDATE


class Acme(provider_pb2_grpc.ResourceProviderServicer):
    region = ""

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        old, new = plain(read(request.old_inputs)), plain(read(request.news))
        changed = [key for key in {*old, *new} if old.get(key) != new.get(key)]
        return provider_pb2.DiffResponse(
            changes=DIFF_SOME if changed else DIFF_NONE, replaces=[k for k in changed if k == "region"], diffs=changed
        )

    def Configure(self, request: Any, context: Any) -> Any:
        known = plain(read(request.args))
        self._may("configure", known, context)
        self.region = str(known.get("region") or os.environ.get("ACME_REGION", ""))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    def Check(self, request: Any, context: Any) -> Any:
        news = read(request.news)
        self._may("check", plain(news), context)
        failures = []
        if plain(news.get("value")) == "invalid":
            failures.append(provider_pb2.CheckFailure(property="value", reason="must not be 'invalid'"))
        return provider_pb2.CheckResponse(inputs=struct({"size": 1, **news}), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        old, new = plain(read(request.old_inputs)), plain(read(request.news))
        for name in request.ignoreChanges:
            if name in old:
                new[name] = old[name]
        self._may("diff", new, context)
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        answer = provider_pb2.DiffResponse(
            changes=DIFF_SOME if changed else DIFF_NONE,
            replaces=[key for key in changed if key.startswith("r_")],
            diffs=changed,
            deleteBeforeReplace=bool(new.get("dbr")),
        )
        if new.get("detailed"):
            found: dict[str, int] = {}
            paths(old, new, "", found)
            answer.hasDetailedDiff = True
            for at, kind in found.items():
                answer.detailedDiff[at].kind = kind + 1 if at.startswith("r_") else kind
                answer.detailedDiff[at].inputDiff = True
        return answer

    def Create(self, request: Any, context: Any) -> Any:
        inputs = read(request.properties)
        known = plain(inputs)
        label = known.get("label")
        if request.preview:
            made = {**inputs, "generation": UNKNOWN, "token": UNKNOWN}
            return provider_pb2.CreateResponse(id="", properties=struct(made))
        note("create", label, region=self.region, timeout=request.timeout)
        self._may("create", known, context)
        made = {**inputs, "generation": 1, "token": f"token-{label}"}
        if known.get("leak"):
            made["nested"] = {"open": "seen", "hidden": [{**SECRET, "value": "whispered"}]}
        id_ = f"id-{label}-{known.get('r_kind', '0')}"
        if known.get("partial"):
            self._partial(context, id_, made, inputs)
        return provider_pb2.CreateResponse(id=id_, properties=struct(made))

    def Update(self, request: Any, context: Any) -> Any:
        inputs, known, olds = read(request.news), plain(read(request.news)), read(request.olds)
        label = known.get("label")
        made = {**inputs, "generation": int(plain(olds).get("generation") or 0) + 1, "token": olds.get("token")}
        if not request.preview:
            note("update", label, id=request.id, timeout=request.timeout, ignored=sorted(request.ignoreChanges))
            self._may("update", known, context)
        return provider_pb2.UpdateResponse(properties=struct(made))

    def Delete(self, request: Any, context: Any) -> Any:
        known = plain(read(request.properties))
        note("delete", known.get("label"), id=request.id, timeout=request.timeout)
        self._may("delete", known, context)
        return Empty()

    def Read(self, request: Any, context: Any) -> Any:
        label = plain(read(request.properties)).get("label") or plain(read(request.inputs)).get("label")
        label = label or request.id.split("-")[1]
        note("read", label, id=request.id, timeout=getattr(request, "timeout", 0))
        changed = world(label)
        if changed == "gone":
            return provider_pb2.ReadResponse(id="")
        if changed == "refuse":
            context.abort(grpc.StatusCode.UNKNOWN, f"read of {label} refused")
        if changed == "empty":
            return provider_pb2.ReadResponse(id="", properties=struct({"label": label}))
        changed = changed or {}
        there = {"label": label, "size": 1, "value": "found", **read(request.inputs), **changed}
        state = {**there, "generation": 1, "token": f"token-{label}", **read(request.properties), **changed}
        return provider_pb2.ReadResponse(id=request.id, properties=struct(state), inputs=struct(there))

    def Invoke(self, request: Any, context: Any) -> Any:
        args = read(request.args)
        note("invoke", request.tok, args=plain(args), region=self.region)
        if request.tok.endswith(":refuse"):
            return provider_pb2.InvokeResponse(
                failures=[provider_pb2.CheckFailure(property="value", reason="must be smaller")]
            )
        result = {**args, "doubled": 2 * (plain(args).get("value") or 0), "hidden": {**SECRET, "value": "whispered"}}
        return provider_pb2.InvokeResponse(**{"return": struct(result)})

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()

    def _may(self, operation: str, known: dict[str, Any], context: Any) -> None:
        """Refuses the operation that an input names."""
        if known.get("fail") == operation:
            context.abort(grpc.StatusCode.UNKNOWN, f"{operation} of {known.get('label', 'the provider')} refused")

    def _partial(self, context: Any, id_: str, made: dict[str, Any], inputs: dict[str, Any]) -> None:
        detail = AnyMessage()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=id_, properties=struct(made), inputs=struct(inputs), reasons=["it is still cold"]
            )
        )
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message="not ready", details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, "not ready")


server = grpc.server(ThreadPoolExecutor(max_workers=16))
provider_pb2_grpc.add_ResourceProviderServicer_to_server(Acme(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
