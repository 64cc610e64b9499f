"""One due run of a pipeline, as a process: `python -m dataops.services.execution <root> <pipeline> <due>`.

It exits with 0 when the run succeeded or had been started before, else as the error says.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from dataops.infra.errors import CancelledError, DataopsError
from dataops.services.request import RunRequest, environment_plan, step_variables
from dataops.services.runner import run_pipeline
from dataops.services.runs import SCHEDULE, StepRecord


def main() -> int:
    """Runs the pipeline that the arguments name."""
    root, pipeline, due = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        plan = environment_plan(root)
        request = RunRequest(plan, root, pipeline, step_variables(plan, root), trigger=SCHEDULE, due=due, user=SCHEDULE)
        run_pipeline(request, _say)
    except DataopsError as error:
        print(f"{pipeline}: {error}", flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{pipeline}: the run was ended", flush=True)
        return CancelledError.exit_code
    return 0


def _say(step: StepRecord) -> None:
    print(f"{step.name}: {step.state} {step.reason}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
