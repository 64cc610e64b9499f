"""Resources and deployments in the JSON of Pulumi's checkpoints (`apitype.ResourceV3`, `DeploymentV3`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.resources.state import CustomTimeouts, Deployment, PendingOperation, ResourceState
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.property_json import Open, Seal, decode, encode, encode_properties, sealed_text
from dataops.infra.state.timestamps import time_from_json, time_to_json

# In Pulumi's order: JSON name, our name, whether it is written when it is false or empty.
FIELDS: tuple[tuple[str, str, bool], ...] = (
    ("urn", "urn", True),
    ("custom", "custom", True),
    ("delete", "delete", False),
    ("id", "id", False),
    ("type", "type", True),
    ("inputs", "inputs", False),
    ("outputs", "outputs", False),
    ("parent", "parent", False),
    ("protect", "protect", False),
    ("taint", "", False),
    ("external", "external", False),
    ("dependencies", "dependencies", False),
    ("initErrors", "init_errors", False),
    ("provider", "provider", False),
    ("propertyDependencies", "property_dependencies", False),
    ("pendingReplacement", "pending_replacement", False),
    ("additionalSecretOutputs", "additional_secret_outputs", False),
    ("aliases", "aliases", False),
    ("customTimeouts", "custom_timeouts", False),
    ("importID", "import_id", False),
    ("retainOnDelete", "retain_on_delete", False),
    ("deletedWith", "deleted_with", False),
    ("replaceWith", "replace_with", False),
    ("created", "created", False),
    ("modified", "modified", False),
    ("sourcePosition", "source_position", False),
    ("stackTrace", "", False),
    ("ignoreChanges", "ignore_changes", False),
    ("hideDiff", "", False),
    ("replaceOnChanges", "replace_on_changes", False),
    ("replacementTrigger", "replacement_trigger", False),
    ("refreshBeforeUpdate", "", False),
    ("viewOf", "", False),
    ("resourceHooks", "", False),
    ("extensionRef", "", False),
    ("snippetID", "", False),
)
_OWN_FIELDS = tuple(field for field in FIELDS if field[1])
_TIMEOUTS = ("create", "update", "delete", "read")

HANDLED = ("manifest", "secrets_providers", "resources", "pending_operations", "metadata")
"""The parts of a deployment that `Deployment` holds."""

OURS = {json_name: name for json_name, name, _ in FIELDS if name}


class Vault:
    """Seals and opens the secrets of a deployment, giving an unchanged secret its old ciphertext again.

    Equal secrets within a resource's inputs, or within its outputs, share a ciphertext; others never do.
    """

    def __init__(self, secrets: SecretsManager) -> None:
        self._secrets = secrets
        self._known: dict[tuple[str, str, str], str] = {}

    def seal(self, urn: str, part: str) -> Seal:
        """The `Seal` for secrets in a part of the resource `urn`: its `inputs`, `outputs` or `replacement_trigger`."""

        def sealed(text: str) -> dict[str, str]:
            ciphertext = self._known.get((urn, part, text))
            if ciphertext is None:
                ciphertext = self._known[urn, part, text] = self._secrets.encrypt(text)
            return {"ciphertext": ciphertext}

        return sealed

    def open(self, urn: str, part: str, secrets: SecretsManager | None = None) -> Open:
        """The `Open` for the same, which `secrets` encrypted if it was another manager."""
        used = secrets or self._secrets

        def opened(secret: Mapping[str, Any]) -> str:
            text, is_plain = sealed_text(secret)
            if is_plain:
                return text
            plaintext = used.decrypt(text)
            if used is self._secrets:
                self._known.setdefault((urn, part, plaintext), text)
            return plaintext

        return opened


def resource_to_json(resource: ResourceState, vault: Vault) -> dict[str, Any]:
    """One resource, fields in Pulumi's order, empty ones left out."""
    return _to_json(resource, vault)


def options_to_json(resource: ResourceState) -> dict[str, Any]:
    """The same without the properties."""
    return _to_json(resource, None)


