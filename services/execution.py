"""One due run of a pipeline, as a process: `python -m dataops.services.execution <root> <pipeline> <due>`.

It exits with 0 when the run succeeded or had been started before, else as the error says.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from dataops.infra.errors import CancelledError, DataopsError
from dataops.services.journal import utc_now
from dataops.services.request import RunRequest, environment_plan, step_variables
from dataops.services.runner import run_pipeline
from dataops.services.runs import SCHEDULE


def main() -> int:
    """Runs the pipeline that the arguments name."""
    root, pipeline, due = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        plan = environment_plan(root)
        request = RunRequest(plan, root, pipeline, step_variables(plan, root), trigger=SCHEDULE, due=due, user=SCHEDULE)
        run_pipeline(request, lambda step: _say(pipeline, f"{step.name} {step.state} {step.reason}"))
    except DataopsError as error:
        _say(pipeline, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say(pipeline, "the run was ended")
        return CancelledError.exit_code
    return 0


def _say(pipeline: str, text: str) -> None:
    """A line of the runner's log, which runs of many pipelines share."""
    print(f"{utc_now()} {pipeline}: {text}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
