"""Command groups that import a command only when it is used, so that `--help` costs no more than click."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Entry:
    """One command of a group.

    Args:
        target: where the click command is, as `package.module:attribute`.
        summary: its line in the group's help; the command itself need not be imported to show it.
    """

    target: str
    summary: str


class LazyGroup(click.Group):
    """A click group over a table of entries; the table's order is the order of the help."""

    def __init__(self, name: str, entries: Mapping[str, Entry], **settings: object) -> None:
        super().__init__(name, **settings)  # type: ignore[arg-type]
        self.entries = dict(entries)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.entries, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.5)
            suggestion = f" Did you mean `{ctx.command_path} {near[0]}`?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{suggestion}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands with their summaries, none of them imported; after a dash, options."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        items = [CompletionItem(name, help=entry.summary) for name, entry in self.entries.items()]
        items += [CompletionItem(name) for name, command in self.commands.items() if not command.hidden]
        return [item for item in items if item.value.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, entry.summary) for name, entry in self.entries.items()]
        rows += [(name, command.get_short_help_str()) for name, command in self.commands.items() if not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
