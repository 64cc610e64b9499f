"""`PulumiDeployer`: the engine of the `pulumi` command, through its Automation API, on the same state."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops.infra.engine.options import Config, UpdateOptions, UpdateResult
from dataops.infra.engine.program import Program
from dataops.infra.engine.pulumi_command import (
    InterruptibleCommand,
    find_pulumi,
    interpreter_variables,
    meaning,
    virtual_environment,
)
from dataops.infra.engine.pulumi_events import our_event
from dataops.infra.errors import (
    CancelledError,
    ConfigurationError,
    ExpectationError,
    ProgramError,
    UpdateFailedError,
)
from dataops.infra.events.engine_events import DiagnosticEvent, Event, EventSink, ResOutputsEvent, SummaryEvent
from dataops.infra.resources.urn import ROOT_STACK_TYPE
from dataops.infra.resources.values import Properties, Secret
from dataops.infra.state.backend import Backend, LockHolder, StackReference, UpdateRecord
from dataops.infra.state.config_value import ObjectText
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.stack_config import StackConfig

_UNCHANGED = frozenset({"same", "read", "refresh"})
_UNHANDLED = "Program failed with an unhandled exception:"


@dataclass(frozen=True, slots=True)
class PulumiSettings:
    """What the command needs beside the stack.

    Args:
        variables: for its environment: the passphrase, credentials. Never in arguments.
        plugins: package to the words of the command that serves it.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    plugins: Mapping[str, Sequence[str]] = field(default_factory=dict)


class PulumiDeployer:
    """The engine in the `pulumi` command, behind the contract of `Deployer`.

    The program runs under the interpreter that `Program` names. The stack's configuration is handed over in a file of
    its own, secrets encrypted, so that no file of the project is changed.

    Args:
        backend: where the stacks are kept; the command reads and writes the same place.
        secrets: encrypts configuration, and decrypts what is recorded.

    Raises:
        ConfigurationError: there is no `pulumi` on PATH.
    """

    def __init__(self, backend: Backend, secrets: SecretsManager, settings: PulumiSettings | None = None) -> None:
        self._path = find_pulumi(os.environ)
        self._backend = backend
        self._secrets = secrets
        self._settings = settings or PulumiSettings()

    def preview(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
        kind: str = "update",
    ) -> UpdateResult:
        return self._operate(kind, stack, program, config, options, on_event, preview=True)

    def up(
        self, stack: StackReference, program: Program, config: Config, options: UpdateOptions, on_event: EventSink
    ) -> UpdateResult:
        return self._operate("update", stack, program, config, options, on_event)

    def refresh(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
    ) -> UpdateResult:
        return self._operate("refresh", stack, program, config, options, on_event)

    def destroy(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
    ) -> UpdateResult:
        return self._operate("destroy", stack, program, config, options, on_event)

    def history(self, stack: StackReference) -> list[UpdateRecord]:
        return self._backend.history(stack)

    def export(self, stack: StackReference, *, show_secrets: bool = False) -> dict[str, Any]:
        return self._backend.export(stack, self._secrets if show_secrets else None)

    def import_(self, stack: StackReference, document: Mapping[str, Any], *, force: bool = False) -> None:
        self._backend.import_(stack, document, self._secrets, force)

    def cancel(self, stack: StackReference) -> list[LockHolder]:
        return self._backend.cancel(stack)

    def _operate(
        self,
        kind: str,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
        preview: bool = False,
    ) -> UpdateResult:
        from pulumi import automation
        from pulumi.automation.errors import CommandError

        self._secrets.verify()
        # The command knows of no journal that an update of ours left, and of no lock whose holder is gone.
        if preview:
            self._backend.export(stack)
        else:
            self._backend.settle(stack)
        heard = _Heard(on_event)
        known_updates = 0 if preview else len(self._backend.history(stack))
        started = time.monotonic()
        command = InterruptibleCommand(self._path)
        with ExitStack() as cleanup:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="dataops-pulumi-")))
            known = program if isinstance(program, Program) else None
            file = self._write(folder, stack, known, config)
            workspace = automation.LocalWorkspace(
                work_dir=str(folder), env_vars=self._variables(options, known), pulumi_command=command
            )
            opened = automation.Stack.select(stack.qualified, workspace)
            # What it asks the command for once it is done is in the state, which we can read.
            opened.outputs = dict  # type: ignore[method-assign]
            opened.info = lambda show_secrets=False: _Nothing  # type: ignore[method-assign,assignment,return-value]
            try:
                _call(opened, kind, preview, options, heard, str(file))
            except CommandError:
                self._explain(meaning(command.last), heard)
            except KeyboardInterrupt:
                raise CancelledError(f"the {kind} was interrupted", hint="run it again to continue") from None
            finally:
                if not preview:
                    self._annotate(stack, known_updates, options)
        return self._result(kind, stack, heard, preview, time.monotonic() - started, options)

    def _annotate(self, stack: StackReference, known_updates: int, options: UpdateOptions) -> None:
        """Adds what the command cannot know, which sees a folder of ours, to the record of its update."""
        history = self._backend.history(stack)
        if options.metadata and len(history) > known_updates:
            self._backend.annotate(stack, len(history), options.metadata)

    def _explain(self, error: Exception, heard: _Heard) -> None:
        """Raises what is more than a failed step; a failed step has been told by events."""
        if (failure := heard.program_failure) is not None:
            raise failure from None
        if not isinstance(error, UpdateFailedError) or heard.summary is None:
            raise error from None
        heard.failed = True

    def _result(
        self,
        kind: str,
        stack: StackReference,
        heard: _Heard,
        preview: bool,
        seconds: float,
        options: UpdateOptions,
    ) -> UpdateResult:
        changes = dict(heard.summary.changes) if heard.summary else {}
        if preview:
            outputs, version = heard.outputs, None
        else:
            outputs = self._backend.load(stack, self._secrets).outputs()
            history = self._backend.history(stack)
            version = history[0].version if history else None
        if options.expect_no_changes and not heard.failed and not _UNCHANGED.issuperset(changes):
            raise ExpectationError("no changes were expected, but there are some")
        return UpdateResult(kind, changes, outputs, heard.failed, seconds, version)

    def _write(self, folder: Path, stack: StackReference, program: Program | None, config: Config) -> Path:
        """Writes a project that is the program's, and the stack's configuration; gives the path of the latter."""
        project: dict[str, Any] = {"name": stack.project, "runtime": {"name": "python"}}
        if program is not None:
            project["main"] = str(program.path)
            if environment := virtual_environment(program.python):
                project["runtime"]["options"] = {"virtualenv": str(environment)}
        plugins = [_write_plugin(folder / name, name, words) for name, words in self._settings.plugins.items()]
        project["plugins"] = {"providers": plugins}
        # YAML is a superset of JSON.
        (folder / "Pulumi.yaml").write_text(json.dumps(project), encoding="utf-8")
        file = folder / f"Pulumi.{stack.stack}.yaml"
        written = StackConfig(file, stack.project)
        salt = (self._secrets.provider.get("state") or {}).get("salt")
        if salt:
            written.encryption_salt = str(salt)
        for key, value in config.items():
            text = value.value if isinstance(value, Secret) else value
            if isinstance(text, ObjectText):
                written.put(key, text.raw)
            else:
                written.set(key, str(text), secrets=self._secrets if isinstance(value, Secret) else None)
        written.save()
        return file

    def _variables(self, options: UpdateOptions, program: Program | None) -> dict[str, str]:
        return {
            "PULUMI_BACKEND_URL": self._backend.url,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **self._settings.variables,
            **options.environment,
            **(interpreter_variables(program.python, options.environment) if program else {}),
        }


