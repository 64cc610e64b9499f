"""The recorded scenarios on the command line: the same steps, provider calls, states, outputs and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RUN = ROOT.parent / "shared" / "conformance" / "run.py"

pytestmark = pytest.mark.slow
SCENARIOS = sorted(folder.name for folder in (RUN.parent / "scenarios").glob("*/")) if RUN.exists() else []
"""None where the recorded scenarios are not beside this checkout: a checkout alone has nothing to compare with."""

if SCENARIOS:

    @pytest.mark.parametrize("scenario", SCENARIOS)
    def test_the_engine_does_what_was_recorded(scenario: str) -> None:
        dataops = Path(sys.executable).with_name("dataops")
        command = [sys.executable, str(RUN), "check", "--command", f"{dataops} stack", "--venv", sys.prefix, scenario]
        played = subprocess.run(command, capture_output=True, text=True)
        assert played.returncode == 0, played.stdout + played.stderr
