"""Transforms: functions of the program that rewrite what resources and invokes ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dataops.infra.providers import wire
from dataops.infra.providers.protocol import load
from dataops.infra.resources.values import Properties

Call = Callable[[bytes], bytes]


class Transforms:
    """The transforms of the stack, of each resource for its children, and of invokes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack: list[Call] = []
        self._invokes: list[Call] = []
        self._of: dict[str, list[Call]] = {}

    def add_to_stack(self, call: Call) -> None:
        """A transform of every resource."""
        with self._lock:
            self._stack.append(call)

    def add_to_invokes(self, call: Call) -> None:
        """A transform of every invoke."""
        with self._lock:
            self._invokes.append(call)

    def keep(self, urn: str, calls: list[Call]) -> None:
        """The transforms that a resource passes on to its children."""
        if calls:
            with self._lock:
                self._of[urn] = calls

    def for_resource(self, own: list[Call], ancestors: list[str]) -> list[Call]:
        """The transforms that apply to a resource: its own, those of its ancestors, nearest first, the stack's."""
        if not (own or self._of or self._stack):
            return []
        with self._lock:
            inherited = [call for urn in ancestors for call in self._of.get(urn, ())]
            return [*own, *inherited, *self._stack]

    def apply(self, calls: list[Call], request: Any, properties: Properties, options: Any) -> tuple[Properties, Any]:
        """Runs transforms one after the other over the properties and options of a registration."""
        messages = load("resource_pb2")
        for call in calls:
            message = messages.TransformRequest(
                type=request.type, name=request.name, custom=request.custom, parent=request.parent, options=options
            )
            _to_struct_with_outputs(properties, message.properties)
            answer = messages.TransformResponse.FromString(call(message.SerializeToString()))
            if answer.HasField("options"):
                options = answer.options
            if answer.HasField("properties"):
                properties = wire.from_struct(answer.properties)
        return properties, options

    def apply_to_invoke(self, token: str, args: Properties, options: Any) -> tuple[Properties, Any]:
        """Runs the transforms of invokes."""
        messages = load("resource_pb2")
        with self._lock:
            calls = list(self._invokes)
        for call in calls:
            message = messages.TransformInvokeRequest(token=token, options=options)
            wire.to_struct(args, into=message.args)
            answer = messages.TransformInvokeResponse.FromString(call(message.SerializeToString()))
            if answer.HasField("options"):
                options = answer.options
            if answer.HasField("args"):
                args = wire.from_struct(answer.args)
        return args, options


def _to_struct_with_outputs(properties: Properties, struct: Any) -> None:
    wire.to_struct(properties, outputs=True, into=struct)
    struct.SetInParent()
