"""One operation on a stack as a user asks for it: preview, consent, deed, and what is said at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import click

from dataops.cli import wiring
from dataops.cli.circumstances import update_metadata
from dataops.cli.display.choose import Display, Quiet, choose_display, open_event_log, showing
from dataops.cli.display.model import DisplayOptions
from dataops.cli.display.summary import output_lines
from dataops.cli.display.words import UNCHANGED
from dataops.cli.options import Request
from dataops.cli.wanted import Wanted
from dataops.cli.workspace import Workspace
from dataops.infra.errors import CancelledError, ConfigurationError, ExpectationError, UpdateFailedError
from dataops.infra.resources.values import unwrap_secrets
from dataops.infra.state.backend import Backend, StackReference, not_found

if TYPE_CHECKING:
    from dataops.infra.engine.deployer import Deployer, UpdateResult
    from dataops.infra.engine.program import Program
    from dataops.infra.events.engine_events import EventSink
    from dataops.infra.resources.values import Secret
    from dataops.infra.state.encryption import SecretsManager
    from dataops.infra.state.stack_config import StackConfig


class Configuration(Mapping[str, "str | Secret"]):
    """A stack's configuration, decrypted when it is first looked at: by then the program's process is under way."""

    def __init__(self, defaults: Mapping[str, str], settings: StackConfig, secrets: SecretsManager) -> None:
        self._defaults, self._settings, self._secrets = defaults, settings, secrets

    @cached_property
    def _values(self) -> dict[str, str | Secret]:
        return {**self._defaults, **self._settings.values(self._secrets)}

    def __getitem__(self, key: str) -> str | Secret:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Opened:
    """A stack that is ready to be worked on."""

    workspace: Workspace
    backend: Backend
    ref: StackReference
    deployer: Deployer
    program: Program
    config: Mapping[str, str | Secret] = field(repr=False)
    secrets: SecretsManager = field(repr=False)


def perform(request: Request, wanted: Wanted) -> None:
    """Performs an operation.

    Raises:
        ConfigurationError: consent is needed and nobody can be asked.
        CancelledError: the user said no.
        UpdateFailedError: some step failed; it has been shown.
        ExpectationError: `expect_no_changes` and something changed or would change.
    """
    if wanted.preview_only and (wanted.yes or wanted.skip_preview):
        given = "--skip-preview" if wanted.skip_preview else "--yes"
        raise ConfigurationError(f"{given} and --preview-only cannot be given together")
    if not (wanted.preview_only or wanted.yes or wanted.skip_preview or request.interactive):
        raise ConfigurationError(
            "this needs a yes and nobody can be asked", hint="add --yes, --skip-preview or --preview-only"
        )
    opened = _open(request, wanted)
    with ExitStack() as cleanup:
        logs = [cleanup.enter_context(closing(open_event_log(wanted.event_log)))] if wanted.event_log else []
        if wanted.preview_only or not wanted.skip_preview:
            result = _run(opened, wanted, logs, planning=True)
            if wanted.save_plan:
                _save_plan(opened, wanted, result)
            if wanted.preview_only:
                _check_expectation(wanted, result)
                return
            if not wanted.yes:
                _ask(opened.ref, wanted.kind)
        result = _run(opened, wanted, logs, planning=False)
    _check_expectation(wanted, result)
    if wanted.kind == "destroy":
        _say_farewell(opened, wanted)


def _open(request: Request, wanted: Wanted) -> Opened:
    """Reads everything that can be wrong before anything is started."""
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    backend = wiring.backend(workspace)
    if not backend.exists(ref):
        raise not_found(ref)
    settings = wiring.settings(workspace, ref, wanted.config_file)
    secrets = wiring.secrets(workspace, settings, ref, request)
    if wanted.config:
        for key, value in wanted.config.items():
            settings.set(key, value, path=wanted.config_path)
        settings.save()
    return Opened(
        workspace,
        backend,
        ref,
        wiring.deployer(backend, secrets, wanted.engine),
        wiring.program(workspace.project),
        Configuration(workspace.project.defaults, settings, secrets),
        secrets,
    )


def _run(opened: Opened, wanted: Wanted, logs: Sequence[Display], planning: bool) -> UpdateResult:
    """Previews or performs, shown as it happens; `UpdateFailedError` when a step failed."""
    shown = DisplayOptions(
        wanted.kind,
        planning,
        opened.ref.stack,
        wanted.diff,
        wanted.show_sames,
        wanted.suppress_progress,
        wanted.suppress_outputs or wanted.show_secrets,
    )
    act = _action(opened, wanted, planning)
    # A document of the preview and a stream of the update would not be one document: the update's stream is the result.
    unseen = planning and wanted.as_json and not wanted.preview_only
    display = Quiet() if unseen else choose_display(shown, wanted.as_json)
    with showing([display], logs) as receive:
        result = act(receive)
    if wanted.show_secrets and not (planning or wanted.as_json or wanted.suppress_outputs):
        # Events never hold a secret, so what displays show cannot.
        click.echo("\n".join(output_lines({}, unwrap_secrets(result.outputs))))
    if result.failed:
        raise UpdateFailedError(f"the {'preview' if planning else wanted.kind} of stack {opened.ref.stack!r} failed")
    return result


def _action(opened: Opened, wanted: Wanted, planning: bool) -> Callable[[EventSink], UpdateResult]:
    """The call to the engine that does what is wanted."""
    plan = None
    if wanted.plan and not planning:
        from dataops.infra.engine.plan_file import read_plan

        plan = read_plan(wanted.plan, opened.secrets)
    project = opened.workspace.project
    options = wanted.options(plan, {} if planning else update_metadata(project.root), project.always_refreshes)
    engine, ref, program, config = opened.deployer, opened.ref, opened.program, opened.config
    if planning:
        return lambda receive: engine.preview(ref, program, config, options, receive, wanted.kind)
    work = {"update": engine.up, "refresh": engine.refresh, "destroy": engine.destroy}[wanted.kind]
    return lambda receive: work(ref, program, config, options, receive)


def _save_plan(opened: Opened, wanted: Wanted, result: UpdateResult) -> None:
    """Writes the plan of a preview to the file that was named."""
    from dataops.infra.engine.plan_file import write_plan

    assert wanted.save_plan is not None and result.plan is not None
    write_plan(wanted.save_plan, result.plan, opened.config, opened.secrets, wanted.show_secrets)
    click.echo(
        f"The plan is in {wanted.save_plan}. To do this and nothing else: dataops stack up --plan {wanted.save_plan}",
        err=True,
    )


def _ask(ref: StackReference, kind: str) -> None:
    """Asks for a yes."""
    if not click.confirm(f"Do you want to perform this {kind} of stack '{ref.stack}'?", default=False, err=True):
        raise CancelledError("nothing was done: the answer was no")


def _check_expectation(wanted: Wanted, result: UpdateResult) -> None:
    changed = sum(count for op, count in result.changes.items() if op not in UNCHANGED)
    if wanted.expect_no_changes and changed:
        done = "would change" if wanted.preview_only else "changed"
        raise ExpectationError(f"no changes were expected, but {changed} resource{'s' * (changed > 1)} {done}")


def _say_farewell(opened: Opened, wanted: Wanted) -> None:
    """What remains after everything is destroyed."""
    ref = opened.ref
    if not wanted.remove:
        click.echo(
            "The resources are gone; history and configuration are still there. "
            f"To remove them as well: dataops stack rm {ref.stack}",
            err=True,
        )
        return
    opened.backend.remove(ref)
    opened.workspace.project.stack_file(ref.stack).unlink(missing_ok=True)
    if opened.workspace.selected() == ref.qualified:
        opened.workspace.select(None)
    click.echo(f"The resources are gone, and stack '{ref.stack}' has been removed", err=True)
