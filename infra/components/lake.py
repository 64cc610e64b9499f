"""The lake of an environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.processes import ServiceProcess
from dataops.infra.components.storage import LakeDirectory, LakeKeys
from dataops.infra.platform.access import PIPELINE
from dataops.infra.platform.lake_access import LakeAccess
from dataops.infra.process.containers import ContainerPlace
from dataops.infra.process.lake_volume import CarriedLake
from dataops.infra.process.s3_gateway import HEALTH, LAKE, LISTEN, PORT, GatewayFolder, client_variables


@dataclass(frozen=True, slots=True)
class LakeServerArgs:
    """The S3 server of a lake.

    Args:
        root: the environment's folder.
        bucket, access: what the lake is called there, and who gets in.
        supervisor, log_file: who keeps it running, and where its output goes.
        container: where it runs: a `ContainerPlace`.
    """

    root: Path
    bucket: str
    access: LakeAccess
    supervisor: pulumi.Input[str]
    log_file: Path
    container: pulumi.Output[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LakeArgs:
    """Where the objects lie, what they are cloned from ("" for an empty lake), and which generation they are.

    Args:
        server: what stands before them; None for a folder that programs see themselves.
    """

    path: Path
    source: pulumi.Input[str] = ""
    generation: str = ""
    server: LakeServerArgs | None = None


class Lake(pulumi.ComponentResource):
    """A store of objects, found by its URL: a folder, or a bucket of a server on that folder."""

    url: pulumi.Output[str]
    path: pulumi.Output[str]

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Lake", name, None, opts)
        self.objects = LakeDirectory(
            "objects",
            path=args.path,
            source=args.source,
            generation=args.generation,
            container=None if args.server is None else args.server.container.apply(_where_carried),
            bucket="" if args.server is None else args.server.bucket,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url, self.path = self.objects.url, self.objects.path
        self.keys: LakeKeys | None = None
        self.server: ServiceProcess | None = None
        if args.server is not None:
            self.keys = self._keys(args, args.server)
            self.server = self._serve(args, args.server, self.keys)
            self.url = self.keys.url
        outputs: dict[str, Any] = {"url": self.url}
        self.register_outputs(outputs)

    def _keys(self, args: LakeArgs, server: LakeServerArgs) -> LakeKeys:
        return LakeKeys(
            "keys",
            root=server.root,
            bucket=server.bucket,
            accounts=server.access.accounts,
            policy=server.access.policy,
            generation=args.generation,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.objects]),
        )

    def _serve(self, args: LakeArgs, server: LakeServerArgs, keys: LakeKeys) -> ServiceProcess:
        folder = GatewayFolder.of(server.root)

        def lake(place: dict[str, Any]) -> CarriedLake | None:
            return CarriedLake.of({"container": place, "bucket": server.bucket})

        def command(place: dict[str, Any]) -> list[str]:
            return (lake(place) or folder).command(args.generation)

        def mounts(place: dict[str, Any]) -> list[dict[str, Any]]:
            carried = lake(place)
            return [carried.mount()] if carried else folder.mounts(server.bucket, args.path)

        def handed(place: dict[str, Any]) -> dict[str, Any] | None:
            carried = lake(place)
            return carried.handed(folder) if carried else None

        digest = pulumi.Output.all(server.container, keys.digest).apply(lambda at: at[1] if lake(at[0]) else "")
        return ServiceProcess(
            LAKE,
            supervisor=server.supervisor,
            command=server.container.apply(command),
            directory="/",
            environment_file=keys.environment_file,
            environment_digest=digest,
            variables={},
            port_variable=PORT,
            listen_variable=LISTEN,
            health=HEALTH,
            log_file=server.log_file,
            generation=args.generation,
            container=server.container,
            mounts=server.container.apply(mounts),
            handed=server.container.apply(handed),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.objects]),
        )

    def location(self) -> dict[str, pulumi.Input[str]]:
        """The environment variable with which programs find the lake."""
        return {"LAKE_URL": self.url}

    def credentials(self) -> dict[str, pulumi.Input[str]]:
        """The environment variables with which client libraries of S3 get into it; none for a folder."""
        if self.keys is None or self.server is None:
            return {}
        endpoint = self.server.port.apply(lambda port: f"http://{LAKE}:{port}")
        return {**client_variables(endpoint, PIPELINE, self.keys.secret_of(PIPELINE))}

    @property
    def resources(self) -> list[pulumi.Resource]:
        """All that must be there before the lake is used."""
        return [each for each in (self.objects, self.keys, self.server) if each is not None]


def _where_carried(place: dict[str, Any]) -> dict[str, Any] | None:
    """The place of containers, where objects are carried into its engine."""
    return place if ContainerPlace.of(place).carried else None
