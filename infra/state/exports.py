"""Exported deployments on their way back in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataops.infra.errors import ConfigurationError, VerificationError
from dataops.infra.state.backend import StackReference
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.migration import upgraded
from dataops.infra.state.resource_json import HANDLED, Vault, deployment_from_json, deployment_to_json


def prepare_import(
    ref: StackReference, document: Mapping[str, Any], secrets: SecretsManager, force: bool
) -> dict[str, Any]:
    """The deployment of an export, ready to be stored for a stack: all secrets encrypted by `secrets`.

    Raises:
        ConfigurationError: it is no export, or one of another stack (unless `force`).
        VerificationError: a resource in it is malformed or a secret cannot be decrypted.
    """
    deployment, version = document.get("deployment"), document.get("version")
    if not isinstance(version, int) or version < 1 or not isinstance(deployment, dict):
        raise ConfigurationError("this is not an exported deployment", hint="give what `dataops stack export` prints")
    subject = f"the exported deployment has version {version}"
    try:
        deployment = dict(upgraded(deployment, version, document.get("features") or (), subject))
    except VerificationError as error:
        raise ConfigurationError(error.what, hint=error.hint) from None
    provider = deployment.get("secrets_providers")
    vault = Vault(secrets)
    found = deployment_from_json(deployment, vault, secrets.matching(provider) if provider else None)
    prefix = f"urn:pulumi:{ref.stack}::{ref.project}::"
    strangers = [resource.urn for resource in found.resources if not resource.urn.startswith(prefix)]
    if strangers and not force:
        raise ConfigurationError(
            f"the deployment belongs to another stack than {ref.stack!r} of {ref.project!r}",
            where=strangers[0],
            hint="add --force if it shall become this stack's all the same",
        )
    rest = {key: value for key, value in deployment.items() if key not in HANDLED}
    return {**deployment_to_json(found, vault, secrets.provider), **rest}
