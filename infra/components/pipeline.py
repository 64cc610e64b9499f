"""A pipeline as an environment knows it: what to run, in which order, with which interpreter and variables."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from dataops.infra.components.workspace import EnvironmentFile, Workspace
from dataops.infra.platform.graph import waves
from dataops.infra.platform.pipelines import Pipeline as PipelineModel


@dataclass(frozen=True, slots=True)
class PipelineArgs:
    """What a pipeline runs in.

    Args:
        pipeline: its description.
        workspace: code and interpreter.
        variables: the environment's variables.
        scheduled: whether its schedule is followed; replicas pause it.
    """

    pipeline: PipelineModel
    workspace: Workspace
    variables: EnvironmentFile
    scheduled: bool


class Pipeline(pulumi.ComponentResource):
    """On the local target a pipeline is nothing that runs by itself: its outputs say how its steps are run."""

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Pipeline", name, None, opts)
        schedule = args.pipeline.schedule if args.scheduled else None
        self.register_outputs(
            {
                "directory": args.workspace.directory,
                "python": args.workspace.python,
                "variables": args.variables.path,
                "steps": [[step.name for step in wave] for wave in waves(args.pipeline)],
                "schedule": {"cron": schedule.cron, "timezone": schedule.timezone} if schedule else None,
            }
        )