@dataclass(frozen=True, slots=True)
class _Nothing:
    """In place of what the Automation API would ask the command for."""


class _Heard:
    """Passes events on, and keeps of them what the result is made of."""

    def __init__(self, on_event: EventSink) -> None:
        self._on_event = on_event
        self.summary: SummaryEvent | None = None
        self.outputs: Properties = {}
        self.program_failure: ProgramError | None = None
        self.failed = False

    def __call__(self, event: Any) -> None:
        ours = our_event(event)
        if ours is None:
            return
        self._note(ours)
        self._on_event(ours)

    def _note(self, event: Event) -> None:
        if isinstance(event, SummaryEvent):
            self.summary = event
        elif isinstance(event, ResOutputsEvent) and event.metadata.type == ROOT_STACK_TYPE and event.metadata.new:
            self.outputs = event.metadata.new.outputs
        elif isinstance(event, DiagnosticEvent) and event.severity == "error" and _UNHANDLED in event.message:
            traceback = event.message.partition(_UNHANDLED)[2].strip()
            self.program_failure = ProgramError(traceback.rsplit("\n", 1)[-1], details=traceback)


def _call(
    stack: Any, kind: str, preview: bool, options: UpdateOptions, heard: Callable[[Any], None], file: str
) -> None:
    """The Automation API's method for an operation.

    Raises:
        ConfigurationError: it is asked to do parts again, which the command has no option for.
    """
    if options.remade or options.redone:
        raise ConfigurationError(
            "the pulumi command cannot do parts of an environment again",
            hint="leave out --from-step, or use `--engine embedded`",
        )
    given: dict[str, Any] = {
        "parallel": options.parallel,
        "message": options.message or None,
        "target": list(options.targets) or None,
        "target_dependents": options.target_dependents or None,
        "run_program": options.run_program or None,
        "on_event": heard,
        "config_file": file,
    }
    names = {"update": ("up", "preview"), "refresh": ("refresh", "preview_refresh")}
    done, planned = names.get(kind, ("destroy", "preview_destroy"))
    if kind != "destroy":
        given["exclude"] = list(options.excludes) or None
        given["exclude_dependents"] = options.exclude_dependents or None
    elif options.excludes or options.exclude_protected:
        raise ConfigurationError("the Automation API cannot destroy all but some", hint="use --engine embedded")
    if kind == "refresh":
        given["clear_pending_creates"] = options.clear_pending_creates or None
    else:
        given["refresh"] = options.refresh or None
        if kind == "update":
            given["replace"] = list(options.replaces) or None
        if not preview:
            given["continue_on_error"] = options.continue_on_error or None
    if not preview and kind != "destroy":
        given["show_secrets"] = False
    getattr(stack, planned if preview else done)(**given)


def _write_plugin(folder: Path, package: str, words: Sequence[str]) -> dict[str, str]:
    """A folder with the program that the command looks for; gives what Pulumi.yaml says of it."""
    folder.mkdir()
    program = folder / f"pulumi-resource-{package}"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return {"name": package, "path": str(folder)}
