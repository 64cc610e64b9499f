"""The model of pipelines in `dataops.yaml`: steps, what they read and write, and when they run by themselves."""

from __future__ import annotations

from pydantic import Field, StrictBool

from dataops.infra.platform.names import (
    Command,
    Cron,
    DatasetName,
    Duration,
    ImageName,
    Name,
    RelativePath,
    Size,
    TimeZone,
)
from dataops.infra.platform.section import Section


class Schedule(Section):
    """When a pipeline runs by itself; development environments pause it."""

    cron: Cron = Field(description="Five cron fields: minute, hour, day of month, month, day of week.")
    timezone: TimeZone = Field(default="UTC", description="The time zone of the fields.")
    paused: StrictBool = Field(default=False, description="Whether it waits for `dataops pipeline resume`.")
    catchup: StrictBool = Field(
        default=False,
        description="Whether every due time that was missed gets a run of its own, the oldest first; "
        "without, the last one stands for all.",
    )
    starting_deadline: Duration | None = Field(
        default=None,
        description="How late a due run may still start, after which it is missing; "
        "by default 1h, with `catchup` however late.",
    )


class Retries(Section):
    """When a step that failed is tried again."""

    attempts: int = Field(ge=2, le=20, description="How often it is tried in all.")
    delay: Duration = Field(default="10s", description="The pause before the second attempt.")
    backoff: float = Field(default=2, ge=1, le=10, description="What each further pause is multiplied by, up to 1h.")


class Limits(Section):
    """What a step may use. The operating system holds its processes to it, each by itself; the log is one for all."""

    memory: Size | None = Field(default=None, description="Address space, as `512MiB`.")
    cpu_time: Duration | None = Field(default=None, description="Processor time, as `10m`.")
    open_files: int | None = Field(default=None, ge=16, le=1_000_000, description="Files open at once.")
    log: Size = Field(
        default="16MiB",
        description="How much is kept of what one attempt prints: its beginning and its end.",
    )


class Step(Section):
    """One step of a pipeline: a process that reads inputs and writes outputs."""

    name: Name = Field(description="Name, unique in the pipeline.")
    run: Command = Field(description="Entry point: the command and its arguments; `python` is the environment's own.")
    image: ImageName | None = Field(
        default=None,
        description="The image that it runs in on targets that run containers; by default that of the pipeline's code.",
    )
    needs: tuple[Name, ...] = Field(default=(), description="Steps that come first, beside those that make an input.")
    inputs: tuple[DatasetName, ...] = Field(default=(), description="Datasets it reads.")
    outputs: tuple[DatasetName, ...] = Field(default=(), description="Datasets it writes.")
    timeout: Duration | None = Field(default=None, description="How long one attempt may take, as `1h30m`.")
    retries: Retries | None = Field(default=None, description="When it is tried again; without, it is not.")
    limits: Limits = Field(default_factory=Limits, description="What it may use.")


class Pipeline(Section):
    """Steps that make datasets out of others."""

    description: str = Field(default="", description="What it is for.")
    schedule: Schedule | None = Field(default=None, description="When it runs; without one, only when asked.")
    parallel: int = Field(default=4, ge=1, le=64, description="How many steps run at once, where their order allows.")
    timeout: Duration | None = Field(default=None, description="How long a whole run may take.")
    dockerfile: RelativePath | None = Field(
        default=None,
        description="A Dockerfile of its own for targets that run containers, with the context and secrets of `code`; "
        "by default its steps run in the image of `code`.",
    )
    steps: tuple[Step, ...] = Field(min_length=1, description="Steps; their order follows from inputs, outputs, needs.")
