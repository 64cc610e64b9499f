"""Deployers: what makes a stack what its program says. `EmbeddedDeployer` does it in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dataops.infra.engine.program import Program, ProgramProcess
from dataops.infra.errors import CancelledError, DataopsError, ExpectationError, NotFoundError, ProgramError
from dataops.infra.events.engine_events import EventSink
from dataops.infra.providers.base import Provider
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from dataops.infra.resources.state import Deployment
from dataops.infra.resources.values import Properties, Secret
from dataops.infra.state.backend import Backend, LockHolder, StackReference, UpdateRecord
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.session import UpdateSession

__all__ = ["Deployer", "EmbeddedDeployer", "Program", "UpdateOptions", "UpdateResult"]

Config = Mapping[str, str | Secret]
"""A stack's configuration: `<project>:<key>` to its value, objects as JSON; secret values as `Secret(text)`."""

_UNCHANGED = frozenset({"same", "read", "refresh"})


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """How an operation goes about it.

    Args:
        parallel: how many resource operations run at once.
        refresh: read what exists before anything else.
        message: for the history.
        expect_no_changes: `ExpectationError` when there were any.
        continue_on_error: a failed resource stops only what depends on it.
        targets: URNs or patterns of those that may change; none given: all.
        environment: extra variables for the program and its dynamic providers.
        metadata: for the history, such as `git.head`.
    """

    parallel: int = 16
    refresh: bool = False
    message: str = ""
    expect_no_changes: bool = False
    continue_on_error: bool = False
    targets: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """How an operation went.

    Args:
        kind: `update`, `refresh` or `destroy`.
        changes: steps by kind.
        outputs: the stack's outputs; secret ones are `Secret`.
        failed: some step failed; the events say which and why.
        version: of the update in the history; None for a preview.
    """

    kind: str
    changes: dict[str, int]
    outputs: Properties = field(repr=False)
    failed: bool
    seconds: float
    version: int | None = None


class Deployer(Protocol):
    """Works on the stacks of one backend. Every method may raise what `Backend` raises.

    A step that fails is told by events and `UpdateResult.failed`; what the program itself does wrong is raised, as
    `ProgramError`, once everything that it had asked for before has been done and recorded.
    """

    def preview(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
        kind: str = "update",
    ) -> UpdateResult:
        """What an `update`, `refresh` or `destroy` would do; changes nothing."""
        ...

    def up(
        self, stack: StackReference, program: Program, config: Config, options: UpdateOptions, on_event: EventSink
    ) -> UpdateResult:
        """Makes the stack what the program says."""
        ...

    def refresh(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
    ) -> UpdateResult:
        """Makes the state what exists. The program is not run; dynamic providers need its interpreter and folder."""
        ...

    def destroy(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
    ) -> UpdateResult:
        """Deletes everything in the stack. The program is not run; see `refresh`."""
        ...

    def history(self, stack: StackReference) -> list[UpdateRecord]:
        """The stack's updates, newest first."""
        ...

    def export(self, stack: StackReference, *, show_secrets: bool = False) -> dict[str, Any]:
        """The deployment as JSON."""
        ...

    def import_(self, stack: StackReference, document: Mapping[str, Any], *, force: bool = False) -> None:
        """Replaces the deployment by an exported one."""
        ...

    def cancel(self, stack: StackReference) -> list[LockHolder]:
        """Breaks the stack's locks and says whose they were."""
        ...


class EmbeddedDeployer:
    """The engine in this process.

    Args:
        backend: where the stacks are kept.
        registry: finds providers.
        secrets: encrypts what is recorded.
    """

    def __init__(self, backend: Backend, registry: ProviderRegistry, secrets: SecretsManager) -> None:
        self._backend = backend
        self._registry = registry
        self._secrets = secrets

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
        known = program if isinstance(program, Program) else None
        with ExitStack() as cleanup:
            process = None
            if kind == "update":
                assert known is not None
                process = ProgramProcess(known, options.environment)
                cleanup.callback(process.stop)
            loading = threading.Thread(target=_load_protocol, name="load-protocol", daemon=True)
            loading.start()
            cleanup.callback(loading.join)
            context = _provider_context(stack, known, options)
            dynamic = _start_dynamic(context, known, cleanup) if kind == "update" and known else None
            begun = "preview" if preview else kind
            with self._backend.begin(stack, begun, self._secrets) as session:
                loading.join()
                run = _Run(self, kind, preview, stack, config, options, on_event, session, context, dynamic)
                return run.go(process)

    def stack_outputs(self, name: str, project: str) -> Properties:
        """The outputs of another stack, for stack references; `NotFoundError` when there is none."""
        reference = StackReference.parse(name, project)
        if not self._backend.exists(reference):
            raise NotFoundError(f"there is no stack {name!r}", hint="stack references name organization/PROJECT/STACK")
        found: Deployment = self._backend.load(reference, self._secrets)
        return found.outputs()

    @property
    def registry(self) -> ProviderRegistry:
        """Where providers come from."""
        return self._registry


