"""The model of pipelines in `dataops.yaml`: steps, what they read and write, and when they run by themselves."""

from __future__ import annotations

from pydantic import Field

from dataops.infra.platform.names import Command, Cron, DatasetName, Name, Text, TimeZone
from dataops.infra.platform.section import Section


class Schedule(Section):
    """When a pipeline runs by itself; development environments pause it."""

    cron: Cron = Field(description="Five cron fields: minute, hour, day of month, month, day of week.")
    timezone: TimeZone = Field(default="UTC", description="The time zone of the fields.")


class Step(Section):
    """One step of a pipeline: a process that reads inputs and writes outputs."""

    name: Name = Field(description="Name, unique in the pipeline.")
    run: Command = Field(description="Entry point: the command and its arguments; `python` is the environment's own.")
    image: Text | None = Field(default=None, description="Container image, for targets that run containers.")
    needs: tuple[Name, ...] = Field(default=(), description="Steps that come first, beside those that make an input.")
    inputs: tuple[DatasetName, ...] = Field(default=(), description="Datasets it reads.")
    outputs: tuple[DatasetName, ...] = Field(default=(), description="Datasets it writes.")


class Pipeline(Section):
    """Steps that make datasets out of others."""

    description: str = Field(default="", description="What it is for.")
    schedule: Schedule | None = Field(default=None, description="When it runs; without one, only when asked.")
    steps: tuple[Step, ...] = Field(min_length=1, description="Steps; their order follows from inputs, outputs, needs.")
