"""Update plans as files, in the JSON of Pulumi's (`apitype.DeploymentPlanV1`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from dataops.infra.engine.goal import Alias
from dataops.infra.engine.plan import Plan, PlannedGoal, PlannedResource, PropertyChanges
from dataops.infra.errors import ConfigurationError
from dataops.infra.resources.state import CustomTimeouts
from dataops.infra.resources.values import Secret
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.property_json import Open, Seal, decode, encode_properties, plain, sealed_text
from dataops.infra.state.resource_json import new_manifest

_ALIAS = {"urn": "URN", "name": "Name", "type": "Type", "project": "Project", "stack": "Stack", "parent": "Parent"}


def write_plan(
    path: Path, plan: Plan, config: Mapping[str, str | Secret], secrets: SecretsManager, show_secrets: bool = False
) -> None:
    """Writes a plan, its secrets sealed unless they are to be shown; `ConfigurationError` when that is not possible."""

    def sealed(text: str) -> dict[str, str]:
        return {"ciphertext": secrets.encrypt(text)}

    seal = plain if show_secrets else sealed
    document = {
        "manifest": new_manifest(),
        "config": {
            key: {"secure": secrets.encrypt(str(value.value))} if isinstance(value, Secret) else value
            for key, value in sorted(config.items())
        },
        "resourcePlans": {urn: _resource(planned, seal) for urn, planned in plan.items()},
    }
    try:
        path.write_text(json.dumps(document, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the plan {path} cannot be written: {error.strerror}") from error


def read_plan(path: Path, secrets: SecretsManager) -> Plan:
    """Reads a plan that this engine or Pulumi's wrote.

    Raises:
        ConfigurationError: it is not there or is no plan.
        AuthenticationError: the passphrase is not that of its secrets.
    """

    def opened(secret: Mapping[str, Any]) -> str:
        text, is_plain = sealed_text(secret)
        return text if is_plain else secrets.decrypt(text)

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {urn: _planned(said, opened) for urn, said in (document.get("resourcePlans") or {}).items()}
    except OSError as error:
        raise ConfigurationError(f"the plan {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is no update plan", hint="`preview --save-plan FILE` writes one") from error


def _resource(planned: PlannedResource, seal: Seal) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if planned.goal is not None:
        said["goal"] = _goal(planned.goal, seal)
    return {**said, "steps": list(planned.steps), "state": encode_properties(planned.outputs, seal)}


def _goal(goal: PlannedGoal, seal: Seal) -> dict[str, Any]:
    said = {
        "type": goal.type,
        "name": goal.name,
        "custom": goal.custom,
        "inputDiff": _changes(goal.inputs, seal),
        "outputDiff": _changes(goal.outputs, seal),
        "parent": goal.parent,
        "protect": goal.protect,
        "dependencies": list(goal.dependencies),
        "provider": goal.provider,
        "propertyDependencies": {key: list(urns) for key, urns in goal.property_dependencies.items()},
        "deleteBeforeReplace": goal.delete_before_replace,
        "ignoreChanges": list(goal.ignore_changes),
        "additionalSecretOutputs": list(goal.additional_secret_outputs),
        "structuredAliases": [
            {**{theirs: getattr(alias, ours) for ours, theirs in _ALIAS.items()}, "NoParent": alias.no_parent}
            for alias in goal.aliases
        ],
        "id": goal.import_id,
        "customTimeouts": {key: value for key, value in asdict(goal.timeouts).items() if value},
    }
    always = ("type", "name", "custom", "protect", "inputDiff", "outputDiff", "customTimeouts")
    return {key: value for key, value in said.items() if key in always or value not in ("", [], {}, None)}


def _changes(changes: PropertyChanges, seal: Seal) -> dict[str, Any]:
    said = {
        "adds": encode_properties(changes.adds, seal),
        "deletes": list(changes.deletes),
        "updates": encode_properties(changes.updates, seal),
    }
    return {key: value for key, value in said.items() if value}


def _planned(said: Mapping[str, Any], opened: Open) -> PlannedResource:
    outputs = {key: decode(value, opened) for key, value in (said.get("state") or {}).items()}
    goal = said.get("goal")
    return PlannedResource(
        None if goal is None else _planned_goal(goal, opened), list(said.get("steps") or ()), outputs
    )


def _planned_goal(said: Mapping[str, Any], opened: Open) -> PlannedGoal:
    known = {field.name for field in fields(CustomTimeouts)}
    timeouts = {key: value for key, value in (said.get("customTimeouts") or {}).items() if key in known}
    return PlannedGoal(
        said["type"],
        said["name"],
        said["custom"],
        _property_changes(said.get("inputDiff") or {}, opened),
        _property_changes(said.get("outputDiff") or {}, opened),
        said.get("parent", ""),
        said.get("protect", False),
        tuple(said.get("dependencies") or ()),
        said.get("provider", ""),
        {key: list(urns or ()) for key, urns in (said.get("propertyDependencies") or {}).items()},
        said.get("deleteBeforeReplace"),
        tuple(said.get("ignoreChanges") or ()),
        tuple(said.get("additionalSecretOutputs") or ()),
        tuple(
            Alias(**{ours: alias.get(theirs, "") for ours, theirs in _ALIAS.items()}, no_parent=alias["NoParent"])
            for alias in said.get("structuredAliases") or ()
        ),
        said.get("id", ""),
        CustomTimeouts(**timeouts),
    )


def _property_changes(said: Mapping[str, Any], opened: Open) -> PropertyChanges:
    return PropertyChanges(
        {key: decode(value, opened) for key, value in (said.get("adds") or {}).items()},
        tuple(said.get("deletes") or ()),
        {key: decode(value, opened) for key, value in (said.get("updates") or {}).items()},
    )
