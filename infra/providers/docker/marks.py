"""The labels by which things on an engine are known as an environment's own, and what refuses all others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dataops.infra.process.docker_engine import ENVIRONMENT_LABEL, OWNER_LABEL, PLATFORM_LABEL
from dataops.infra.providers.docker.faults import NotOursError

PLATFORM, ENVIRONMENT, OWNER = PLATFORM_LABEL, ENVIRONMENT_LABEL, OWNER_LABEL
RELEASE = "io.dataops.release"
SPECIFICATION = "io.dataops.specification"
CONTENT = "io.dataops.content"

REQUIRED = frozenset({"platform", "environment"})
"""Inputs of every resource type of this package that say whose it is."""

NOTED = frozenset({"release", "owner"})
"""Inputs that become labels when a thing is made; a change of these alone remakes nothing."""


def labels_of(inputs: Mapping[str, Any], **more: str) -> dict[str, str]:
    """The labels of a thing; `more` by the names of this module's constants in lower case."""
    named = {
        PLATFORM: inputs["platform"],
        ENVIRONMENT: inputs["environment"],
        RELEASE: inputs.get("release") or "",
        OWNER: inputs.get("owner") or "",
        **{globals()[name.upper()]: value for name, value in more.items()},
    }
    return {name: str(value) for name, value in named.items() if value}


def is_ours(labels: Mapping[str, str] | None, inputs: Mapping[str, Any]) -> bool:
    """Whether labels are those of the environment that `inputs` names."""
    found = labels or {}
    return (found.get(PLATFORM), found.get(ENVIRONMENT)) == (inputs["platform"], inputs["environment"])


def refuse_others(kind: str, name: str, labels: Mapping[str, str] | None, inputs: Mapping[str, Any]) -> None:
    """Refuses to touch what does not carry the environment's labels.

    Raises:
        NotOursError: it does not.
    """
    if not is_ours(labels, inputs):
        raise NotOursError(
            f"a {kind} named {name} exists and is not of the environment {inputs['environment']}",
            hint=f"look at it with docker {kind} inspect {name}; rename or remove it if nobody needs it",
        )


def selecting(platform: str, environment: str | None = None) -> dict[str, list[str]]:
    """The filter that lists what a platform, or one environment of it, has on an engine."""
    labels = [f"{PLATFORM}={platform}"]
    if environment is not None:
        labels.append(f"{ENVIRONMENT}={environment}")
    return {"label": labels}


def fingerprint(value: object) -> str:
    """A short hash of plain values, the same in every process."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
