"""Resource hooks: functions of the program that run before and after operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.step import Step
from dataops.infra.errors import DataopsError, ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.protocol import load
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import name_of

_MOMENTS = {
    "create": "create",
    "create-replacement": "create",
    "update": "update",
    "delete": "delete",
    "delete-replaced": "delete",
}

_MOST_TRIES = 100

Call = Callable[[bytes], bytes]
"""Runs a callback of the program with a message and gives its answer."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A registered hook; its errors may count as warnings."""

    call: Call
    on_preview: bool
    ignores_errors: bool = False


class Hooks:
    """The hooks of a deployment, by name."""

    def __init__(self, preview: bool, report: Reporter) -> None:
        self._preview = preview
        self._report = report
        self._hooks: dict[str, Hook] = {}
        self._on_error: dict[str, Call] = {}

    def register(self, name: str, hook: Hook) -> None:
        """Makes a hook known; `ResourceError` when the name is taken."""
        self._refuse_taken(name)
        self._hooks[name] = hook

    def register_for_errors(self, name: str, call: Call) -> None:
        """Makes a hook known that is asked when an operation has failed; `ResourceError` when the name is taken."""
        self._refuse_taken(name)
        self._on_error[name] = call

    def retries(self, step: Step, failures: list[str]) -> bool:
        """Whether the hooks of a resource want an operation tried again.

        Args:
            failures: why it failed so far, the last first.

        Raises:
            ResourceError: a hook failed, or wants it for the hundredth time.
        """
        moment = _MOMENTS.get(step.op)
        names = (step.resource.extra.get("resourceHooks") or {}).get("OnError", ()) if moment else ()
        again = False
        for name in names:
            call = self._on_error.get(name)
            if call is None:
                raise ResourceError(f"the error hook {name!r} is not registered by the program")
            request = _error_request(step, f"{moment}", failures)
            answer = load("resource_pb2").ErrorHookResponse.FromString(call(request.SerializeToString()))
            if answer.error:
                raise ResourceError(f"error hook {name} failed: {answer.error}")
            again = again or answer.retry
        if again and len(failures) >= _MOST_TRIES:
            raise ResourceError(f"error hooks have had this tried {_MOST_TRIES} times", details=failures[0])
        return again

    def _refuse_taken(self, name: str) -> None:
        if name in self._hooks or name in self._on_error:
            raise ResourceError(f"a resource hook named {name!r} is registered already")

    def before(self, step: Step) -> None:
        """Runs the hooks before a step; an error stops the step."""
        self._run("before", step, None)

    def after(self, step: Step, state: ResourceState | None) -> None:
        """Runs the hooks after a step."""
        self._run("after", step, state)

    def _run(self, when: str, step: Step, state: ResourceState | None) -> None:
        moment = _MOMENTS.get(step.op)
        bound = step.resource.extra.get("resourceHooks")
        if moment is None or not bound:
            return
        for name in bound.get(f"{when.capitalize()}{moment.capitalize()}", ()):
            hook = self._hooks.get(name)
            if hook is None:
                raise ResourceError(f"the resource hook {name!r} is not registered by the program")
            if self._preview and not hook.on_preview:
                continue
            answer = load("resource_pb2").ResourceHookResponse.FromString(
                hook.call(_request(step, state).SerializeToString())
            )
            if answer.error and hook.ignores_errors:
                self._report.warning(f"hook {name} failed: {answer.error}", step.urn)
            elif answer.error:
                raise DataopsError(f"hook {name} failed: {answer.error}")


def _request(step: Step, state: ResourceState | None) -> Any:
    resource = state or step.resource
    request = load("resource_pb2").ResourceHookRequest(
        urn=resource.urn,
        id=resource.id or _id_before(step),
        name=name_of(resource.urn),
        type=resource.type,
    )
    if step.new is not None:
        wire.to_struct(step.new.inputs, into=request.new_inputs)
    if step.old is not None and _MOMENTS[step.op] != "create":
        wire.to_struct(step.old.inputs, into=request.old_inputs)
        wire.to_struct(step.old.outputs, into=request.old_outputs)
    if state is not None:
        wire.to_struct(state.outputs, into=request.new_outputs)
    return request


def _id_before(step: Step) -> str:
    return step.old.id if step.old is not None and _MOMENTS[step.op] != "create" else ""


def delete_hooks(state: ResourceState) -> list[str]:
    """The names of the hooks that run when a resource is deleted."""
    bound = state.extra.get("resourceHooks") or {}
    return [name for moment in ("BeforeDelete", "AfterDelete") for name in bound.get(moment, ())]


def _error_request(step: Step, operation: str, failures: list[str]) -> Any:
    resource = step.resource
    request = load("resource_pb2").ErrorHookRequest(
        urn=resource.urn,
        id=resource.id or _id_before(step),
        name=name_of(resource.urn),
        type=resource.type,
        failed_operation=operation,
        errors=failures,
    )
    if step.new is not None:
        wire.to_struct(step.new.inputs, into=request.new_inputs)
    if step.old is not None and operation != "create":
        wire.to_struct(step.old.inputs, into=request.old_inputs)
        wire.to_struct(step.old.outputs, into=request.old_outputs)
    return request
