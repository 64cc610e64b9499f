from __future__ import annotations

import pytest

from dataops.envs.generations import next_generations
from dataops.envs.phases import PHASE_OF, PHASES, REMADE, check_phase, starting_over
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.engine.targets import UrnPatterns
from dataops.infra.errors import ConfigurationError
from dataops.infra.resources.urn import make_urn


def record(**generations: str) -> EnvironmentRecord:
    return EnvironmentRecord(
        *("x", "shop", "replica", "x", "c" * 40, "/r", "", "/root", "file:///s", "shop", "x"),
        passphrase={},
        generations=generations,
    )


def test_data_stay_as_they_are_unless_a_phase_that_lays_them_is_done_again() -> None:
    assert next_generations(None, "") == {}
    assert next_generations(record(warehouse="3"), "") == {"warehouse": "3"}
    assert next_generations(record(warehouse="3"), "access") == {"warehouse": "3"}


@pytest.mark.parametrize(("phase", "expected"), [("code", ("4", "1")), ("warehouse", ("4", "1")), ("lake", ("3", "1"))])
def test_starting_over_lays_the_data_of_that_phase_and_later_ones_anew(phase: str, expected: tuple[str, str]) -> None:
    found = next_generations(record(warehouse="3"), phase)
    assert (found["warehouse"], found["lake"]) == expected


def test_starting_over_is_about_a_phase_and_the_later_ones_only() -> None:
    remade, redone = (UrnPatterns(patterns) for patterns in starting_over("services"))
    service = make_urn("x", "shop", None, "dataops:local:Service", "api")
    assert service in remade
    assert make_urn("x", "shop", None, "dataops:local:Endpoints", "endpoints") in redone
    for token in ("dataops:local:PostgresCluster", "dataops:components:Service", "aws:s3:Bucket"):
        urn = make_urn("x", "shop", None, token, "api")
        assert urn not in remade and urn not in redone


def test_everything_of_ours_but_the_team_s_own_is_done_again_from_the_first_phase() -> None:
    remade, redone = starting_over(PHASES[0])
    assert len(remade) + len(redone) == len(PHASE_OF) and len(remade) == len(REMADE)
    assert starting_over("") == ((), ())


def test_an_unknown_phase_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_phase("servces")
    assert "did you mean services?" in str(raised.value.hint) and "golden, warehouse, lake" in str(raised.value.hint)
