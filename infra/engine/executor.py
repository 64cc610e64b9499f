"""Performs planned steps: records, calls, tells; stops when something fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.diffing import equal
from dataops.infra.engine.hooks import Hooks
from dataops.infra.engine.performing import Outcome, Performer, ProtectedError, explain, not_ready_message
from dataops.infra.engine.plan_keeping import PlanKeeping
from dataops.infra.engine.recorder import Recorder
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.step import Step
from dataops.infra.errors import DataopsError, ResourceError
from dataops.infra.providers.base import OutcomeUnknownError
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import ROOT_STACK_TYPE

PARTIAL_STATUS, UNKNOWN_STATUS = 1, 2
"""What events say of a failed step beside 0, that nothing has happened: see `ResOpFailedEvent`."""


class StepFailed(Bail):
    """A step has failed; it was reported. Carries the state as far as it was planned."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.urn)
        self.step = step


class Executor:
    """Performs chains of steps, at most `parallel` at once.

    Attributes:
        errored: the resources whose steps failed.
        refreshed: for each refreshed resource, by `id()` of its recorded state, what was found.
    """

    def __init__(
        self,
        deployment: Deployment,
        performer: Performer,
        recorder: Recorder,
        reporter: Reporter,
        hooks: Hooks,
        keeping: PlanKeeping,
    ) -> None:
        self._deployment = deployment
        self._performer = performer
        self._recorder = recorder
        self._report = reporter
        self._hooks = hooks
        self._keeping = keeping
        self._slots = threading.BoundedSemaphore(max(1, deployment.options.parallel))
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._running = 0
        self._awaiting_outputs: dict[str, Step] = {}
        self.errored: list[ResourceState] = []
        self.refreshed: dict[int, ResourceState | None] = {}

    def run(self, steps: Sequence[Step], begun: Callable[[], None] | None = None) -> ResourceState | None:
        """Performs steps one after the other and returns the state that they leave.

        Args:
            begun: called as soon as nothing but a failure of the first step can stop it.

        Raises:
            StepFailed: one of them failed, and the rest was not begun.
            Bail: the deployment has been stopped.
        """
        result: ResourceState | None = None
        with self._lock:
            self._running += 1
        try:
            with self._slots:
                for step in steps:
                    if self._deployment.cancelled.is_set():
                        raise Bail(step.urn)
                    if begun is not None:
                        begun()
                    result = self._run_one(step) or result
        finally:
            with self._lock:
                self._running -= 1
                self._idle.notify_all()
        return result

    def wait(self) -> None:
        """Waits until nothing is being performed."""
        with self._lock:
            while self._running:
                self._idle.wait()

    def run_at_once(self, steps: Sequence[Step]) -> None:
        """Performs independent steps in parallel and waits for all of them; failures are noted, not raised."""
        if len(steps) <= 1:
            for step in steps:
                self._attempt(step)
            return
        workers = min(len(steps), self._deployment.options.parallel)
        with ThreadPoolExecutor(max(1, workers), thread_name_prefix="step") as pool:
            try:
                list(pool.map(self._attempt, steps))
            except KeyboardInterrupt:
                self._deployment.fail(stop=True)
                raise

    def register_outputs(self, urn: str, outputs: dict[str, object], *, failed: bool = False) -> None:
        """Records the outputs of a component or the stack; when `failed`, the old ones stay beside them."""
        with self._lock:
            step = self._awaiting_outputs.pop(urn, None)
        if step is None:
            raise ResourceError(f"cannot complete a resource {urn!r} whose registration is not pending")
        if step.skipped:
            return
        before = self._deployment.news[urn]
        if failed:
            outputs = {**before.outputs, **outputs}
        if self._keeping.active:
            old = self._deployment.olds.get(urn)
            with self._lock:
                self._keeping.outputs(urn, old.outputs if old else {}, outputs, registered=True)
        after = before.copy(outputs=outputs)
        self._deployment.news[urn] = after
        self._recorder.outputs(before, after)
        if step.op in ("create", "update"):
            self._after(step, Outcome(after))
        self._report.outputs_registered(step, after)

    def _attempt(self, step: Step) -> None:
        try:
            self.run([step])
        except Bail:
            pass
        except DataopsError as error:
            self._report.error(str(error), step.urn)
            self._deployment.fail(stop=True)

    def _run_one(self, step: Step) -> ResourceState | None:
        made = self._deployment.news.get(step.urn) if step.op == "replace" and step.leaves_old else None
        self._report.starting(step, step.old if step.op == "refresh" else made)
        number = self._recorder.begin(step)
        started = time.monotonic()
        try:
            self._hooks.before(step)
            outcome = self._perform(step)
        except DataopsError as error:
            if not isinstance(error, OutcomeUnknownError):
                self._recorder.failure(number, step)
            message = explain(error, step.urn) if isinstance(error, ResourceError) else str(error)
            self._fail(step, message, error, UNKNOWN_STATUS if _may_have_effect(step, error) else 0)
            raise StepFailed(step) from None
        except Exception as error:
            self._recorder.failure(number, step)
            self._fail(step, f"{type(error).__name__}: {error}", status=UNKNOWN_STATUS)
            raise StepFailed(step) from error
        self._recorder.success(number, step, outcome.state)
        self._note(step, outcome)
        if outcome.state is not None and step.op != "replace" and "id" in outcome.state.additional_secret_outputs:
            self._report.warning("the id of a resource cannot be made secret", step.urn)
        if outcome.not_ready and step.op != "refresh":
            assert outcome.state is not None
            self._fail(step, not_ready_message(outcome.state, outcome.not_ready), status=PARTIAL_STATUS)
            raise StepFailed(step)
        op, counted = outcome.op or step.op, step.logical
        if step.op == "refresh":
            # What a refresh finds is what a `refresh` is about; before an update it is only preparation.
            counted = self._deployment.options.kind == "refresh"
            op = op if counted else step.op
        if step.op == "read":
            counted = step.old is not None and outcome.state is not None
            counted = counted and not equal(step.old.outputs, outcome.state.outputs)  # type: ignore[union-attr]
        if step.skipped:
            counted = False
        seconds = time.monotonic() - started
        self._report.done(step, outcome.state, op=op, counted=counted, seconds=seconds, diff=outcome.diff)
        if step.resource.custom or step.new is None:
            self._after(step, outcome)
        return outcome.state

    def _perform(self, step: Step) -> Outcome:
        """Performs a step, again and again while the resource's error hooks ask for it."""
        failures: list[str] = []
        while True:
            try:
                return self._performer.perform(step)
            except OutcomeUnknownError:
                raise
            except ResourceError as error:
                failures.insert(0, error.what)
                if self._deployment.cancelled.is_set() or not self._hooks.retries(step, failures):
                    raise

    def _after(self, step: Step, outcome: Outcome) -> None:
        try:
            self._hooks.after(step, outcome.state)
        except DataopsError as error:
            self._report.error(str(error), step.urn)
            self._deployment.fail(stop=not self._deployment.options.continue_on_error)

    def _note(self, step: Step, outcome: Outcome) -> None:
        old = step.old
        if step.op == "refresh":
            assert old is not None
            with self._lock:
                self.refreshed[id(old)] = outcome.state
            if step.by_program:
                self._deployment.reread(old, outcome.state)
            return
        if old is not None and step.before_replacement:
            self._deployment.pending_replacement.add(id(old))
        if old is not None and step.leaves_old and step.op != "replace":
            self._deployment.replaced.add(id(old))
        if outcome.state is not None:
            self._deployment.news[step.urn] = outcome.state
            if self._keeping.active:
                with self._lock:
                    self._keeping.outputs(step.urn, {}, outcome.state.outputs, registered=False)
            if step.logical:
                with self._lock:
                    self._awaiting_outputs[step.urn] = step

    def _fail(self, step: Step, message: str, error: DataopsError | None = None, status: int = 0) -> None:
        protected = isinstance(error, ProtectedError)
        self._report.failed(step, message, error, status)
        with self._lock:
            self.errored.append(step.resource)
            if step.old is not None and step.old is not step.resource:
                self.errored.append(step.old)
        self._deployment.fail(
            stop=step.by_program
            or not (protected or self._deployment.options.continue_on_error or step.op == "refresh")
        )


def _may_have_effect(step: Step, error: DataopsError) -> bool:
    """Whether a provider was asked to do something, so that nobody knows what has come of it."""
    return (
        step.op not in ("same", "replace", "refresh")
        and isinstance(error, ResourceError)
        and not isinstance(error, ProtectedError)
    )


def is_stack(urn: str) -> bool:
    """Whether a URN names the stack itself."""
    return urn.split("::")[2] == ROOT_STACK_TYPE
