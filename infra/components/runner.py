"""The runner of an environment: the process that starts pipelines when they are due, and what it is to run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared
from dataops.infra.components.pipeline import Pipeline
from dataops.infra.components.processes import ServiceProcess
from dataops.infra.components.workspace import EnvironmentFile, Workspace
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.run_plan import EnvironmentPlan, PipelinePlan

MODULE = "dataops.services.scheduler"


class TextFile(Declared):
    """A file for programs of ours."""

    token = "dataops:local:TextFile"

    def __init__(
        self, name: str, *, path: Path, content: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, {"path": str(path), "content": content}, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")


@dataclass(frozen=True, slots=True)
class RunnerArgs:
    """What a runner runs.

    Args:
        environment, role, commit: the environment.
        repository, worktree: its checkout.
        layout: where its files lie.
        workspace, variables: what steps run in.
        supervisor: the supervisor's folder.
        pipelines: what there is to run.
        after: what must be there before anything may run, beside the above.
        container: where steps run in containers; None for processes.
    """

    environment: str
    role: str
    commit: str
    repository: Path
    worktree: Path
    layout: EnvironmentLayout
    workspace: Workspace
    variables: EnvironmentFile
    supervisor: pulumi.Input[str]
    pipelines: Mapping[str, Pipeline]
    after: Sequence[pulumi.Resource] = ()
    container: pulumi.Input[Mapping[str, str]] | None = None


class Runner(pulumi.ComponentResource):
    """Starts due runs. The process comes up beside everything else and waits for its plan, which comes late.

    An environment without any schedule has a plan, for runs that somebody asks for, and no process.
    """

    def __init__(self, name: str, args: RunnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Runner", name, None, opts)
        below = pulumi.ResourceOptions(parent=self)
        self.resources: list[pulumi.Resource] = []
        if any(pipeline.plan.schedule for pipeline in args.pipelines.values()):
            process = ServiceProcess(
                name,
                supervisor=args.supervisor,
                command=[sys.executable, "-I", "-m", MODULE, str(args.layout.root)],
                directory=str(args.layout.root),
                environment_file="",
                environment_digest="",
                variables={},
                port_variable="",
                health="",
                log_file=args.layout.logs / "runner.log",
                opts=below,
            )
            self.resources.append(process)
        place = {} if args.container is None else args.container
        inside = [args.workspace.directory, args.workspace.venv, args.variables.path, place]
        steps = [pulumi.Output.all(pipeline.commands, pipeline.images) for pipeline in args.pipelines.values()]
        content = pulumi.Output.all(*inside, *steps).apply(lambda found: _content(args, found))
        self.plan = TextFile(
            "plan",
            path=args.layout.plan,
            content=content,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.resources.append(self.plan)
        self.register_outputs({"plan": self.plan.path})


def _content(args: RunnerArgs, found: Sequence[Any]) -> str:
    directory, venv, variables, container, *steps = found
    plan = EnvironmentPlan(
        environment=args.environment,
        role=args.role,
        commit=args.commit,
        directory=directory,
        worktree=str(args.worktree),
        repository=str(args.repository),
        venv=venv,
        variables=variables,
        container=container,
        pipelines={
            name: _resolved(pipeline.plan, *own)
            for (name, pipeline), own in zip(args.pipelines.items(), steps, strict=True)
        },
    )
    return json.dumps(asdict(plan), indent=1) + "\n"


def _resolved(plan: PipelinePlan, commands: Sequence[Sequence[str]], images: Sequence[str]) -> PipelinePlan:
    found = zip(plan.steps, commands, images, strict=True)
    return replace(plan, steps=tuple(replace(step, command=tuple(words), image=id_) for step, words, id_ in found))
