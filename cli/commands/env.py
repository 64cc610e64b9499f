"""`dataops env`: the life of environments."""

from __future__ import annotations

from dataops.cli.lazy import Entry, LazyGroup

env = LazyGroup(
    "env",
    {
        "up": Entry("dataops.cli.commands.env_up:up", "Make the replica of a branch, or bring it up to date."),
        "deploy": Entry("dataops.cli.commands.env_up:deploy", "Deploy production or staging from its branch."),
        "plan": Entry("dataops.cli.commands.env_plan:plan", "Show what up or deploy would do, without doing it."),
        "reset": Entry("dataops.cli.commands.env_reset:reset", "Put a replica's data back to its snapshot."),
        "ls": Entry("dataops.cli.commands.env_show:ls", "List the environments."),
        "status": Entry("dataops.cli.commands.env_show:status", "Show one environment and whether it answers."),
        "exec": Entry("dataops.cli.commands.env_run:exec_", "Run a command with an environment's variables and code."),
        "shell": Entry("dataops.cli.commands.env_run:shell", "Open a shell in an environment."),
        "history": Entry("dataops.cli.commands.env_history:history", "Show what was done to an environment."),
        "diff": Entry("dataops.cli.commands.env_diff:diff", "Compare two environments: code, variables, data, rights."),
        "logs": Entry("dataops.cli.commands.env_logs:logs", "Show what an environment logs, and follow it."),
        "connect": Entry(
            "dataops.cli.commands.env_show:connect", "Show how to reach an environment's warehouse and lake."
        ),
        "fingerprint": Entry("dataops.cli.commands.env_show:fingerprint", "Hash every table and object."),
        "sleep": Entry("dataops.cli.commands.env_sleep:sleep", "Stop an environment's processes, keep its data."),
        "wake": Entry("dataops.cli.commands.env_sleep:wake", "Bring a sleeping environment back."),
        "down": Entry("dataops.cli.commands.env_down:down", "Remove an environment and prove that nothing is left."),
    },
    help="""Bring environments up, work in them, take them down.

    \b
    Examples:
      dataops env up --branch feature/x       a private replica of production with that branch's code
      dataops env exec feature-x -- psql      a command in it
      dataops env down feature-x --yes        nothing is left
    """,
)