class _Run:
    """One operation from its first event to its last."""

    def __init__(
        self,
        deployer: EmbeddedDeployer,
        kind: str,
        preview: bool,
        stack: StackReference,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
        session: UpdateSession,
        context: ProviderContext,
        dynamic: Callable[[], Provider] | None,
    ) -> None:
        from dataops.infra.engine.deployment import DeploymentOptions
        from dataops.infra.engine.operation import Operation, Surroundings
        from dataops.infra.engine.reporting import Reporter
        from dataops.infra.engine.targets import Targets

        self._kind, self._preview, self._config, self._options = kind, preview, config, options
        self._session = session
        self._report = Reporter(on_event, preview)
        around = Surroundings(
            config,
            deployer.registry,
            dynamic,
            lambda name: deployer.stack_outputs(name, stack.project),
            context,
        )
        engine_options = DeploymentOptions(
            preview, options.parallel, options.continue_on_error, Targets(options.targets), kind
        )
        self._operation = Operation(stack, engine_options, session, self._report, around)

    def go(self, process: ProgramProcess | None) -> UpdateResult:
        """Runs it; raises what is not a failed step."""
        operation, report = self._operation, self._report
        report.begin({key: "[secret]" if isinstance(v, Secret) else v for key, v in self._config.items()})
        for note in self._session.notes:
            report.warning(note)
        error: DataopsError | None = None
        try:
            error = self._phases(process)
        except KeyboardInterrupt:
            operation.interrupt()
            error = CancelledError(f"the {self._kind} was interrupted", hint="run it again to continue")
        finally:
            operation.providers.close()
        failed = operation.deployment.failed or error is not None
        if operation.executor.errored:
            report.error(f"{'preview' if self._preview else 'update'} failed")
        report.end()
        changes = report.changes
        version = None if self._preview else self._finish("failed" if failed else "succeeded", changes)
        if operation.deployment.defect:
            raise operation.deployment.defect
        if error is not None:
            raise error
        if self._options.expect_no_changes and not _UNCHANGED.issuperset(changes):
            raise ExpectationError("no changes were expected, but there are some")
        outputs = operation.outputs()
        return UpdateResult(self._kind, changes, outputs, failed, report.seconds, version)

    def _phases(self, process: ProgramProcess | None) -> ProgramError | None:
        from dataops.infra.engine.deployment import Bail

        operation = self._operation
        try:
            pending = self._session.base.pending_operations
            if self._options.refresh or self._kind == "refresh":
                operation.refresh()
            elif pending and not self._preview:
                listed = "".join(f"\n  * {item.resource.urn}, interrupted while {item.kind}" for item in pending)
                self._report.warning(
                    f"{len(pending)} operations of an earlier update may or may not have taken effect:{listed}\n"
                    "`refresh` finds out about resources that are recorded; see for yourself about those being created"
                )
            if self._kind == "update":
                assert process is not None
                return operation.run_program(process)
            if self._kind == "destroy":
                operation.destroy()
        except Bail:
            operation.deployment.fail(stop=True)
        return None

    def _finish(self, result: str, changes: dict[str, int]) -> int:
        return self._session.finish(
            result,
            changes,
            message=self._options.message,
            environment=dict(self._options.metadata),
            config=self._config,
        )


def _load_protocol() -> None:
    """Loads what takes long while other things happen."""
    import dataops.infra.engine.operation  # noqa: F401
    from dataops.infra.providers.protocol import load

    for name in ("resource_pb2_grpc", "engine_pb2_grpc", "provider_pb2_grpc", "callback_pb2_grpc"):
        load(name)


def _provider_context(stack: StackReference, program: Program | None, options: UpdateOptions) -> ProviderContext:
    if program is None:
        return ProviderContext("", "", stack.project, stack.stack, Path.cwd(), environment=options.environment)
    return ProviderContext("", "", stack.project, stack.stack, program.folder, program.python, options.environment)


def _start_dynamic(context: ProviderContext, program: Program, cleanup: ExitStack) -> Callable[[], Provider] | None:
    """Starts the process of dynamic providers now if the program seems to need it."""
    if not program.uses_dynamic_providers():
        return None
    from dataops.infra.providers.dynamic import connect_dynamic_process, start_dynamic_process

    process = start_dynamic_process(context)
    cleanup.callback(process.stop)
    return lambda: connect_dynamic_process(process)
