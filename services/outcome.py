"""What is said of an attempt that failed, and of a run that failed because of it."""

from __future__ import annotations

import signal
from pathlib import Path

from dataops.infra.errors import ConfigurationError, DataopsError, DeadlineError, ProgramError
from dataops.infra.platform.quantities import duration_text
from dataops.infra.platform.run_plan import StepPlan
from dataops.infra.process.redaction import Redactor
from dataops.services.attempt import Ending
from dataops.services.request import RunRequest
from dataops.services.runs import StepRecord, log_tail


def reason_of(step: StepPlan, ending: Ending) -> str:
    """Why an attempt failed; "" when it did not."""
    match ending:
        case Ending(why="timeout"):
            return f"took longer than its timeout of {duration_text(step.timeout or 0)}"
        case Ending(why="stopped"):
            return "was ended with the run"
        case Ending(why="lost"):
            return "was lost: the process that watched over it was killed"
        case Ending(why="unstartable", problem=problem):
            return f"cannot be started: {problem}: {step.command[0]}"
        case Ending(exit=status) if status is not None and status < 0:
            over = status == -signal.SIGXCPU and step.cpu_time
            limit = f", having used its {duration_text(step.cpu_time or 0)} of processor time" if over else ""
            return f"was ended by {_signal_name(-status)}{limit}"
        case Ending(exit=0):
            return ""
        case _:
            return f"exited with {ending.exit}"


def failure_of(request: RunRequest, step: StepPlan, record: StepRecord, ending: Ending) -> DataopsError:
    """The error of a run whose step failed; its details are the end of the step's log, without secrets."""
    if ending.why == "unstartable":
        return ConfigurationError(
            f"step {step.name} {record.reason}",
            where=_where(request),
            hint="`run` in dataops.yaml is a command and its arguments; programs of the requirements go by name",
        )
    after = "" if ending.why == "timeout" else f" after {record.seconds:.1f} s"
    tries = f", at attempt {len(record.attempts)} of {step.attempts}" if step.attempts > 1 else ""
    hidden = Redactor(request.variables)
    return ProgramError(
        f"step {step.name} {record.reason}{after}{tries}",
        where=_where(request),
        hint=f"the whole log is {record.log}; when it is mended, "
        f"`dataops pipeline run {request.pipeline} --env {request.plan.environment} --from {step.name}` goes on there",
        details=hidden(log_tail(Path(record.log))) or "(the step printed nothing)",
    )


def time_is_over(request: RunRequest, seconds: float) -> DataopsError:
    """The error of a run that took too long."""
    return DeadlineError(
        f"the run took longer than its timeout of {duration_text(seconds)}",
        where=_where(request),
        hint=f"`pipelines.{request.pipeline}.timeout` in dataops.yaml says how long it may take",
    )


def _where(request: RunRequest) -> str:
    return f"pipeline {request.pipeline} in {request.plan.environment}"


def _signal_name(number: int) -> str:
    """The name of a signal; those for programs' own use have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
