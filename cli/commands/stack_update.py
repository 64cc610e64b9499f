"""`dataops stack up|preview|refresh|destroy`: the four operations on a stack's resources."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from dataops.cli.engine_option import chosen_engine, engine_option
from dataops.cli.operation import perform
from dataops.cli.options import Command, Request, stack_options, surroundings
from dataops.cli.wanted import Wanted
from dataops.envs.settings import value_of
from dataops.infra.errors import ConfigurationError


def _operation_options(function: Command) -> Command:
    """What all four take; the function gets `shared`, keyword arguments for `Wanted`."""

    @click.option("-m", "--message", default="", help="A note for the stack's history.")
    @click.option("-p", "--parallel", type=click.IntRange(min=1), help="Operations that run at once; 16 by default.")
    @engine_option
    @click.option("-t", "--target", "targets", multiple=True, metavar="URN", help="Only this resource; repeatable.")
    @click.option("--target-dependents", is_flag=True, help="Also what depends on a resource that --target names.")
    @click.option(
        "-x", "--exclude", "excludes", multiple=True, metavar="URN", help="Everything but this resource; repeatable."
    )
    @click.option("--exclude-dependents", is_flag=True, help="Nor what depends on a resource that --exclude names.")
    @click.option(
        "--config-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Take the stack's configuration from this file.",
    )
    @click.option("--expect-no-changes", is_flag=True, help="Fail with exit status 7 when anything changes.")
    @click.option("--diff", is_flag=True, help="Show each property that changes.")
    @click.option("-j", "--json", "as_json", is_flag=True, help="Print steps and results as JSON.")
    @click.option("--event-log", type=click.Path(path_type=Path), help="Write each engine event as a line of JSON.")
    @click.option("--show-sames", is_flag=True, help="Show resources that do not change as well.")
    @click.option("--suppress-progress", is_flag=True, help="Show nothing until the end.")
    @click.option("--show-secrets", is_flag=True, help="Show secret outputs in plain text.")
    @click.option("--suppress-outputs", is_flag=True, help="Do not show the stack's outputs.")
    @functools.wraps(function)
    def run(request: Request, **given: Any) -> Any:
        shared = {name: given.pop(name) for name in _SHARED}
        shared["parallel"] = value_of("parallel", surroundings(request.cwd), shared["parallel"])
        shared["engine"] = chosen_engine(request.cwd, shared["engine"])
        if shared["targets"] and shared["excludes"]:
            raise ConfigurationError("--target and --exclude cannot be given together")
        for name in ("event_log", "config_file"):
            shared[name] = (request.cwd / shared[name]) if shared[name] else None
        return function(request, shared=shared, **given)

    return run


_SHARED = (
    "message",
    "parallel",
    "engine",
    "targets",
    "target_dependents",
    "excludes",
    "exclude_dependents",
    "config_file",
    "expect_no_changes",
    "diff",
    "as_json",
    "event_log",
    "show_sames",
    "suppress_progress",
    "suppress_outputs",
    "show_secrets",
)


def _consent_options(function: Command) -> Command:
    """`--yes`, `--skip-preview`, `--preview-only`: what the three that change something take, under these names."""
    options: Iterable[Callable[[Command], Command]] = (
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option("-f", "--skip-preview", is_flag=True, help="Neither show a preview nor ask."),
        click.option("--preview-only", is_flag=True, help="Show the preview and nothing else."),
    )
    for option in options:
        function = option(function)
    return function


_continue_option = click.option(
    "--continue-on-error",
    is_flag=True,
    envvar="PULUMI_CONTINUE_ON_ERROR",
    help="Go on with what does not depend on a failed resource.",
)
_refresh_option = click.option(
    "-r",
    "--refresh",
    is_flag=False,
    flag_value="true",
    default=None,
    type=click.BOOL,
    metavar="[BOOL]",
    help="First bring the state in line with what is really there; by default where Pulumi.yaml says so.",
)
_run_program_option = click.option(
    "--run-program",
    is_flag=True,
    envvar="PULUMI_RUN_PROGRAM",
    help="Run the program for its providers and hooks; with up and preview, only of use with --refresh.",
)


def _config_options(function: Command) -> Command:
    """`--config` and `--config-path`; the function gets `config` and `config_path`."""

    @click.option(
        "-c", "--config", "settings", multiple=True, metavar="KEY=VALUE", help="Set a configuration value; repeatable."
    )
    @click.option("--config-path", is_flag=True, help="The keys of --config are paths into objects, such as a.b[0].")
    @functools.wraps(function)
    def run(settings: tuple[str, ...], **given: Any) -> Any:
        return function(config=_pairs(settings), **given)

    return run


def _replace_options(function: Command) -> Command:
    """`--replace` and `--target-replace`; the function gets `replaces` and, with `shared`, more `targets`."""

    @click.option("--replace", "replaces", multiple=True, metavar="URN", help="Replace this resource; repeatable.")
    @click.option(
        "--target-replace", "both", multiple=True, metavar="URN", help="--target and --replace in one; repeatable."
    )
    @functools.wraps(function)
    def run(request: Request, replaces: tuple[str, ...], both: tuple[str, ...], **given: Any) -> Any:
        given["shared"]["targets"] += both
        return function(request, replaces=replaces + both, **given)

    return run


_ignore_protect_option = click.option(
    "--ignore-protect", is_flag=True, help="Delete and replace protected resources as well. What is gone is gone."
)


@click.command()
@_consent_options
@_refresh_option
@_run_program_option
@_continue_option
@_config_options
@_ignore_protect_option
@click.option("--plan", type=click.Path(path_type=Path), metavar="FILE", help="Do what this plan says, nothing else.")
@stack_options
@_operation_options
@_replace_options
def up(request: Request, shared: dict[str, Any], plan: Path | None, **given: Any) -> None:
    """Make what the program declares: show what will change, ask, and change it.

    \b
    Examples:
      dataops stack up
      dataops stack up --yes --message 'new index' --stack dev
      dataops stack up --yes --plan plan.json
    """
    plan = request.cwd / plan if plan else None
    perform(request, Wanted("update", plan=plan, **shared, **given))


@click.command()
@_refresh_option
@_run_program_option
@_config_options
@_ignore_protect_option
@click.option("--save-plan", type=click.Path(path_type=Path), metavar="FILE", help="Write what would be done to FILE.")
@stack_options
@_operation_options
@_replace_options
def preview(request: Request, shared: dict[str, Any], save_plan: Path | None, **given: Any) -> None:
    """Show what an update would do, without doing it.

    \b
    Example:
      dataops stack preview --diff
      dataops stack preview --save-plan plan.json
    """
    save_plan = request.cwd / save_plan if save_plan else None
    perform(request, Wanted("update", preview_only=True, save_plan=save_plan, **shared, **given))


@click.command()
@_consent_options
@_run_program_option
@_config_options
@click.option(
    "--clear-pending-creates", is_flag=True, help="Forget creations of unknown outcome that interrupted updates left."
)
@click.option(
    "--import-pending-creates",
    "imported",
    multiple=True,
    metavar="URN|ID",
    help="Take in creations that interrupted updates left and that did take effect: a URN, then, given again, its id.",
)
@click.option(
    "--skip-pending-creates", is_flag=True, help="Leave them as they are, which is what happens unless they are named."
)
@stack_options
@_operation_options
def refresh(
    request: Request, shared: dict[str, Any], imported: tuple[str, ...], skip_pending_creates: bool, **given: Any
) -> None:
    """Bring the state in line with what is really there.

    \b
    Examples:
      dataops stack refresh --yes
      dataops stack refresh --yes --import-pending-creates URN --import-pending-creates ID
    """
    if skip_pending_creates and given["clear_pending_creates"]:
        raise ConfigurationError("--skip-pending-creates and --clear-pending-creates cannot be given together")
    if len(imported) % 2:
        raise ConfigurationError(
            "--import-pending-creates needs a URN, and then its id", hint="dataops stack refresh -h"
        )
    found = tuple(zip(imported[::2], imported[1::2], strict=True))
    perform(request, Wanted("refresh", import_pending_creates=found, **shared, **given))


@click.command()
@_consent_options
@_refresh_option
@_continue_option
@_config_options
@_ignore_protect_option
@click.option("--exclude-protected", is_flag=True, help="Leave protected resources, and what they need.")
@_run_program_option
@click.option("--remove", is_flag=True, help="Then remove the stack and its configuration as well.")
@stack_options
@_operation_options
def destroy(request: Request, shared: dict[str, Any], **given: Any) -> None:
    """Delete everything the stack has made; its history and configuration stay.

    \b
    Example:
      dataops stack destroy --yes
    """
    perform(request, Wanted("destroy", **shared, **given))


def _pairs(settings: Iterable[str]) -> dict[str, str]:
    found = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise ConfigurationError(f"{setting!r} is not KEY=VALUE", hint="--config region=eu-west-1")
        found[key] = value
    return found
