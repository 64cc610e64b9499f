"""`dataops pipeline`: running an environment's pipelines."""

from __future__ import annotations

from dataops.cli.lazy import Entry, LazyGroup

pipeline = LazyGroup(
    "pipeline",
    {
        "run": Entry("dataops.cli.commands.pipeline_run:run", "Run a pipeline in an environment."),
        "runs": Entry("dataops.cli.commands.pipeline_run:runs", "List the runs of an environment's pipelines."),
        "ls": Entry("dataops.cli.commands.pipeline_run:ls", "List an environment's pipelines and their steps."),
    },
    help="""Run an environment's pipelines.

    \b
    Example:
      dataops pipeline run flights --env feature-x
    """,
)
