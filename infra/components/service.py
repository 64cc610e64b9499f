"""A service of an environment: a process that is kept running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.processes import ServiceProcess
from dataops.infra.components.workspace import EnvironmentFile, Workspace
from dataops.infra.platform.model import Service as ServiceModel


@dataclass(frozen=True, slots=True)
class ServiceArgs:
    """What a service runs in.

    Args:
        service: its description.
        workspace, variables: code, interpreter and environment variables.
        supervisor: the supervisor's folder.
        log_file: where its output goes.
        after: what must be there before it starts, beside the above.
        generation: which generation of data it works on: it is restarted with another.
        container: where it runs in a container; None for a process.
    """

    service: ServiceModel
    workspace: Workspace
    variables: EnvironmentFile
    supervisor: pulumi.Input[str]
    log_file: Path
    after: Sequence[pulumi.Resource] = ()
    generation: str = ""
    container: pulumi.Input[object] | None = None


class Service(pulumi.ComponentResource):
    """A supervised process, or container, of the branch's own code."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Service", name, None, opts)
        self.process = ServiceProcess(
            name,
            supervisor=args.supervisor,
            command=args.workspace.command(args.service.run) if args.container is None else list(args.service.run),
            directory=args.workspace.directory,
            environment_file=args.variables.path,
            environment_digest=args.variables.digest,
            variables=args.service.variables,
            port_variable=args.service.port or "",
            health=args.service.health or "",
            log_file=args.log_file,
            generation=args.generation,
            container=args.container,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.url = self.process.url
        outputs: dict[str, Any] = {"url": self.url}
        self.register_outputs(outputs)
