"""A provider made of resource handlers: what all of them have in common, so that each sees plain values only.

It unwraps secrets on the way in and marks them again on the way out, answers previews without asking a handler to do
anything, checks names of inputs, compares old with new, and says of every failure which resource it was.
"""

from __future__ import annotations

import difflib
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dataops.infra.errors import CancelledError, DataopsError, ResourceError
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffKind,
    DiffResult,
    InvokeResult,
    Operation,
    PropertyDiff,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)
from dataops.infra.resources.urn import name_of, type_of
from dataops.infra.resources.values import (
    UNKNOWN,
    Output,
    Properties,
    Secret,
    Value,
    has_secrets,
    has_unknowns,
    unwrap_secrets,
)


class HandlerProvider:
    """A `Provider` of the resource types that `handlers` are for. Safe for use from several threads if they are.

    Raises:
        ValueError: two handlers have the same token.
    """

    def __init__(self, handlers: Iterable[ResourceHandler]) -> None:
        self._handlers: dict[str, ResourceHandler] = {}
        for handler in handlers:
            if handler.token in self._handlers:
                raise ValueError(f"two handlers for {handler.token}")
            self._handlers[handler.token] = handler
        self._cancelled = threading.Event()

    @property
    def tokens(self) -> frozenset[str]:
        """The resource types it provides."""
        return frozenset(self._handlers)

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        """Accepts any configuration; there is nothing to configure."""
        return CheckResult(new)

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        """No difference of configuration matters."""
        return DiffResult(Changes.NONE)

    def configure(self, config: Properties) -> None:
        """Nothing to configure."""

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        """Refuses missing and unknown names of inputs; then asks the handler about the values that are known."""
        handler = self._handler(urn)
        failures = list(_check_names(handler, new_inputs))
        known = {k: unwrap_secrets(v) for k, v in new_inputs.items() if v is not None and not has_unknowns(v)}
        before = dict(known)
        if not failures:
            with _named(urn, "check"):
                failures.extend(handler.check(known))
        inputs = dict(new_inputs)
        for name, value in known.items():
            if name not in before or before[name] != value:
                inputs[name] = Secret(value) if has_secrets(new_inputs.get(name)) else value
        return CheckResult(inputs, tuple(failures))

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> DiffResult:
        """Compares inputs with inputs, and what was last read with what the handler wants to see."""
        handler = self._handler(urn)
        detailed: dict[str, PropertyDiff] = {}
        for name in sorted((old_inputs.keys() | new_inputs.keys()) - handler.noted):
            kind = _difference(old_inputs.get(name), new_inputs.get(name), name in handler.replace_on)
            if kind and name not in ignore_changes:
                detailed[name] = PropertyDiff(kind, input_diff=True)
        replaces = tuple(name for name in detailed if name in handler.replace_on)
        with _named(urn, "diff"):
            recorded = _recorded(id_, old_inputs, old_outputs)
            for name in handler.drifted(recorded, _known(new_inputs)):
                detailed.setdefault(name, PropertyDiff(DiffKind.UPDATE))
        return DiffResult(
            changes=Changes.SOME if detailed else Changes.NONE,
            replaces=replaces,
            changed=tuple(detailed),
            detailed=detailed,
            delete_before_replace=handler.delete_before_replace,
        )

    def create(self, urn: str, inputs: Properties, timeout: float, preview: bool) -> CreateResult:
        """Has the handler make the resource; in a preview says what is known of the outputs."""
        handler = self._handler(urn)
        if preview:
            return CreateResult("", _foreseen(handler, inputs, {}))
        self._go_on(urn)
        with _named(urn, "create"):
            result = handler.create(Operation(urn, timeout), unwrap_secrets(inputs))
        return CreateResult(result.id, _marked(handler, result.outputs, inputs), result.init_errors)

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float = 0) -> ReadResult:
        """Has the handler look; outputs that were secret stay secret."""
        handler = self._handler(urn)
        with _named(urn, "read"):
            result = handler.read(Operation(urn, timeout), _recorded(id_, inputs, outputs))
        if not result.id:
            return ReadResult("", {})
        marked = _marked(handler, result.outputs, {**inputs, **outputs})
        read_inputs = result.inputs if result.inputs is None else _marked(handler, result.inputs, inputs)
        return ReadResult(result.id, marked, read_inputs, result.init_errors)

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
        """Has the handler change the resource; in a preview expects outputs to stay unless they have drifted."""
        handler = self._handler(urn)
        recorded = _recorded(id_, old_inputs, old_outputs)
        if preview:
            staying = dict(old_outputs)
            with _named(urn, "update"):
                staying.update({name: UNKNOWN for name in handler.drifted(recorded, _known(new_inputs))})
            return UpdateResult(_foreseen(handler, new_inputs, staying))
        self._go_on(urn)
        with _named(urn, "update"):
            result = handler.update(Operation(urn, timeout), recorded, unwrap_secrets(new_inputs))
        return UpdateResult(_marked(handler, result.outputs, new_inputs), result.init_errors)

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        """Has the handler remove the resource."""
        handler = self._handler(urn)
        self._go_on(urn)
        with _named(urn, "delete"):
            handler.delete(Operation(urn, timeout), _recorded(id_, inputs, outputs))

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        """There are no functions.

        Raises:
            ResourceError: always.
        """
        raise ResourceError(f"there is no function {token}", hint=_nearest(token, self._handlers))

    def cancel(self) -> None:
        """Begins nothing more; what is under way is left to finish, so that its outcome is known."""
        self._cancelled.set()

    def close(self) -> None:
        """Nothing to close."""

    def _handler(self, urn: str) -> ResourceHandler:
        token = type_of(urn)
        handler = self._handlers.get(token)
        if handler is None:
            raise ResourceError(
                f"there is no resource type {token}", where=name_of(urn), hint=_nearest(token, self._handlers)
            )
        return handler

    def _go_on(self, urn: str) -> None:
        if self._cancelled.is_set():
            raise CancelledError("not begun, the update was cancelled", where=_where(urn))


