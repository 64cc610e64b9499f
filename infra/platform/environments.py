"""The model of environments in `dataops.yaml`: how production, staging and the replicas differ."""

from __future__ import annotations

from pydantic import Field

from dataops.infra.platform.names import Text, Variable
from dataops.infra.platform.section import Section


class DeployedEnvironment(Section):
    """Production or staging: follows one branch."""

    branch: Text = Field(default="main", description="The only branch it is deployed from.")
    variables: dict[Variable, str] = Field(default={}, description="Variables for pipelines and services.")


class ReplicaEnvironment(Section):
    """What every developer's replica has in common."""

    variables: dict[Variable, str] = Field(default={}, description="Variables for pipelines and services.")


class Environments(Section):
    """How environments differ; everything else they share."""

    production: DeployedEnvironment = Field(default_factory=DeployedEnvironment, description="Where the truth lives.")
    staging: DeployedEnvironment = Field(default_factory=DeployedEnvironment, description="Where releases are tried.")
    replica: ReplicaEnvironment = Field(default_factory=ReplicaEnvironment, description="One per branch.")
