"""A provider plugin of the package `world`, written with nothing but gRPC: what engines start and speak to.

`WORLD_MANNER` says how it behaves: `old` knows no handshake and no secrets, `dies` exits while it creates, `waits`
creates until it is cancelled, `late` tells its port before it listens.
"""

import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

MANNER = os.environ.get("WORLD_MANNER", "")


class World(provider_pb2_grpc.ResourceProviderServicer):
    config: Any
    variables: dict[str, str]

    def __init__(self, engine: str) -> None:
        self.engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine))
        self.cancelled = threading.Event()

    def Handshake(self, request: Any, context: Any) -> Any:
        if MANNER == "old":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "what is that?")
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True, accept_outputs=True)

    def Attach(self, request: Any, context: Any) -> Any:
        self.engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(request.address))
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        failures = []
        if "region" not in request.news.fields:
            failures.append(provider_pb2.CheckFailure(property="region", reason="must be given"))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        changed = [k for k in request.news.fields if request.news.fields[k] != request.old_inputs.fields[k]]
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, replaces=[k for k in changed if k == "region"], diffs=changed)

    def Configure(self, request: Any, context: Any) -> Any:
        self.config = request.args
        self.variables = dict(request.variables)
        return provider_pb2.ConfigureResponse(acceptSecrets=MANNER != "old", supportsPreview=MANNER != "old")

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        changed = [k for k in request.news.fields if request.news.fields[k] != request.old_inputs.fields[k]]
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed)

    def Create(self, request: Any, context: Any) -> Any:
        if MANNER == "dies" and not request.preview:
            print("the disk is on fire", file=sys.stderr, flush=True)
            os._exit(3)
        if MANNER == "waits":
            self.cancelled.wait(30)
            context.abort(grpc.StatusCode.ABORTED, "cancelled while it was at work")
        self.engine.Log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message="mind the gap", urn=request.urn))
        properties = request.properties
        properties.fields["configured"].CopyFrom(self.config.fields["region"])
        properties.fields["old name"].string_value = self.variables.get("world:config:region", "")
        return provider_pb2.CreateResponse(id="" if request.preview else "w-1", properties=properties)

    def Update(self, request: Any, context: Any) -> Any:
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request: Any, context: Any) -> Any:
        return Empty()

    def Read(self, request: Any, context: Any) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=self.config)

    def Invoke(self, request: Any, context: Any) -> Any:
        answer = provider_pb2.InvokeResponse()
        getattr(answer, "return").fields["answer"].string_value = "forty-two"
        return answer

    def Construct(self, request: Any, context: Any) -> Any:
        answer = provider_pb2.ConstructResponse(urn=f"urn:{request.type}::{request.name}", state=request.inputs)
        answer.state.fields["config"].string_value = ",".join(f"{k}={v}" for k, v in sorted(request.config.items()))
        answer.state.fields["secretKeys"].string_value = ",".join(request.configSecretKeys)
        answer.state.fields["told"].string_value = f"{request.monitorEndpoint} {request.protect} {request.dryRun}"
        for key, found in request.inputDependencies.items():
            answer.stateDependencies[key].urns.extend(found.urns)
        return answer

    def Call(self, request: Any, context: Any) -> Any:
        answer = provider_pb2.CallResponse()
        getattr(answer, "return").CopyFrom(request.args)
        if not request.args.fields:
            answer.failures.add(property="size", reason="must be given")
        return answer

    def Cancel(self, request: Any, context: Any) -> Any:
        self.cancelled.set()
        return Empty()


server = grpc.server(ThreadPoolExecutor(max_workers=8))
provider_pb2_grpc.add_ResourceProviderServicer_to_server(World(sys.argv[1]), server)
port = 0
if MANNER == "late":
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    print(port, flush=True)
    time.sleep(0.3)
port = server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
if MANNER != "late":
    print(port, flush=True)
server.wait_for_termination()
