"""A replica: masked data of a snapshot, or none; one developer who owns everything, nobody else; schedules paused."""

from __future__ import annotations

from dataops.infra.components.data_platform import DataPlatformArgs
from dataops.infra.platform.model import Platform
from dataops.infra.platform.parameters import EnvironmentParameters


def arguments(platform: Platform, parameters: EnvironmentParameters, requirements_key: str) -> DataPlatformArgs:
    """What the components are to make in a replica."""
    return DataPlatformArgs(
        platform=platform,
        parameters=parameters,
        requirements_key=requirements_key,
        people=False,
        developer=True,
        masked=bool(parameters.snapshot),
        scheduled=platform.environments.replica.schedules == "run",
    )
