"""The recorded scenarios on the command line: the same steps, provider calls, states, outputs and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RUN = ROOT.parent / "shared" / "conformance" / "run.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RUN.exists(), reason="the recorded scenarios are not beside this checkout"),
]


@pytest.mark.parametrize(
    "scenarios",
    [
        pytest.param(("chain", "replace", "components", "secrets", "failure", "invalid"), id="first"),
        pytest.param(
            ("aliases", "delete_before_replace", "drift", "options", "protect", "transforms"),
            id="second",
            marks=pytest.mark.torture,
        ),
    ],
)
def test_the_engine_does_what_was_recorded(scenarios: tuple[str, ...]) -> None:
    dataops = Path(sys.executable).with_name("dataops")
    venv = Path(sys.prefix)
    played = subprocess.run(
        [sys.executable, str(RUN), "check", "--command", f"{dataops} stack", "--venv", str(venv), *scenarios],
        capture_output=True,
        text=True,
    )
    assert played.returncode == 0, played.stdout + played.stderr
