"""One operation from its first event to its last."""

from __future__ import annotations

from dataops.infra.engine import pending
from dataops.infra.engine.deployment import Bail, DeploymentOptions
from dataops.infra.engine.operation import Operation, Surroundings
from dataops.infra.engine.options import UpdateOptions, UpdateResult
from dataops.infra.engine.program import RunningProgram
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.secret_filter import SecretFilter
from dataops.infra.engine.targets import Targets, UrnPatterns
from dataops.infra.errors import CancelledError, DataopsError, ExpectationError, ProgramError, ResourceError
from dataops.infra.events.engine_events import EventSink
from dataops.infra.resources.state import Deployment
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
        self._secrets = SecretFilter(around.config)
        self._report = Reporter(on_event, preview, self._secrets)
        self._unmatched = pending.unmatched(session.base, options)
        base = pending.settled(session.base, options)
        if base is not session.base and not preview:
            session.rewrite_base(base)
        self._pending = base.pending_operations
        self._refreshes = kind == "refresh" or options.refresh
        self._rereads = self._refreshes and kind != "destroy" and options.run_program
        engine_options = DeploymentOptions(
            preview,
            options.parallel,
            options.continue_on_error,
            _targets(options, base),
            kind,
            options.ignore_protect,
            options.plan,
            options.make_plan,
            UrnPatterns(options.remade),
            UrnPatterns(options.redone),
            self._rereads,
        )
        self._operation = Operation(stack, engine_options, session, base.resources, self._report, around)

    def go(self, process: RunningProgram | None) -> UpdateResult:
        """Runs it; raises what is not a failed step."""
        operation, report = self._operation, self._report
        report.begin({key: "[secret]" if isinstance(v, Secret) else v for key, v in self._config.items()})
        for note in self._session.notes:
            report.warning(note)
        for urn in self._unmatched:
            report.warning(f"no creation of {urn} is pending")
        error: DataopsError | None = None
        try:
            error = self._phases(process)
        except KeyboardInterrupt:
            operation.interrupt()
            error = CancelledError(f"the {self._kind} was interrupted", hint="run it again to continue")
        finally:
            operation.providers.close()
        if isinstance(error, ProgramError):
            report.program_failed(error)
        failed = operation.deployment.failed or error is not None
        if not failed:
            failed = self._left_of_plan()
        if operation.executor.errored:
            report.error(f"{'preview' if self._preview else 'update'} failed")
        report.end(failed)
        changes = report.changes
        version = None if self._preview else self._finish("failed" if failed else "succeeded", changes)
        if operation.deployment.defect:
            raise operation.deployment.defect
        if error is not None:
            # A program's own words, which may tell what it was given.
            error.what = self._secrets.text(error.what)
            error.details = error.details and self._secrets.text(error.details)
            raise error
        if self._options.expect_no_changes and not _UNCHANGED.issuperset(changes):
            raise ExpectationError("no changes were expected, but there are some")
        outputs = operation.outputs()
        plan = operation.keeping.made if self._options.make_plan else None
        return UpdateResult(self._kind, changes, outputs, failed, report.seconds, version, plan)

    def _left_of_plan(self) -> bool:
        """Tells which steps of the plan were not done; whether there are any."""
        unseen = self._operation.keeping.unseen(state.urn for state in self._operation.deployment.resources)
        for urn in unseen:
            self._report.error("the plan has steps for this resource, but nothing was done with it", urn)
        return bool(unseen)

    def _phases(self, process: RunningProgram | None) -> ProgramError | None:
        operation = self._operation
        try:
            if self._kind != "update" or (self._refreshes and not self._rereads):
                operation.check_named()
            if self._refreshes and not self._rereads:
                operation.refresh()
            elif self._pending and not self._preview:
                self._report.warning(pending.warning(self._pending))
            operation.check_replaced()
            if process is not None:
                return operation.run_program(process)
            if self._kind == "destroy":
                operation.delete_leftovers()
        except Bail:
            operation.deployment.fail(stop=True)
        except ResourceError as error:
            self._report.error(f"{error.where}: {error.what}" if error.where else error.what)
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


def _targets(options: UpdateOptions, base: Deployment) -> Targets:
    excluded = options.excludes
    if options.exclude_protected:
        excluded = (*excluded, *(state.urn for state in base.resources if state.protect))
    return Targets(
        UrnPatterns(options.targets),
        options.target_dependents,
        UrnPatterns(excluded),
        options.exclude_dependents,
        UrnPatterns(options.replaces),
    )
