"""A whole environment: everything `dataops.yaml` describes, as processes or as containers of this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.access import Access, AccessArgs
from dataops.infra.components.containers import Containers, ContainersArgs
from dataops.infra.components.docker import Belonging
from dataops.infra.components.lake import Lake, LakeArgs, LakeServerArgs
from dataops.infra.components.pipeline import Pipeline, PipelineArgs
from dataops.infra.components.processes import Endpoints, Supervisor
from dataops.infra.components.runner import Runner, RunnerArgs
from dataops.infra.components.service import Service, ServiceArgs
from dataops.infra.components.snapshot import Golden, Verification
from dataops.infra.components.warehouse import Warehouse, WarehouseArgs
from dataops.infra.components.workspace import EnvironmentFile, Workspace, WorkspaceArgs
from dataops.infra.platform.access import OWNER, declared_grants, roles_of_people
from dataops.infra.platform.dockerfile import BuildPlan
from dataops.infra.platform.lake_access import lake_access
from dataops.infra.platform.model import Platform
from dataops.infra.platform.parameters import EnvironmentParameters
from dataops.infra.process.environment import SEALED
from dataops.infra.process.s3_gateway import bucket_name


@dataclass(frozen=True, slots=True)
class DataPlatformArgs:
    """What an environment is made from.

    Args:
        platform: what `dataops.yaml` says.
        parameters: what tells this environment from others.
        requirements_key: `requirements_key` of the requirements file in the commit, "" on the target `docker`.
        people: whether people have logins of their own.
        developer: whether one developer owns everything.
        masked: whether the data come from the parameters' snapshot, and are verified before anything uses them.
        scheduled: whether pipelines follow their schedules.
        build: how the code becomes an image, on the target `docker`.
    """

    platform: Platform
    parameters: EnvironmentParameters
    requirements_key: str
    people: bool
    developer: bool
    masked: bool
    scheduled: bool
    build: BuildPlan = BuildPlan()


class DataPlatform(pulumi.ComponentResource):
    """The environment, in the order of need: code beside data, then access, variables, checks, services, endpoints."""

    def __init__(self, name: str, args: DataPlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:DataPlatform", name, None, opts)
        self.args = args
        self._below = pulumi.ResourceOptions(parent=self)
        self.workspace = self._workspace()
        self.supervisor = Supervisor(
            "supervisor",
            directory=args.parameters.layout.supervisor,
            environment=args.parameters.environment,
            opts=self._below,
        )
        self.containers = self._containers() if args.parameters.target == "docker" else None
        self.golden = self._golden() if args.masked else None
        self.warehouse = self._warehouse()
        self.lake = self._lake()
        self.access = self._access()
        self.variables = self._variables()
        self.file = EnvironmentFile(
            "variables", path=args.parameters.layout.variables, variables=self.variables, opts=self._below
        )
        self.verification = self._verification(self.golden) if self.golden else None
        self.pipelines = self._pipelines()
        self.runner = self._runner()
        self.services = self._services()
        self.endpoints = self._endpoints()
        outputs: dict[str, Any] = {"endpoints": self.endpoints.endpoints}
        self.register_outputs(outputs)

    def _workspace(self) -> Workspace:
        parameters, key = self.args.parameters, self.args.requirements_key
        return Workspace(
            "workspace",
            WorkspaceArgs(
                repository=parameters.repository,
                commit=parameters.commit,
                worktree=parameters.worktree,
                root=parameters.root,
                requirements=parameters.root / self.args.platform.code.requirements,
                key=key,
                venv=None if parameters.target == "docker" else parameters.layout.venv(key),
            ),
            self._below,
        )

    def _containers(self) -> Containers:
        platform, parameters = self.args.platform, self.args.parameters
        secrets = {name: str(Path(path).expanduser()) for name, path in platform.code.secrets.items()}
        release = parameters.commit[:12]
        return Containers(
            "containers",
            ContainersArgs(
                root=parameters.layout.root,
                platform_root=parameters.platform.root,
                belonging=Belonging(platform.name, parameters.environment, release, parameters.developer),
                images=platform.images,
                build=self.args.build,
                pipelines=platform.pipelines,
                context=parameters.root,
                worktree=self.workspace.worktree,
                commit=parameters.commit,
                record=parameters.platform.images(parameters.commit),
                secrets=secrets,
            ),
            self._below,
        )

    @property
    def _place(self) -> pulumi.Output[dict[str, Any]] | None:
        """Where programs of the code run in containers; None for processes."""
        return self.containers.place_of_code() if self.containers else None

    def _golden(self) -> Golden:
        parameters = self.args.parameters
        return Golden(
            "golden",
            snapshot=parameters.snapshot,
            store=parameters.platform.snapshots,
            directory=parameters.layout.golden,
            keys=parameters.platform.keys,
            opts=self._below,
        )

    def _warehouse(self) -> Warehouse:
        layout, store = self.args.parameters.layout, self.args.platform.stores.warehouse
        return Warehouse(
            "warehouse",
            WarehouseArgs(
                supervisor=self.supervisor.directory,
                data_directory=layout.postgres,
                log_file=layout.logs / "postgres.log",
                database=store.database,
                schemas=store.schemas,
                source=self.golden.data_directory if self.golden else "",
                settings=self.args.platform.settings(self.args.parameters.role),
                generation=self.args.parameters.warehouse_data,
                container=self.containers.place_of_data() if self.containers else None,
            ),
            self._below,
        )

    def _lake(self) -> Lake:
        parameters, source = self.args.parameters, self.golden.lake_directory if self.golden else ""
        server = self._lake_server(self.containers) if self.containers else None
        return Lake("lake", LakeArgs(parameters.layout.lake, source, parameters.lake_data, server), self._below)

    def _lake_server(self, containers: Containers) -> LakeServerArgs:
        args, layout = self.args, self.args.parameters.layout
        bucket = bucket_name(args.parameters.environment)
        return LakeServerArgs(
            root=layout.root,
            bucket=bucket,
            access=lake_access(args.platform, bucket, people=args.people, developer=args.developer),
            supervisor=self.supervisor.directory,
            log_file=layout.logs / "lake.log",
            container=containers.place_of_lake(),
        )

    def _access(self) -> Access:
        platform = self.args.platform
        return Access(
            "access",
            AccessArgs(
                warehouse=self.warehouse,
                roles=tuple(platform.access.roles),
                grants=declared_grants(platform),
                people=roles_of_people(platform) if self.args.people else {},
                developer=self.args.developer,
            ),
            self._below,
        )

    def _variables(self) -> dict[str, pulumi.Input[str]]:
        parameters = self.args.parameters
        return {
            **(SEALED if parameters.role == "replica" else {}),
            # whoever declares other keys means another S3, and knows how to tell them apart
            **self.lake.credentials(),
            **self.args.platform.variables(parameters.role),
            **{name: pulumi.Output.secret(value) for name, value in parameters.variables.items()},
            **self.warehouse.variables(self.access.pipeline),
            **self.lake.location(),
            "DATAOPS_ENVIRONMENT": parameters.environment,
            "DATAOPS_ROLE": parameters.role,
        }

    def _verification(self, golden: Golden) -> Verification:
        platform, parameters = self.args.platform, self.args.parameters
        roles = sorted({OWNER, *self.access.products, *self.access.logins})
        grants = [asdict(grant) for grant in declared_grants(platform)]
        return Verification(
            "verification",
            connection=self.warehouse.connection,
            database=self.warehouse.database,
            data_directory=self.warehouse.cluster.data_directory,
            lake=self.lake.path,
            snapshot=parameters.snapshot,
            manifest_hash=golden.manifest_hash,
            roles=roles,
            grants=[
                {**grant, "tables": list(grant["tables"]), "privileges": list(grant["privileges"])} for grant in grants
            ],
            variables=self.variables,
            production_hosts=sorted({*platform.production_hosts, *parameters.production_hosts}),
            forbidden_roles=sorted(platform.access.people),
            store=parameters.platform.snapshots,
            keys=parameters.platform.keys,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*self.access.resources, *self.lake.resources, self.file]
            ),
        )

    def _pipelines(self) -> dict[str, Pipeline]:
        return {
            name: Pipeline(
                name,
                PipelineArgs(
                    pipeline,
                    self.workspace,
                    self.file,
                    self.args.scheduled,
                    images=self.containers.images_of_steps(name) if self.containers else None,
                ),
                self._below,
            )
            for name, pipeline in self.args.platform.pipelines.items()
        }

    def _runner(self) -> Runner:
        parameters = self.args.parameters
        checks = [self.verification] if self.verification else []
        return Runner(
            "runner",
            RunnerArgs(
                environment=parameters.environment,
                role=parameters.role,
                commit=parameters.commit,
                repository=parameters.repository,
                worktree=parameters.worktree,
                layout=parameters.layout,
                workspace=self.workspace,
                variables=self.file,
                supervisor=self.supervisor.directory,
                pipelines=self.pipelines,
                after=[*checks, *self.access.resources],
                container=self._place,
            ),
            self._below,
        )

    def _services(self) -> dict[str, Service]:
        after: list[pulumi.Resource] = [self.verification] if self.verification else [*self.access.resources]
        return {
            name: Service(
                name,
                ServiceArgs(
                    service=service,
                    workspace=self.workspace,
                    variables=self.file,
                    supervisor=self.supervisor.directory,
                    log_file=self.args.parameters.layout.logs / f"{name}.log",
                    after=after,
                    generation=self.args.parameters.warehouse_data,
                    container=self._place,
                ),
                self._below,
            )
            for name, service in self.args.platform.services.items()
        }

    def _endpoints(self) -> Endpoints:
        published: dict[str, pulumi.Input[str]] = {"warehouse": self.warehouse.url, "lake": self.lake.url}
        published |= {
            name: service.url
            for name, service in self.services.items()
            if self.args.platform.services[name].port is not None
        }
        checks = [self.verification] if self.verification else []
        ready = [*checks, *self.access.resources, self.file, *self.workspace.resources, *self.runner.resources]
        processes = [service.process for service in self.services.values()]
        return Endpoints(
            "endpoints",
            path=self.args.parameters.layout.endpoints,
            endpoints=published,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*ready, *processes]),
        )
