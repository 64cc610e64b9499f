"""The provider of the package `pulumi`: stack references, stashes, and functions that look at stacks."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from dataops.infra.engine.diffing import equal
from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    InvokeResult,
    ReadResult,
    UpdateResult,
)
from dataops.infra.resources.state import Deployment, ResourceState
from dataops.infra.resources.urn import type_of
from dataops.infra.resources.values import Properties, has_secrets

STACK_REFERENCE = "pulumi:pulumi:StackReference"
STASH = "pulumi:index:Stash"
_INPUT = {STACK_REFERENCE: "name", STASH: "input"}


class BuiltinProvider:
    """What the engine itself provides.

    Args:
        recorded: what is recorded of another stack, by its name.
        find: a resource of this deployment, by its URN.
    """

    def __init__(self, recorded: Callable[[str], Deployment], find: Callable[[str], ResourceState | None]) -> None:
        self._recorded = recorded
        self._find = find

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        return CheckResult({})

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        return DiffResult(Changes.NONE)

    def configure(self, config: Properties) -> None:
        pass

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        wanted = self._input(urn)
        failures = [CheckFailure(key, f'unknown property "{key}"') for key in new_inputs if key != wanted]
        if wanted not in new_inputs:
            failures.append(CheckFailure(wanted, f'missing required property "{wanted}"'))
        return CheckResult(new_inputs, tuple(failures))

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> DiffResult:
        wanted = self._input(urn)
        if equal(old_inputs.get(wanted), new_inputs.get(wanted)):
            return DiffResult(Changes.NONE)
        replaces = (wanted,) if type_of(urn) == STACK_REFERENCE else ()
        return DiffResult(Changes.SOME, replaces, changed=(wanted,))

    def create(self, urn: str, inputs: Properties, timeout: float, preview: bool) -> CreateResult:
        id_ = "" if preview else str(uuid.uuid4())
        if self._input(urn) == "name":
            return CreateResult(id_, self._reference(inputs))
        return CreateResult(id_, {"input": inputs["input"], "output": inputs["input"]})

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float = 0) -> ReadResult:
        if self._input(urn) == "name":
            return ReadResult(id_, self._reference(inputs or {"name": id_}), inputs)
        return ReadResult(id_, outputs, inputs)

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
        return UpdateResult({"input": new_inputs["input"], "output": old_outputs.get("output")})

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        pass

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        if token == "pulumi:pulumi:getResource":
            state = self._find(str(args.get("urn")))
            if state is None:
                raise ResourceError(f"unknown resource {args.get('urn')}")
            found: Properties = {"urn": state.urn, "id": state.id, "provider": state.provider, "state": state.outputs}
            return InvokeResult(found)
        if token == "pulumi:pulumi:readStackOutputs":
            return InvokeResult(self._reference(args))
        if token == "pulumi:pulumi:readStackResourceOutputs":
            name = args["stackName"]
            resources = [state for state in self._recorded(str(name)).resources if not state.delete]
            outputs = {state.urn: {"type": state.type, "outputs": state.outputs} for state in resources}
            return InvokeResult({"name": name, "outputs": outputs})
        raise ResourceError(f"there is no function {token}")

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _input(self, urn: str) -> str:
        found = _INPUT.get(type_of(urn))
        if found is None:
            raise ResourceError(f"unrecognized resource type {type_of(urn)!r}")
        return found

    def _reference(self, inputs: Properties) -> Properties:
        outputs = self._recorded(str(inputs["name"])).outputs()
        secret = sorted(key for key, value in outputs.items() if has_secrets(value))
        return {"name": inputs["name"], "outputs": outputs, "secretOutputNames": secret}
