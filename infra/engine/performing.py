"""Performs one step on its provider and gives the resource's new state."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime

from dataops.infra.engine import diffing
from dataops.infra.engine.deployment import Deployment
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.step import Step
from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import Changes, DiffResult, Provider
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import is_provider, name_of
from dataops.infra.resources.values import UNKNOWN_STRING, Secret


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step has made.

    Args:
        state: the resource now; None when it is gone.
        op: what a refresh has found: `same`, `update` or `delete`.
        diff: what has changed, for a refresh.
        not_ready: why the resource exists but is not ready; the step counts as failed, and is recorded.
        failures: what the check of an import found wrong.
    """

    state: ResourceState | None
    op: str | None = None
    diff: DiffResult | None = None
    not_ready: tuple[str, ...] = ()


class ProtectedError(ResourceError):
    """A protected resource was to be deleted; nothing else is stopped by it."""


class Performer:
    """Performs steps.

    Args:
        deletes: the URNs that this deployment deletes, for `deleted_with`.
    """

    def __init__(self, deployment: Deployment, providers: ProviderResources, deletes: Container[str]) -> None:
        self._deployment = deployment
        self._providers = providers
        self._deletes = deletes
        self._preview = deployment.options.preview

    def perform(self, step: Step) -> Outcome:
        """Does what a step says; `ResourceError` when the provider could not."""
        op = step.op
        if op == "same":
            return Outcome(self._same(step))
        if op in ("create", "create-replacement"):
            return self._create(step)
        if op == "update":
            return self._update(step)
        if op == "replace":
            return Outcome(self._deployment.news.get(step.urn, step.new))
        if op in ("delete", "delete-replaced", "discard", "discard-replaced"):
            self._delete(step)
            return Outcome(None)
        if op == "remove-pending-replace":
            return Outcome(None)
        if op in ("read", "read-replacement"):
            return self._read(step)
        if op in ("import", "import-replacement"):
            return self._import(step)
        return self._refresh(step)

    def _provider(self, state: ResourceState) -> Provider:
        found = self._providers.for_resource(True, state.type, state.provider, state.urn)
        assert found is not None
        return found

    def _same(self, step: Step) -> ResourceState:
        assert step.new is not None
        if step.old is None:
            return step.new
        state = step.new.copy(id=step.old.id, outputs=step.old.outputs)
        if is_provider(state.type):
            # Inputs that make no difference to the provider do not reach it.
            self._providers.keep(state.copy(inputs=step.old.inputs))
        return marked(state)

    def _create(self, step: Step) -> Outcome:
        new = step.new
        assert new is not None
        now = datetime.now(UTC)
        if not new.custom:
            return Outcome(new.copy(created=now, modified=now))
        made = self._provider(new).create(new.urn, new.inputs, new.custom_timeouts.create, self._preview)
        return Outcome(
            marked(
                new.copy(
                    id=made.id, outputs=made.outputs, init_errors=list(made.init_errors), created=now, modified=now
                )
            ),
            not_ready=made.init_errors,
        )

    def _update(self, step: Step) -> Outcome:
        old, new = step.old, step.new
        assert old is not None and new is not None
        if not new.custom:
            return Outcome(new.copy(id=old.id, outputs=old.outputs))
        result = self._provider(new).update(
            new.urn,
            old.id,
            old.inputs,
            old.outputs,
            new.inputs,
            new.custom_timeouts.update,
            step.ignore_changes,
            self._preview,
        )
        state = marked(
            new.copy(
                id=old.id, outputs=result.outputs, init_errors=list(result.init_errors), modified=datetime.now(UTC)
            )
        )
        if result.init_errors:
            state.inputs = dict(old.inputs)
        return Outcome(state, not_ready=result.init_errors)

    def _delete(self, step: Step) -> None:
        old = step.old
        assert old is not None
        if step.op == "delete" and old.protect and not self._deployment.options.ignore_protect:
            raise ProtectedError(
                f'resource "{old.urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, '
                "remove the `protect` flag from the resource in your program and run `up`"
            )
        if self._preview or old.external or old.retain_on_delete or not old.custom:
            return
        if old.deleted_with and old.deleted_with in self._deletes:
            return
        self._provider(old).delete(old.urn, old.id, old.inputs, old.outputs, old.custom_timeouts.delete)

    def _read(self, step: Step) -> Outcome:
        new, old = step.new, step.old
        assert new is not None
        if not new.id or new.id == UNKNOWN_STRING:
            return Outcome(new.copy(outputs={}))
        read = self._provider(new).read(new.urn, new.id, new.inputs, new.inputs)
        if not read.found:
            raise ResourceError(f"resource '{new.id}' does not exist")
        state = marked(new.copy(id=read.id or new.id, outputs=read.outputs, init_errors=list(read.init_errors)))
        if old is not None:
            state.created, state.modified = old.created, old.modified
            if not (diffing.equal(old.inputs, state.inputs) and diffing.equal(old.outputs, state.outputs)):
                state.modified = datetime.now(UTC)
        return Outcome(state, not_ready=read.init_errors)

    def _import(self, step: Step) -> Outcome:
        new = step.new
        assert new is not None
        provider = self._provider(new)
        read = provider.read(new.urn, new.id, {}, {}, new.custom_timeouts.read)
        if not read.found:
            raise ResourceError(f"resource '{new.id}' does not exist")
        if read.inputs is None:
            raise ResourceError("the provider does not support importing resources; try updating it")
        now = datetime.now(UTC)
        return Outcome(
            marked(new.copy(id=read.id or new.id, inputs=read.inputs, outputs=read.outputs, created=now, modified=now)),
            not_ready=read.init_errors,
        )

    def _refresh(self, step: Step) -> Outcome:
        old = step.old
        assert old is not None
        if not old.custom or is_provider(old.type) or old.pending_replacement:
            # Nothing is compared; what becomes of a copy counts, for Pulumi and for readers of its event log, as new.
            return Outcome(old.copy(), op="update") if step.by_program else Outcome(old, op="same")
        new = step.new or old
        provider = self._provider(new)
        read = provider.read(new.urn, old.id, old.inputs, old.outputs, new.custom_timeouts.read)
        if not read.id:
            return Outcome(None, op="delete")
        inputs = old.inputs if read.inputs is None else read.inputs
        state = marked(new.copy(id=read.id, inputs=inputs, outputs=read.outputs, init_errors=list(read.init_errors)))
        if not (diffing.equal(old.inputs, state.inputs) and diffing.equal(old.outputs, state.outputs)):
            state.modified = datetime.now(UTC)
        if old.external:
            same = diffing.equal(old.outputs, state.outputs)
            return Outcome(state, op="same" if same else "update")
        diff = diffing.inverted(
            diffing.diff_resource(
                provider, new.urn, state.id, state.inputs, state.outputs, old.inputs, old.ignore_changes
            )
        )
        return Outcome(state, op="update" if diff.changes is Changes.SOME else "same", diff=diff)


def marked(state: ResourceState) -> ResourceState:
    """A state whose outputs are secret where they are declared so, or echo a secret input. Changes it in place."""
    outputs = dict(state.outputs)
    for key in state.additional_secret_outputs:
        if key != "id" and key in outputs and not isinstance(outputs[key], Secret):
            outputs[key] = Secret(outputs[key])
    for key, value in state.inputs.items():
        if isinstance(value, Secret) and key in outputs and not isinstance(outputs[key], Secret):
            outputs[key] = Secret(outputs[key])
    state.outputs = outputs
    return state


def explain(error: ResourceError, urn: str) -> str:
    """The message of a failed step, with what else the provider had to say."""
    del urn
    lines = [error.what]
    if error.details and error.details.strip() != error.what:
        lines.append(error.details.rstrip())
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def not_ready_message(state: ResourceState, reasons: tuple[str, ...]) -> str:
    """Why a resource that exists counts as failed."""
    return f"{name_of(state.urn)} exists, but is not ready: " + "; ".join(reasons)
