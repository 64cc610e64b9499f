"""Comparing what is recorded with what is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from dataops.infra.engine.property_path import covers, parse_path, reset
from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import Changes, DiffKind, DiffResult, PropertyDiff, Provider
from dataops.infra.resources.values import Properties, Value, has_unknowns, transform, unwrap_secrets

INIT_ERROR = "#initerror"
"""In `replace_on_changes`: replace a resource that was made but is not ready."""

_TO_REPLACE = {
    DiffKind.ADD: DiffKind.ADD_REPLACE,
    DiffKind.DELETE: DiffKind.DELETE_REPLACE,
    DiffKind.UPDATE: DiffKind.UPDATE_REPLACE,
}
_INVERSE = {
    DiffKind.ADD: DiffKind.DELETE,
    DiffKind.DELETE: DiffKind.ADD,
    DiffKind.ADD_REPLACE: DiffKind.DELETE_REPLACE,
    DiffKind.DELETE_REPLACE: DiffKind.ADD_REPLACE,
}
_REPLACING = frozenset({DiffKind.ADD_REPLACE, DiffKind.DELETE_REPLACE, DiffKind.UPDATE_REPLACE})


def equal(one: Value, other: Value) -> bool:
    """Equality that tells True from 1."""
    if one != other:
        return False
    if isinstance(one, dict):
        return all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    return isinstance(one, bool) == isinstance(other, bool)


def replaces(diff: DiffResult) -> bool:
    """Whether a difference forces a replacement."""
    return bool(diff.replaces) or any(change.kind in _REPLACING for change in (diff.detailed or {}).values())


def triggers(old: Value, new: Value) -> bool:
    """Whether a replacement trigger asks for a replacement; one that is not known yet may, None never does."""
    if has_unknowns(old) or has_unknowns(new):
        return True
    old, new = unwrap_secrets(old), unwrap_secrets(new)
    return old is not None and new is not None and not equal(old, new)


def diff_resource(
    provider: Provider,
    urn: str,
    id_: str,
    old_inputs: Properties,
    old_outputs: Properties,
    new_inputs: Properties,
    ignored: list[str],
) -> DiffResult:
    """What the provider says of the difference; when it leaves the decision to us, that between the inputs."""
    diff = provider.diff(urn, id_, old_inputs, old_outputs, new_inputs, ignored)
    if diff.changes is not Changes.UNKNOWN:
        return diff
    new, _ = ignore_changes(new_inputs, old_inputs, ignored)
    changed = diff_inputs(unwrap_secrets(old_inputs), unwrap_secrets(new))
    return DiffResult(
        Changes.SOME if changed else Changes.NONE,
        diff.replaces,
        diff.stables,
        tuple(changed) or diff.changed,
        changed or diff.detailed,
        diff.delete_before_replace,
    )


def diff_inputs(old: Properties, new: Properties) -> dict[str, PropertyDiff]:
    """The top-level properties that differ."""
    found = {}
    for key in sorted({*old, *new}):
        if key not in old:
            found[key] = PropertyDiff(DiffKind.ADD, True)
        elif key not in new:
            found[key] = PropertyDiff(DiffKind.DELETE, True)
        elif not equal(old[key], new[key]):
            found[key] = PropertyDiff(DiffKind.UPDATE, True)
    return found


def ignore_changes(inputs: Properties, old_inputs: Properties, ignored: Sequence[str]) -> tuple[Properties, list[str]]:
    """Inputs with the old values at the ignored paths, and those paths at which that was not possible."""
    if not ignored:
        return inputs, []
    kept: Properties = transform(inputs, lambda value: value)
    failed = []
    for text in ignored:
        path = parse_path(text)
        if path is not None and not reset(path, old_inputs, kept):
            failed.append(text)
    return kept, failed


def apply_replace_on_changes(diff: DiffResult, replace_on: Sequence[str], has_init_errors: bool) -> DiffResult:
    """Turns changes at the paths of `replace_on_changes` into replacements."""
    if not replace_on or (diff.changes is not Changes.SOME and not has_init_errors):
        return diff
    paths = []
    for text in replace_on:
        path = parse_path(text)
        if path is None:
            raise ResourceError(f"replace_on_changes: {text!r} is not a property path")
        paths.append(path)
    detailed = dict(diff.detailed) if diff.detailed is not None else None
    for text, change in (detailed or {}).items():
        at = parse_path(text)
        if at is not None and any(covers(path, at) for path in paths):
            assert detailed is not None
            detailed[text] = PropertyDiff(_TO_REPLACE.get(change.kind, change.kind), change.input_diff)
    keys = list(diff.replaces)
    for key in diff.changed:
        at = parse_path(key)
        if key not in keys and at is not None and any(covers(path, at) for path in paths):
            keys.append(key)
    changes = diff.changes
    if has_init_errors and any(covers(path, (INIT_ERROR,)) for path in paths):
        keys.append(INIT_ERROR)
        changes = Changes.SOME
        if detailed is not None:
            detailed[INIT_ERROR] = PropertyDiff(DiffKind.UPDATE_REPLACE)
    return DiffResult(changes, tuple(keys), diff.stables, diff.changed, detailed, diff.delete_before_replace)


def inverted(diff: DiffResult) -> DiffResult:
    """The same difference seen from the other side."""
    detailed = (
        {
            path: PropertyDiff(_INVERSE.get(change.kind, change.kind), change.input_diff)
            for path, change in diff.detailed.items()
        }
        if diff.detailed is not None
        else None
    )
    return DiffResult(diff.changes, (), (), diff.changed, detailed)
