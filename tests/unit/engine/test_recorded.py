"""Programs whose course on the Pulumi engine is recorded: the same steps, provider calls, states and exit codes.

A sample is played by default, from DATAOPS_SEED, which a run tells at its end; `torture` plays all.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import pytest

from support.recorded_course import PROGRAMS, SCENARIOS, differences, play

SAMPLE = 4


def found_in(scenario: str) -> list[str]:
    """What our engine does otherwise than recorded."""
    wanted = json.loads((PROGRAMS / scenario / "recorded.json").read_text())
    dataops = str(Path(sys.executable).with_name("dataops"))
    return differences(wanted, play(scenario, [dataops, "stack"], Path(sys.prefix)))


@pytest.mark.slow
def test_the_engine_does_what_pulumi_did_in_a_sample_of_programs() -> None:
    drawn = random.Random(int(os.environ["DATAOPS_SEED"])).sample(SCENARIOS, SAMPLE)
    found = {scenario: lines for scenario in drawn if (lines := found_in(scenario))}
    assert not found, json.dumps(found, indent=1)


@pytest.mark.torture
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_engine_does_what_pulumi_did(scenario: str) -> None:
    found = found_in(scenario)
    assert not found, "\n".join(found)
