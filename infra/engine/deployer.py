"""Deployers: what makes a stack what its program says. `EmbeddedDeployer` does it in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from dataops.infra.engine.options import Config, UpdateOptions, UpdateResult
from dataops.infra.engine.program import Program, ProgramProcess
from dataops.infra.errors import NotFoundError
from dataops.infra.events.engine_events import EventSink
from dataops.infra.providers.base import Provider
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from dataops.infra.resources.state import Deployment
from dataops.infra.state.backend import Backend, LockHolder, StackReference, UpdateRecord
from dataops.infra.state.encryption import SecretsManager

__all__ = ["Config", "Deployer", "EmbeddedDeployer", "Program", "UpdateOptions", "UpdateResult"]


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
        """Makes the state what exists. The program is run for `options.run_program` alone; dynamic providers need its
        interpreter and folder."""
        ...

    def destroy(
        self,
        stack: StackReference,
        program: Program | str | None,
        config: Config,
        options: UpdateOptions,
        on_event: EventSink,
    ) -> UpdateResult:
        """Deletes everything in the stack. The program is run for `options.run_program` alone; see `refresh`."""
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
            if kind == "update" or options.run_program:
                assert known is not None
                process = ProgramProcess(known, options.environment)
                cleanup.callback(process.stop)
            loading = threading.Thread(target=_load_protocol, name="load-protocol", daemon=True)
            loading.start()
            cleanup.callback(loading.join)
            context = _provider_context(stack, known, options)
            dynamic = _start_dynamic(context, known, cleanup) if process and known else None
            session = cleanup.enter_context(self._backend.begin(stack, "preview" if preview else kind, self._secrets))
            loading.join()
            from dataops.infra.engine.operation import Surroundings
            from dataops.infra.engine.update_run import UpdateRun

            around = Surroundings(
                config, self._registry, dynamic, lambda name: self._recorded(name, stack.project), context
            )
            return UpdateRun(kind, preview, stack, options, on_event, session, around).go(process)

    def _recorded(self, name: str, project: str) -> Deployment:
        """What is recorded of another stack, for references to it; `NotFoundError` when there is none."""
        reference = StackReference.parse(name, project)
        if not self._backend.exists(reference):
            raise NotFoundError(f"there is no stack {name!r}", hint="stack references name organization/PROJECT/STACK")
        return self._backend.load(reference, self._secrets)


def _load_protocol() -> None:
    """Loads what takes long while other things happen."""
    import dataops.infra.engine.update_run  # noqa: F401
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
