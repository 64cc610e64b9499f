"""A plugin of the package `steered`: the provider of the kit, served over gRPC as other people's plugins are."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

sys.path.insert(0, os.environ["STEERED_PLUGIN"])
from kit import Steered  # type: ignore[import-not-found]


def plain(properties: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(properties)
    return found


def packed(properties: dict[str, Any]) -> Struct:
    result = Struct()
    result.update(properties)
    return result


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    def __init__(self) -> None:
        self.provider = Steered()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse()

    def Check(self, request: Any, context: Any) -> Any:
        found = self.provider.check(plain(request.olds), plain(request.news))
        failures = [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in found.failures]
        return provider_pb2.CheckResponse(inputs=packed(found.inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        found = self.provider.diff(request.id, plain(request.olds), plain(request.news))
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if found.changes else none,
            replaces=found.replaces,
            deleteBeforeReplace=found.delete_before_replace,
        )

    def Create(self, request: Any, context: Any) -> Any:
        made = self.provider.create(plain(request.properties))
        return provider_pb2.CreateResponse(id=made.id, properties=packed(made.outs))

    def Read(self, request: Any, context: Any) -> Any:
        found = self.provider.read(request.id, plain(request.properties))
        return provider_pb2.ReadResponse(id=found.id, properties=packed(found.outs), inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:
        result = self.provider.update(request.id, plain(request.olds), plain(request.news))
        return provider_pb2.UpdateResponse(properties=packed(result.outs))

    def Delete(self, request: Any, context: Any) -> Any:
        self.provider.delete(request.id, plain(request.properties))
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()


server = grpc.server(ThreadPoolExecutor(max_workers=8))
provider_pb2_grpc.add_ResourceProviderServicer_to_server(Plugin(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
