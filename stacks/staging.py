"""Staging: where releases are tried; like production."""

from __future__ import annotations

from dataops.infra.components.data_platform import DataPlatformArgs
from dataops.infra.platform.model import Platform
from dataops.infra.platform.parameters import EnvironmentParameters


def arguments(platform: Platform, parameters: EnvironmentParameters, requirements_key: str) -> DataPlatformArgs:
    """What the components are to make in staging."""
    return DataPlatformArgs(
        platform=platform,
        parameters=parameters,
        requirements_key=requirements_key,
        people=True,
        developer=False,
        masked=False,
        scheduled=platform.environments.staging.schedules == "run",
    )
