"""What arguments and options name: environments, branches, pipelines … so that a shell can complete them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Candidates = Callable[[click.Context], Iterable[str]]


class Named(click.types.StringParamType):
    """Text that names something; any text is taken, since only the command knows what exists when it runs.

    Args:
        kind: what it names; `dataops.cli.candidates.<kind>` says what there is.
    """

    def __init__(self, kind: str) -> None:
        self.name = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from dataops.cli import candidates

        given: Candidates = getattr(candidates, self.name)
        return [CompletionItem(word) for word in given(ctx) if word.startswith(incomplete)]


ENVIRONMENT = Named("environment")
DEPLOYED = Named("deployed")
BRANCH = Named("branch")
PIPELINE = Named("pipeline")
STEP = Named("step")
SNAPSHOT = Named("snapshot")
STACK = Named("stack")
SETTING = Named("setting")