def _to_json(resource: ResourceState, vault: Vault | None) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for json_name, name, always in FIELDS if resource.extra else _OWN_FIELDS:
        value: Any = getattr(resource, name) if name else resource.extra.get(json_name)
        if name == "replacement_trigger":
            # Any value triggers but none at all.
            if value is None or vault is None:
                continue
            value = encode(value, vault.seal(resource.urn, name))
        elif not value and not always:
            continue
        elif name in ("inputs", "outputs"):
            if vault is None:
                continue
            value = encode_properties(value, vault.seal(resource.urn, name))
        elif name == "property_dependencies":
            value = {key: list(value[key]) for key in sorted(value)}
        elif name == "custom_timeouts":
            if value == CustomTimeouts():
                continue
            value = {k: getattr(value, k) for k in _TIMEOUTS if getattr(value, k)}
        elif isinstance(value, datetime):
            value = time_to_json(value)
        elif isinstance(value, list):
            value = list(value)
        said[json_name] = value
    for key, value in resource.extra.items():
        said.setdefault(key, value)
    return said


def resource_from_json(said: Mapping[str, Any], vault: Vault, secrets: SecretsManager | None = None) -> ResourceState:
    """The inverse of `resource_to_json`; fields that are not known here go to `extra`.

    Raises:
        VerificationError: a field that every resource has is missing, or one has the wrong type.
    """
    urn = said.get("urn")
    if not urn or not said.get("type"):
        raise VerificationError("a resource of the state has no URN or no type", where=str(urn or ""))
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in said.items():
        name = OURS.get(key)
        if name is None:
            extra[key] = value
        elif value is not None:
            values[name] = value
    try:
        for name in ("inputs", "outputs"):
            opened = vault.open(urn, name, secrets)
            values[name] = {key: decode(value, opened) for key, value in values.get(name, {}).items()}
        if "replacement_trigger" in values:
            opened = vault.open(urn, "replacement_trigger", secrets)
            values["replacement_trigger"] = decode(values["replacement_trigger"], opened)
        for name in ("created", "modified"):
            if name in values:
                values[name] = time_from_json(values[name])
        if "custom_timeouts" in values:
            given = values["custom_timeouts"]
            values["custom_timeouts"] = CustomTimeouts(**{key: given[key] for key in _TIMEOUTS if given.get(key)})
        if "property_dependencies" in values:
            values["property_dependencies"] = {k: list(v or ()) for k, v in values["property_dependencies"].items()}
        return ResourceState(**values, extra=extra)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise VerificationError("a resource of the state is malformed", where=str(urn)) from error


def deployment_to_json(deployment: Deployment, vault: Vault, provider: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment, sealed by `vault`, whose manager's state is `provider`."""
    said: dict[str, Any] = {"manifest": deployment.manifest or new_manifest()}
    if provider:
        said["secrets_providers"] = dict(provider)
    if deployment.resources:
        said["resources"] = [resource_to_json(r, vault) for r in deployment.resources]
    if deployment.pending_operations:
        said["pending_operations"] = [
            {"resource": resource_to_json(p.resource, vault), "type": p.kind} for p in deployment.pending_operations
        ]
    said["metadata"] = deployment.metadata
    return said


def deployment_from_json(said: Mapping[str, Any], vault: Vault, secrets: SecretsManager | None = None) -> Deployment:
    """The inverse of `deployment_to_json`; `secrets` opens the values if it, not the vault's manager, sealed them."""
    return Deployment(
        resources=[resource_from_json(r, vault, secrets) for r in said.get("resources") or ()],
        pending_operations=[
            PendingOperation(resource_from_json(p["resource"], vault, secrets), p["type"])
            for p in said.get("pending_operations") or ()
        ],
        secrets_provider=dict(said.get("secrets_providers") or {}),
        metadata=dict(said.get("metadata") or {}),
        manifest=dict(said.get("manifest") or {}),
    )


def new_manifest() -> dict[str, Any]:
    """The manifest of a deployment that is written now; only Pulumi's own releases fill in magic and version."""
    return {"time": time_to_json(datetime.now(UTC)), "magic": "", "version": ""}
