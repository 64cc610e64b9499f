"""`kill -9` of engine, program and provider in the recorded scenarios: nothing is lost, and the next update converges.

The engine dies before, in the middle of and after each write of journal and checkpoint, the program before, during
and after each registration, the provider before and after each deed; once as the process of dynamic providers, once
as a plugin. By default a sample is tried, from DATAOPS_SEED; `torture` tries all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.kill_table import Victim
from support.mortal_command import MortalCommands
from support.mortal_scenarios import SCENARIOS, Operation, Scenario

pytestmark = pytest.mark.slow

KILLS, PLAYED = 30, 5
"""How many kills are tried by default, and in how many scenarios."""

Record = Callable[[str, object], None]


def kill(scenario: Scenario, operation: Operation, victim: Victim, number: int, record: Record) -> bool:
    """One kill and what must hold after it; whether it hit while there was something to do."""
    struck = scenario.strike(operation, victim, number)
    at = f"{victim} at {number} of {operation.words}"
    command = f"stack {operation.words[0]}"
    if struck is None or struck.over:
        record("kill", [command, victim.value, []])
        return False
    assert struck.end.status != 0
    try:
        scenario.check_nothing_is_lost()
        scenario.check_converges(operation)
    except AssertionError as error:
        raise AssertionError(f"{at}, {struck.moment}: {error}\n{struck.end.said}") from error
    record("kill", [command, victim.value, [str(struck.moment)]])
    return True


if SCENARIOS:

    def test_a_killed_scenario_loses_nothing_and_the_next_run_converges(
        tmp_path: Path, record_property: Record
    ) -> None:
        draw = random.Random(int(os.environ["DATAOPS_SEED"]))
        hits = 0
        with MortalCommands() as commands:
            for number, name in enumerate(draw.sample(SCENARIOS, PLAYED)):
                plugin = number % 2 == 1
                scenario = Scenario(name, tmp_path / name, commands, plugin)
                played = list(scenario.operations())
                provider = Victim.PLUGIN if plugin else Victim.DYNAMIC
                for victim in [Victim.ENGINE, Victim.ENGINE, Victim.PROGRAM, Victim.PROGRAM, provider, provider]:
                    operation = draw.choice([o for o in played if o.choices(victim)])
                    hits += kill(scenario, operation, victim, draw.choice(operation.choices(victim)), record_property)
        assert hits > KILLS // 2

    @pytest.mark.torture
    @pytest.mark.parametrize("victim", [Victim.ENGINE, Victim.PROGRAM, Victim.DYNAMIC, Victim.PLUGIN])
    @pytest.mark.parametrize("name", SCENARIOS)
    def test_a_scenario_may_be_killed_at_every_moment(
        tmp_path: Path, name: str, victim: Victim, record_property: Record
    ) -> None:
        hits = 0
        with MortalCommands() as commands:
            scenario = Scenario(name, tmp_path / name, commands, victim is Victim.PLUGIN)
            for operation in list(scenario.operations()):
                for number in operation.choices(victim):
                    hits += kill(scenario, operation, victim, number, record_property)
        assert hits
