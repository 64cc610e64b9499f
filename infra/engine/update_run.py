"""One operation from its first event to its last."""

from __future__ import annotations

from dataclasses import replace

from dataops.infra.engine.deployment import Bail, DeploymentOptions
from dataops.infra.engine.operation import Operation, Surroundings
from dataops.infra.engine.options import UpdateOptions, UpdateResult
from dataops.infra.engine.program import RunningProgram
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.targets import Targets
from dataops.infra.errors import CancelledError, DataopsError, ExpectationError, ProgramError
from dataops.infra.events.engine_events import EventSink
from dataops.infra.resources.state import PendingOperation
from dataops.infra.resources.values import Secret
from dataops.infra.state.backend import StackReference
from dataops.infra.state.session import UpdateSession

_UNCHANGED = frozenset({"same", "read", "refresh"})


class UpdateRun:
    """An update, refresh or destroy, or the preview of one."""

    def __init__(
        self,
        kind: str,
        preview: bool,
        stack: StackReference,
        options: UpdateOptions,
        on_event: EventSink,
        session: UpdateSession,
        around: Surroundings,
    ) -> None:
        self._kind, self._preview, self._config, self._options = kind, preview, around.config, options
        self._session = session
        self._report = Reporter(on_event, preview)
        engine_options = DeploymentOptions(
            preview,
            options.parallel,
            options.continue_on_error,
            Targets(options.targets),
            kind,
            options.target_dependents,
        )
        self._operation = Operation(stack, engine_options, session, self._report, around)

    def go(self, process: RunningProgram | None) -> UpdateResult:
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

    def _phases(self, process: RunningProgram | None) -> ProgramError | None:
        operation = self._operation
        try:
            base = self._session.base
            kept = [item for item in base.pending_operations if not self._is_forgotten(item)]
            if len(kept) < len(base.pending_operations) and not self._preview:
                self._session.rewrite_base(replace(base, pending_operations=kept))
            pending = self._session.base.pending_operations
            if self._options.refresh or self._kind == "refresh":
                operation.refresh()
            elif pending and not self._preview:
                listed = "".join(f"\n  * {item.resource.urn}, interrupted while {item.kind}" for item in pending)
                self._report.warning(
                    f"{len(pending)} operations of an earlier update may or may not have taken effect:{listed}\n"
                    "`refresh` finds out about those that are recorded. One that was being created may exist without "
                    "being recorded: look for it where it would be, delete it there or import it, then let "
                    "`refresh --clear-pending-creates` forget the operation"
                )
            if self._kind == "update":
                assert process is not None
                return operation.run_program(process)
            if self._kind == "destroy":
                operation.delete_leftovers()
        except Bail:
            operation.deployment.fail(stop=True)
        return None

    def _is_forgotten(self, pending: PendingOperation) -> bool:
        cleared = self._options.clear_pending_creates and pending.kind == "creating"
        return cleared or pending.resource.type.startswith(self._options.adopted)

    def _finish(self, result: str, changes: dict[str, int]) -> int:
        return self._session.finish(
            result,
            changes,
            message=self._options.message,
            environment=dict(self._options.metadata),
            config=self._config,
        )
