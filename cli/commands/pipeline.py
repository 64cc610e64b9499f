"""`dataops pipeline`: running an environment's pipelines, and their schedules."""

from __future__ import annotations

from dataops.cli.lazy import Entry, LazyGroup

pipeline = LazyGroup(
    "pipeline",
    {
        "run": Entry("dataops.cli.commands.pipeline_run:run", "Run a pipeline in an environment."),
        "runs": Entry("dataops.cli.commands.pipeline_show:runs", "List runs, or show one with its steps and attempts."),
        "ls": Entry("dataops.cli.commands.pipeline_show:ls", "List pipelines: schedule, next run, last run."),
        "pause": Entry("dataops.cli.commands.pipeline_pause:pause", "Stop starting a pipeline by its schedule."),
        "resume": Entry("dataops.cli.commands.pipeline_pause:resume", "Start a pipeline by its schedule again."),
    },
    help="""Run an environment's pipelines.

    \b
    Example:
      dataops pipeline run flights --env feature-x
    """,
)
