"""`dataops stack`: the group; run alone it shows the selected stack."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.lazy import Entry, LazyGroup
from dataops.cli.options import OUTPUTS, Inherited, request_from, wants_document

PACKAGE = "dataops.cli.commands"

COMMANDS = {
    "init": Entry(f"{PACKAGE}.stack_lifecycle:init", "Make an empty stack and select it."),
    "ls": Entry(f"{PACKAGE}.stack_lifecycle:ls", "List stacks."),
    "select": Entry(f"{PACKAGE}.stack_lifecycle:select", "Select the stack that commands are about."),
    "unselect": Entry(f"{PACKAGE}.stack_lifecycle:unselect", "Select no stack."),
    "rm": Entry(f"{PACKAGE}.stack_lifecycle:rm", "Remove a stack, its configuration and its history."),
    "config": Entry(f"{PACKAGE}.stack_config_many:config", "Show and change a stack's configuration."),
    "preview": Entry(f"{PACKAGE}.stack_update:preview", "Show what an update would do."),
    "up": Entry(f"{PACKAGE}.stack_update:up", "Make what the program declares."),
    "refresh": Entry(f"{PACKAGE}.stack_update:refresh", "Bring the state in line with what is really there."),
    "destroy": Entry(f"{PACKAGE}.stack_update:destroy", "Delete everything the stack has made."),
    "output": Entry(f"{PACKAGE}.stack_state:output", "Show the stack's outputs."),
    "history": Entry(f"{PACKAGE}.stack_history:history", "List the stack's updates."),
    "export": Entry(f"{PACKAGE}.stack_state:export", "Print the stack's state."),
    "import": Entry(f"{PACKAGE}.stack_state:import_", "Replace the stack's state by an exported one."),
    "cancel": Entry(f"{PACKAGE}.stack_repair:cancel", "Break the lock of an update that will not end."),
    "recover": Entry(f"{PACKAGE}.stack_repair:recover", "List what a lost journal recorded, and set it aside."),
    "rename": Entry(f"{PACKAGE}.stack_rename:rename", "Give a stack another name."),
    "state": Entry(f"{PACKAGE}.stack_edit:state", "Change what is recorded of resources."),
    "graph": Entry(f"{PACKAGE}.stack_rename:graph", "Write resources and what they depend on as a graph."),
    "change-secrets-provider": Entry(
        f"{PACKAGE}.stack_rename:change_secrets_provider", "Encrypt a stack's secrets under another passphrase."
    ),
    "tag": Entry(f"{PACKAGE}.stack_tag:tag", "Show and change a stack's tags."),
}


def _show(
    ctx: click.Context,
    /,
    stack: str | None,
    cwd: Path,
    non_interactive: bool,
    as_json: bool,
    output: str | None,
    **shown: bool,
) -> None:
    ctx.obj = Inherited(stack, cwd, non_interactive)
    if ctx.invoked_subcommand is None:
        from dataops.cli.commands.stack_show import show_stack

        show_stack(request_from(ctx.obj), wants_document(as_json, output), **shown)


stack = LazyGroup(
    "stack",
    COMMANDS,
    help="""Run any Pulumi program on the embedded engine: no other tool is needed.

    Works on any folder with a Pulumi.yaml. Options, files and JSON are those of the `pulumi` command, and so is the
    state: either can take over a stack from the other. Without a command, shows the selected stack.

    \b
    Examples:
      dataops stack init dev
      dataops stack config set region eu-west-1
      dataops stack up
    """,
    invoke_without_command=True,
    params=[
        click.Option(["-s", "--stack"], metavar="STACK", help="The stack to show; by default the selected one."),
        click.Option(["-C", "--cwd"], type=click.Path(path_type=Path), default=".", help="The folder to work in."),
        click.Option(["-i", "--show-ids"], is_flag=True, help="Show the providers' ids of resources."),
        click.Option(["-u", "--show-urns"], is_flag=True, help="Show the URNs of resources."),
        click.Option(["--show-name"], is_flag=True, help="Print the stack's name and nothing else."),
        click.Option(["--show-secrets"], is_flag=True, help="Show secret outputs in plain text."),
        click.Option(["-j", "--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["-o", "--output"], type=OUTPUTS, help="How to print the result."),
        click.Option(["--non-interactive"], is_flag=True, help="Never ask."),
    ],
    callback=click.pass_context(_show),
)
