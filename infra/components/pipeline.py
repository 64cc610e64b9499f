"""A pipeline as an environment knows it: what to run, in which order, with which interpreter and variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi

from dataops.infra.components.workspace import EnvironmentFile, Workspace
from dataops.infra.platform.pipelines import Pipeline as PipelineModel
from dataops.infra.platform.run_plan import PipelinePlan, plan_pipeline


@dataclass(frozen=True, slots=True)
class PipelineArgs:
    """What a pipeline runs in.

    Args:
        pipeline: its description.
        workspace: code and interpreter.
        variables: the environment's variables.
        scheduled: whether its schedule is followed; where it is not, it is paused until somebody resumes it.
        images: where steps run in containers, the ids of images by step, for those that do not run in that of the code;
            None for processes.
    """

    pipeline: PipelineModel
    workspace: Workspace
    variables: EnvironmentFile
    scheduled: bool
    images: Mapping[str, pulumi.Output[str]] | None = None


class Pipeline(pulumi.ComponentResource):
    """A pipeline is nothing that runs by itself: its plan says how the runner is to run it."""

    plan: PipelinePlan
    commands: pulumi.Output[list[list[str]]]
    images: pulumi.Output[list[str]]

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Pipeline", name, None, opts)
        plan = plan_pipeline(name, args.pipeline)
        if plan.schedule and not args.scheduled:
            plan = replace(plan, schedule=replace(plan.schedule, paused=True))
        self.plan = plan
        written = pulumi.Output.from_input([list(step.command) for step in plan.steps])
        resolved = pulumi.Output.all(*(args.workspace.command(step.command) for step in plan.steps))
        # an image brings its own interpreter
        self.commands = resolved if args.images is None else written
        self.images = pulumi.Output.all(*((args.images or {}).get(step.name, "") for step in plan.steps))
        schedule = plan.schedule
        self.register_outputs(
            {
                "directory": args.workspace.directory,
                "python": args.workspace.python,
                "variables": args.variables.path,
                "steps": [step.name for step in plan.steps],
                "schedule": {"cron": schedule.cron, "timezone": schedule.timezone, "paused": schedule.paused}
                if schedule
                else None,
            }
        )
