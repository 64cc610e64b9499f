"""The model of `dataops.yaml`: what a platform consists of.

Read it with `dataops.infra.platform.loader.load_platform`, which reports errors with file and line. All models are
frozen and refuse unknown keys. Keys are camelCase in the file and snake_case here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dataops.infra.platform.defaults import Defaults
from dataops.infra.platform.environments import Environments, as_configuration
from dataops.infra.platform.masking import Masking
from dataops.infra.platform.names import (
    REPOSITORY,
    BackendUrl,
    Command,
    HostPath,
    ImageName,
    Member,
    Name,
    ObjectName,
    ObjectPattern,
    RelativePath,
    SqlName,
    Table,
    Text,
    Variable,
)
from dataops.infra.platform.pipelines import Pipeline
from dataops.infra.platform.section import Section
from dataops.infra.platform.verification import Verification

Privilege = Literal["select", "insert", "update", "delete", "truncate", "references", "trigger"]


class Passphrase(Section):
    """Where the passphrase that encrypts secrets in the state comes from: exactly one of the three."""

    file: Text | None = Field(default=None, description="A file, relative to the platform's folder; made at first use.")
    variable: Variable | None = Field(default=None, description="An environment variable.")
    command: Command | None = Field(default=None, description="A command that prints it.")

    @model_validator(mode="after")
    def _one(self) -> Passphrase:
        if sum(source is not None for source in (self.file, self.variable, self.command)) != 1:
            raise PydanticCustomError("one_of", "expected exactly one of `file`, `variable` and `command`")
        return self


class Code(Section):
    """How the code of pipelines and services is made runnable."""

    requirements: RelativePath = Field(
        default="requirements.txt", description="Fully pinned requirements, installed with `uv pip sync`."
    )
    dockerfile: RelativePath | None = Field(
        default=None,
        description="The Dockerfile of the code's image, whose context is this folder; by default `Dockerfile` here, "
        "else one is generated: Python, the requirements, and the code in /app.",
    )
    secrets: dict[Text, HostPath] = Field(
        default={},
        description="Secrets of the build by id: files of the machine that builds, for `RUN --mount=type=secret,id=…`.",
    )


class Warehouse(Section):
    """The warehouse: a Postgres database."""

    kind: Literal["postgres"] = Field(default="postgres", description="What it is.")
    database: SqlName = Field(description="Name of the database.")
    schemas: tuple[SqlName, ...] = Field(default=("public",), description="Schemas that exist in it.")
    tables: tuple[Table, ...] = Field(default=(), description="Tables that no step of a pipeline makes.")
    settings: dict[SqlName, str] = Field(default={}, description="Settings of the server, as in postgresql.conf.")


class Lake(Section):
    """The lake: a store of objects."""

    kind: Literal["objects"] = Field(default="objects", description="What it is.")
    objects: tuple[ObjectName, ...] = Field(default=(), description="Objects that no step of a pipeline makes.")


class Stores(Section):
    """Where data lies."""

    warehouse: Warehouse = Field(description="The relational store; pipelines find it in WAREHOUSE_URL.")
    lake: Lake = Field(default_factory=Lake, description="The object store; pipelines find it in LAKE_URL.")


class Service(Section):
    """A process that runs as long as the environment is up."""

    run: Command = Field(description="Entry point: the command and its arguments; `python` is the environment's own.")
    port: Variable | None = Field(default=None, description="The variable that tells the service its port.")
    health: str | None = Field(
        default=None, pattern="^/", description="The path that answers with 200 when it is ready; needs `port`."
    )
    variables: dict[Variable, str] = Field(default={}, description="Variables for this service alone.")

    @model_validator(mode="after")
    def _health_needs_a_port(self) -> Service:
        if self.health is not None and self.port is None:
            raise PydanticCustomError("health_without_port", "`health` needs `port`, the variable that names the port")
        return self


class Product(Section):
    """A dataset that others may rely on."""

    owner: SqlName = Field(description="The team or person that answers for it.")
    tables: tuple[Table, ...] = Field(default=(), description="Its tables, `schema.table`.")
    objects: tuple[ObjectPattern, ...] = Field(
        default=(), description="Its objects in the lake, by path; `*` stands for anything."
    )
    description: str = Field(default="", description="What it tells.")
    classified: dict[Table, dict[Text, SqlName]] = Field(
        default={}, description="Which class of data a column holds, by table: masking has a rule for each class."
    )

    @model_validator(mode="after")
    def _has_something(self) -> Product:
        if not self.tables and not self.objects:
            raise PydanticCustomError("empty_product", "expected `tables`, `objects` or both")
        return self


class Person(Section):
    """Somebody who works with the platform; their key is their login in production and staging."""

    email: Text = Field(description="Where they are reached.")
    teams: tuple[SqlName, ...] = Field(default=(), description="Teams they belong to.")


class Team(Section):
    """A group of people."""

    description: str = Field(default="", description="What it does.")


class Role(Section):
    """Rights on a product, and who has them."""

    product: Name = Field(description="The product whose tables it opens.")
    privileges: tuple[Privilege, ...] = Field(default=("select",), min_length=1, description="What it allows.")
    members: tuple[Member, ...] = Field(default=(), description="Who has it: `person:NAME` or `team:NAME`.")


class Access(Section):
    """Who may do what."""

    people: dict[SqlName, Person] = Field(default={}, description="People by login.")
    teams: dict[SqlName, Team] = Field(default={}, description="Teams by name.")
    roles: dict[SqlName, Role] = Field(default={}, description="Roles by name.")


class Images(Section):
    """What containers are made from: tags or digests, those that the engine has or that a registry gives."""

    python: ImageName = Field(
        default="python:3.11-slim",
        description="What images of code are built on: glibc, and Python 3 with `venv`. "
        "`dataops-python:bookworm` is made without a registry by `dataops images bootstrap`.",
    )
    postgres: ImageName | None = Field(
        default=None,
        description="What the warehouse runs in: any image with glibc, since the server's programs are mounted; "
        "by default that of `python`.",
    )
    lake: ImageName = Field(
        default="versity/versitygw:v1.8.0",
        description="The S3 server of the lake: `versitygw` is on its PATH. "
        "`dataops-s3:v1.8.0` is made without a registry by `dataops images bootstrap`.",
    )
    registry: Text | None = Field(
        default=None,
        pattern=REPOSITORY,
        description="A repository, `registry.example.com/team/flights`, from which images of code are pulled rather "
        "than built, and to which built ones are pushed; with the credentials of Docker's own configuration.",
    )

    @property
    def server(self) -> str:
        """What the warehouse runs in."""
        return self.postgres or self.python


class LocalTarget(Section):
    """Processes on this machine."""


class DockerTarget(Section):
    """Containers of the Docker Engine of this machine; `images` says what they are made from."""


class Targets(Section):
    """Where environments run."""

    local: LocalTarget = Field(default_factory=LocalTarget, description="Processes on this machine.")
    docker: DockerTarget = Field(default_factory=DockerTarget, description="Containers of this machine.")


class Platform(Section):
    """A data platform, as `dataops.yaml` describes it."""

    api_version: Literal["dataops/v1"] = Field(description="Version of this format.")
    name: Name = Field(description="Name of the platform; also that of its Pulumi project.")
    backend: BackendUrl = Field(
        default=".dataops/state",
        description="Where state lives: a path in the platform's folder, file:///path, or s3://bucket/prefix?region=….",
    )
    passphrase: Passphrase = Field(
        default_factory=lambda: Passphrase(file=".dataops/passphrase"),
        description="Where the passphrase for secrets comes from.",
    )
    code: Code = Field(default_factory=Code, description="How code is made runnable.")
    stores: Stores = Field(description="Where data lies.")
    pipelines: dict[Name, Pipeline] = Field(default={}, description="Pipelines by name.")
    services: dict[Name, Service] = Field(default={}, description="Services by name.")
    products: dict[Name, Product] = Field(default={}, description="Data products by name.")
    access: Access = Field(default_factory=Access, description="Who may do what.")
    masking: Masking = Field(default_factory=Masking, description="What happens to each column in a snapshot.")
    environments: Environments = Field(default_factory=Environments, description="How environments differ.")
    engine: Literal["auto", "embedded", "pulumi"] = Field(
        default="auto", description="What makes resources: the engine of dataops, or the pulumi command on PATH."
    )
    defaults: Defaults = Field(default_factory=Defaults, description="What commands take where nobody says otherwise.")
    targets: Targets = Field(default_factory=Targets, description="Where environments run.")
    images: Images = Field(default_factory=Images, description="What containers are made from.")
    verification: Verification = Field(
        default_factory=Verification, description="How strictly `dataops verify` compares a branch with production."
    )
    production_hosts: tuple[Text, ...] = Field(
        default=(), description="Hosts that no replica may ever point at, beside those that production publishes."
    )

    @property
    def policy(self) -> Masking:
        """The masking policy, with what data products say of their columns."""
        return self.masking.with_classified(product.classified for product in self.products.values())

    def dockerfiles(self) -> dict[str, str]:
        """The Dockerfiles that are named, by the key that names them."""
        named = {f"pipelines.{name}.dockerfile": pipeline.dockerfile for name, pipeline in self.pipelines.items()}
        return {key: path for key, path in {"code.dockerfile": self.code.dockerfile, **named}.items() if path}

    def variables(self, role: str) -> dict[str, str]:
        """The declared variables of `production`, `staging` or `replica`."""
        return dict(self.environments.of(role).variables)

    def settings(self, role: str) -> dict[str, str]:
        """The settings of the Postgres server of `production`, `staging` or `replica`."""
        return {**self.stores.warehouse.settings, **self.environments.of(role).settings}

    def configuration(self, role: str) -> dict[str, str]:
        """The parameters of `production`, `staging` or `replica` as configuration of the stack: `<platform>:<key>`."""
        given = self.environments.of(role).parameters
        return {f"{self.name}:{key}": as_configuration(value) for key, value in given.items()}
