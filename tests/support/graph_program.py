"""A program that is a graph of resources: registers them over gRPC from this process, as the SDK would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from dataops.infra.engine.operation import Surroundings
from dataops.infra.engine.options import UpdateOptions, UpdateResult
from dataops.infra.engine.update_run import UpdateRun
from dataops.infra.errors import ProgramError
from dataops.infra.providers import wire
from dataops.infra.providers.protocol import load
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from dataops.infra.resources.state import Deployment
from dataops.infra.resources.values import Secret
from support.engine_world import SECRETS, STACK, World


@dataclass(frozen=True)
class Node:
    """A resource of the graph.

    Args:
        uses: indices of earlier nodes whose ids are among its inputs.
        value: changes make it an update.
        kind: changes make it a replacement.
        fail: the operation that fails, or "".
        first: whether the old one is deleted before its replacement is made.
        component: no custom resource, but a parent of others.
        parent: the index of an earlier node.
        protect, retain: the options of these names.
        ends_with: the index of an earlier node with which it is deleted.
        aliases: names that it had before.
        secret: a secret input.
        provider: no resource of the package, but a provider of it: `value` is its zone, `kind` its region.
        by: the index of an earlier node, the provider that manages this one; None for the default one.
    """

    uses: tuple[int, ...] = ()
    value: str = "1"
    kind: str = "x"
    fail: str = ""
    first: bool = False
    component: bool = False
    parent: int | None = None
    protect: bool = False
    retain: bool = False
    ends_with: int | None = None
    aliases: tuple[str, ...] = ()
    secret: str = ""
    provider: bool = False
    by: int | None = None


@dataclass
class GraphProgram:
    """A `RunningProgram` that registers nodes, each once those that it uses are there.

    Args:
        nodes: by name, in an order in which each comes after what it uses.
    """

    nodes: Mapping[str, Node]
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = list(self.nodes)
        self._threads: list[threading.Thread] = []

    def start(self, settings: Mapping[str, Any], say: object, ended: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run, args=(settings["address"], ended))
        thread.start()
        self._threads.append(thread)

    def error(self, timeout: float) -> ProgramError | None:
        return None

    def stop(self) -> None:
        for thread in self._threads:
            thread.join()

    def _run(self, address: str, ended: Callable[[], None]) -> None:
        from google.protobuf.empty_pb2 import Empty

        with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(32) as pool:
            stub = load("resource_pb2_grpc").ResourceMonitorStub(channel)
            made: dict[str, Future[Any]] = {}
            for name in self.names:
                made[name] = pool.submit(self._register, stub, name, dict(made))
            try:
                for future in made.values():
                    future.result()
                stub.SignalAndWaitForShutdown(Empty())
            except grpc.RpcError:
                pass
            ended()

    def _register(self, stub: Any, name: str, made: dict[str, Future[Any]]) -> Any:
        node = self.nodes[name]
        parent = "" if node.parent is None else made[self.names[node.parent]].result().urn
        if node.component:
            group = load("resource_pb2").RegisterResourceRequest(type="world:index:Group", name=name, parent=parent)
            _add_aliases(group, node)
            answer = stub.RegisterResource(group)
            stub.RegisterResourceOutputs(load("resource_pb2").RegisterResourceOutputsRequest(urn=answer.urn))
            return answer
        if node.provider:
            request = load("resource_pb2").RegisterResourceRequest(
                type="pulumi:providers:world", name=name, custom=True, parent=parent
            )
            _add_aliases(request, node)
            wire.to_struct({"zone": node.value, "region": node.kind}, into=request.object)
            return stub.RegisterResource(request)
        by = None if node.by is None else made[self.names[node.by]].result()
        needed = [made[self.names[index]].result() for index in node.uses]
        request = load("resource_pb2").RegisterResourceRequest(
            type="world:index:Thing",
            name=name,
            custom=True,
            parent=parent,
            dependencies=[answer.urn for answer in needed],
            acceptSecrets=True,
            supportsPartialValues=True,
            protect=node.protect,
            retainOnDelete=node.retain,
            provider="" if by is None else f"{by.urn}::{by.id}",
            deletedWith="" if node.ends_with is None else made[self.names[node.ends_with]].result().urn,
        )
        _add_aliases(request, node)
        inputs: dict[str, Any] = {"uses": [answer.id for answer in needed], "value": node.value, "r_kind": node.kind}
        if node.first:
            inputs["dbr"] = True
        if node.fail:
            inputs["fail"] = node.fail
        if node.secret:
            inputs["secret"] = Secret(node.secret)
        wire.to_struct(inputs, into=request.object)
        request.propertyDependencies["uses"].urns.extend(request.dependencies)
        return stub.RegisterResource(request)


def _add_aliases(request: Any, node: Node) -> None:
    for name in node.aliases:
        request.aliases.add().spec.name = name


def apply(
    world: World,
    nodes: Mapping[str, Node],
    options: UpdateOptions | None = None,
    *,
    preview: bool = False,
    kind: str = "update",
) -> UpdateResult:
    """Brings a world's stack to a graph, or previews that; with another `kind` the graph is what its program says."""
    world.events.clear()
    registry = ProviderRegistry({"world": lambda context: world.provider})
    with world.backend.begin(STACK, "preview" if preview else kind, SECRETS) as session:
        around = Surroundings({}, registry, None, lambda name: Deployment(), ProviderContext("", root=Path.cwd()))
        run = UpdateRun(kind, preview, STACK, options or UpdateOptions(), world.events.append, session, around)
        return run.go(GraphProgram(nodes))
