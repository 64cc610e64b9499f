"""Runs the program in `scenario.py`; moments of fate are before, during and after each registration."""

import runpy
import time
from pathlib import Path
from typing import Any

from fate import moment  # type: ignore[import-not-found]
from pulumi.runtime import settings

monitor: Any = settings.get_monitor()
register = monitor.RegisterResource


def mortal(request: Any, *args: Any, **named: Any) -> Any:
    moment("program", "registration, before it is sent")
    answer = register.future(request, *args, **named)
    time.sleep(0.005)
    moment("program", "registration, while it is answered")
    result = answer.result()
    moment("program", "registration, after its answer")
    return result


monitor.RegisterResource = mortal
runpy.run_path(str(Path(__file__).with_name("scenario.py")), run_name="__main__")