def _check_names(handler: ResourceHandler, inputs: Properties) -> Iterator[CheckFailure]:
    allowed = handler.required | handler.optional
    for name in sorted(handler.required):
        if inputs.get(name) is None:
            yield CheckFailure(name, f"missing required property '{name}'")
    for name in sorted(inputs.keys() - allowed):
        if name.startswith("__"):  # the SDK's own
            continue
        hint = _nearest(name, allowed)
        yield CheckFailure(name, f"unknown property '{name}'" + (f"; {hint}" if hint else ""))


def _nearest(name: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{found[0]}'?" if found else None


def _difference(old: Value, new: Value, replaces: bool) -> DiffKind | None:
    if has_unknowns(new) or unwrap_secrets(old) != unwrap_secrets(new):
        if old is None:
            return DiffKind.ADD_REPLACE if replaces else DiffKind.ADD
        if new is None:
            return DiffKind.DELETE_REPLACE if replaces else DiffKind.DELETE
        return DiffKind.UPDATE_REPLACE if replaces else DiffKind.UPDATE
    return None


def _recorded(id_: str, inputs: Properties, outputs: Properties) -> Recorded:
    return Recorded(id_, unwrap_secrets(inputs), unwrap_secrets(outputs))


def _known(inputs: Properties) -> dict[str, Any]:
    return {name: unwrap_secrets(value) for name, value in inputs.items() if not has_unknowns(value)}


def _foreseen(handler: ResourceHandler, inputs: Properties, staying: Properties) -> Properties:
    """What a preview can say of outputs: inputs come back, some stay, the others are not known."""
    outputs = {name: staying.get(name, UNKNOWN) for name in handler.outputs}
    echoed = handler.outputs & inputs.keys() if handler.outputs else inputs.keys()
    outputs.update({name: inputs[name] for name in echoed})
    return outputs


def _marked(handler: ResourceHandler, outputs: Properties, known: Properties) -> Properties:
    """`outputs` with its secrets marked: those the handler declares and those that are secret in `known`."""
    marked = dict(outputs)
    for name, value in outputs.items():
        original = known.get(name)
        if has_secrets(original):
            marked[name] = _with_secrets_of(original, value)
        elif name in handler.secret_outputs and value is not None and not isinstance(value, Secret):
            marked[name] = Secret(value)
    return marked


def _with_secrets_of(original: Value, plain: Value) -> Value:
    """`plain` in the form of `original`: secret in the same places, or as a whole when it no longer fits."""
    if unwrap_secrets(original) == plain:
        return original
    if isinstance(original, dict) and isinstance(plain, dict) and original.keys() == plain.keys():
        return {key: _with_secrets_of(original[key], value) for key, value in plain.items()}
    if not isinstance(original, (Secret, Output)) and not has_secrets(original):
        return plain
    return plain if isinstance(plain, Secret) else Secret(plain)


def _where(urn: str) -> str:
    return f"{type_of(urn)} {name_of(urn)}"


@contextmanager
def _named(urn: str, operation: str) -> Iterator[None]:
    """Gives errors the resource's name; what is no error of ours becomes one, without its message, which may tell."""
    try:
        yield
    except DataopsError as error:
        error.where = error.where or _where(urn)
        raise
    except OSError as error:
        path = f" ({error.filename})" if error.filename else ""
        raise ResourceError(f"{operation} failed: {error.strerror or error}{path}", where=_where(urn)) from error
    except Exception as error:
        frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
        raise ResourceError(
            f"{operation} failed with {type(error).__name__}, a defect of dataops", where=_where(urn), details=frames
        ) from error
