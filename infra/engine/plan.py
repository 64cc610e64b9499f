"""Update plans: what a preview proposed for each resource, and whether an update keeps to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dataops.infra.engine.diffing import equal
from dataops.infra.engine.goal import Alias, Goal
from dataops.infra.errors import ResourceError
from dataops.infra.events.blinding import blind
from dataops.infra.resources.state import CustomTimeouts, ResourceState
from dataops.infra.resources.urn import name_of
from dataops.infra.resources.values import UNKNOWN, UNKNOWN_STRING, Output, Properties, Secret, Value

_ALLOWED = {
    "create": {"same", "create"},
    "update": {"same", "update"},
    "replace": {"same", "update", "replace"},
    "create-replacement": {"same", "update", "create-replacement"},
    "delete-replaced": {"same", "update", "delete-replaced"},
}
"""What may be done in place of what was planned; anything else only as planned."""


@dataclass(frozen=True, slots=True)
class PropertyChanges:
    """How a preview expects properties to change; values that only an update can know are `UNKNOWN`."""

    adds: Properties = field(default_factory=dict)
    deletes: tuple[str, ...] = ()
    updates: Properties = field(default_factory=dict)

    @classmethod
    def between(cls, old: Properties, new: Properties) -> PropertyChanges:
        """The changes that lead from one to the other."""
        return cls(
            {key: value for key, value in new.items() if key not in old},
            tuple(sorted(key for key in old if key not in new)),
            {key: value for key, value in new.items() if key in old and not equal(old[key], value)},
        )


@dataclass(frozen=True, slots=True)
class PlannedGoal:
    """What a program asked for in the preview; the fields are those of `Goal`."""

    type: str
    name: str
    custom: bool
    inputs: PropertyChanges
    outputs: PropertyChanges = PropertyChanges()
    parent: str = ""
    protect: bool = False
    dependencies: tuple[str, ...] = ()
    provider: str = ""
    property_dependencies: Mapping[str, list[str]] = field(default_factory=dict)
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    import_id: str = ""
    timeouts: CustomTimeouts = CustomTimeouts()

    @classmethod
    def of(cls, goal: Goal, inputs: PropertyChanges) -> PlannedGoal:
        """The record of a goal whose inputs, as the provider has checked them, change so."""
        return cls(
            goal.type,
            goal.name,
            goal.custom,
            inputs,
            PropertyChanges(),
            goal.parent,
            bool(goal.protect),
            tuple(goal.dependencies),
            goal.provider,
            goal.property_dependencies,
            goal.delete_before_replace,
            tuple(goal.ignore_changes),
            tuple(goal.additional_secret_outputs),
            goal.aliases,
            goal.import_id,
            goal.timeouts,
        )

    @classmethod
    def of_recorded(cls, old: ResourceState) -> PlannedGoal:
        """The goal under which a recorded resource stays as it is."""
        return cls(
            old.type,
            name_of(old.urn),
            old.custom,
            PropertyChanges(),
            parent=old.parent,
            protect=old.protect,
            dependencies=tuple(old.dependencies),
            provider=old.provider,
            property_dependencies=old.property_dependencies,
            additional_secret_outputs=tuple(old.additional_secret_outputs),
            aliases=tuple(Alias(urn) for urn in old.aliases),
            timeouts=old.custom_timeouts,
        )


@dataclass(slots=True)
class PlannedResource:
    """What is planned for one resource: its goal, None for one that goes away, and its steps in order."""

    goal: PlannedGoal | None = None
    steps: list[str] = field(default_factory=list)
    outputs: Properties = field(default_factory=dict)


Plan = dict[str, PlannedResource]
"""An update plan: URNs to what is planned for them."""


def allows(planned: str, op: str) -> bool:
    """Whether a step may be done where another was planned."""
    return op in _ALLOWED.get(planned, {planned})


def check_goal(planned: PlannedGoal | None, old_inputs: Properties, inputs: Properties, goal: Goal) -> None:
    """Compares what a program asks for with what it asked for in the preview.

    Raises:
        ResourceError: it asks for something else; names the first option, or each property, that differs.
    """
    if planned is None:
        raise ResourceError("the plan deletes it, but the program still asks for it")
    now = PlannedGoal.of(goal, PropertyChanges())
    same_provider = now.provider == planned.provider or (
        now.provider.rpartition("::")[0] == planned.provider.rpartition("::")[0] and _is_new(planned.provider)
    )
    found = [
        ("kind", "a custom resource" if planned.custom else "a component", now.custom == planned.custom),
        ("provider", planned.provider, same_provider),
        ("parent", planned.parent, now.parent == planned.parent),
        ("protect", planned.protect, now.protect == planned.protect),
        ("deleteBeforeReplace", planned.delete_before_replace, _same(now, planned, "delete_before_replace")),
        ("import", planned.import_id, _same(now, planned, "import_id")),
        ("customTimeouts", planned.timeouts, _same(now, planned, "timeouts")),
        ("ignoreChanges", planned.ignore_changes, _same(now, planned, "ignore_changes")),
        (
            "additionalSecretOutputs",
            planned.additional_secret_outputs,
            _same(now, planned, "additional_secret_outputs"),
        ),
        ("dependsOn", planned.dependencies, _same(now, planned, "dependencies")),
        ("aliases", planned.aliases, _same(now, planned, "aliases")),
    ]
    for option, expected, same in found:
        if not same:
            raise ResourceError(f"{option} is not what was planned: {_words(expected)}")
    check_changes(old_inputs, inputs, planned.inputs)
    for key, urns in planned.property_dependencies.items():
        if key in now.property_dependencies and set(urns) != set(now.property_dependencies[key]):
            raise ResourceError(f"the dependencies of property {key} are not what was planned: {_words(urns)}")


def check_changes(old: Properties, new: Properties, planned: PropertyChanges) -> None:
    """Compares how properties change with how they were to change; `ResourceError` names each that differs."""
    wrong = []
    for key in sorted({*old, *new, *planned.adds, *planned.updates, *planned.deletes}):
        expected = planned.updates.get(key, planned.adds.get(key, _NOTHING))
        if expected is not _NOTHING:
            if key not in new:
                right = _may_be_absent(expected)
            else:
                right = _as_expected(expected, new[key])
            want = _shown(expected)
        elif key in planned.deletes:
            right, want = key not in new, "no value"
        else:
            right = (key in old) == (key in new) and (key not in old or equal(old[key], new[key]))
            want = f"{_shown(old[key])} as before" if key in old else "no value"
        if not right:
            wrong.append(f"{key} = {_shown(new[key]) if key in new else 'no value'}, planned {want}")
    if wrong:
        raise ResourceError("properties are not what was planned: " + "; ".join(wrong))


_NOTHING = object()


def _is_new(reference: str) -> bool:
    return reference.rpartition("::")[2] in ("", UNKNOWN_STRING)


def _same(now: PlannedGoal, planned: PlannedGoal, option: str) -> bool:
    mine, theirs = getattr(now, option), getattr(planned, option)
    return set(mine) == set(theirs) if isinstance(mine, tuple) else bool(mine == theirs)


def _as_expected(expected: Value, value: Value) -> bool:
    """Equality in which what was not known then may be anything now."""
    if expected is UNKNOWN:
        return True
    if isinstance(expected, Output):
        expected = Secret(expected.value) if expected.secret else expected.value
        return _as_expected(expected, value)
    if isinstance(expected, Secret):
        return _as_expected(expected.value, value.value if isinstance(value, Secret) else value)
    if isinstance(expected, dict) and isinstance(value, dict):
        return all(
            _as_expected(expected[key], value[key])
            if key in expected and key in value
            else _may_be_absent(expected.get(key))
            for key in {*expected, *value}
        )
    if isinstance(expected, list) and isinstance(value, list):
        return len(expected) == len(value) and all(map(_as_expected, expected, value))
    return equal(expected, value)


def _may_be_absent(expected: Value) -> bool:
    return expected is UNKNOWN or (isinstance(expected, (Secret, Output)) and _may_be_absent(expected.value))


def _shown(value: Value) -> str:
    return str(blind({"": value})[""])


def _words(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
