"""Production: real data, schedules, and a login for every person."""

from __future__ import annotations

from dataops.infra.components.data_platform import DataPlatformArgs
from dataops.infra.platform.model import Platform
from dataops.infra.platform.parameters import EnvironmentParameters


def arguments(platform: Platform, parameters: EnvironmentParameters, requirements_key: str) -> DataPlatformArgs:
    """What the components are to make in production."""
    return DataPlatformArgs(
        platform=platform,
        parameters=parameters,
        requirements_key=requirements_key,
        people=True,
        developer=False,
        masked=False,
        scheduled=platform.environments.production.schedules == "run",
    )
