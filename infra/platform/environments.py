"""The model of environments in `dataops.yaml`: how production, staging and the replicas differ."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from dataops.infra.platform.names import ParameterKey, SqlName, Text, Variable
from dataops.infra.platform.section import Section


def _scalar(value: Any) -> Any:
    if not isinstance(value, (bool, int, float, str)):
        raise PydanticCustomError("scalar", "expected text, a number, true or false")
    return value


Schedules = Literal["run", "paused"]
Scalar = Annotated[StrictBool | StrictInt | StrictFloat | StrictStr, BeforeValidator(_scalar)]


class Environment(Section):
    """What may differ in every environment."""

    variables: dict[Variable, str] = Field(
        default={}, description="Variables for pipelines and services; `--var NAME=VALUE` overrides them."
    )
    settings: dict[SqlName, str] = Field(
        default={}, description="Settings of the Postgres server, over those of `stores.warehouse.settings`."
    )
    parameters: dict[ParameterKey, Scalar] = Field(
        default={}, description="Values for the platform's Pulumi program, read there as `pulumi.Config().get(KEY)`."
    )


class DeployedEnvironment(Environment):
    """Production or staging: follows one branch."""

    branch: Text = Field(default="main", description="The only branch it is deployed from.")
    schedules: Schedules = Field(default="run", description="Whether pipelines start by their schedules.")
    target: Literal["local", "docker"] | None = Field(
        default=None, description="Where it runs; by default where it is, else as processes of this machine."
    )


class ReplicaEnvironment(Environment):
    """What every developer's replica has in common."""

    schedules: Schedules = Field(default="paused", description="Whether pipelines start by their schedules.")


class Environments(Section):
    """How environments differ; everything else they share."""

    production: DeployedEnvironment = Field(default_factory=DeployedEnvironment, description="Where the truth lives.")
    staging: DeployedEnvironment = Field(default_factory=DeployedEnvironment, description="Where releases are tried.")
    replica: ReplicaEnvironment = Field(default_factory=ReplicaEnvironment, description="One per branch.")

    def of(self, role: str) -> DeployedEnvironment | ReplicaEnvironment:
        """What is declared for `production`, `staging` or `replica`."""
        found: DeployedEnvironment | ReplicaEnvironment = getattr(self, role)
        return found


def as_configuration(value: bool | int | float | str) -> str:
    """A parameter as Pulumi's configuration holds it: text, with `true` and `false` for truth."""
    return str(value).lower() if isinstance(value, bool) else str(value)
