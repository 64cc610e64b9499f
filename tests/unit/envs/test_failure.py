"""How an operation that did not come to its end is told, and noted in the environment's record."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.failure import noting_failure
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.infra.errors import CancelledError, ResourceError


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path)
    record = EnvironmentRecord(
        name="feature-x",
        platform="shop",
        role="replica",
        branch="feature/x",
        commit="c" * 40,
        repository="/repo/.git",
        directory="",
        root="/home/platforms/shop-1/environments/feature-x",
        backend="file:///repo/.dataops/state",
        project="shop",
        stack="feature-x",
        passphrase={"file": "/repo/.dataops/passphrase"},
    )
    registry.save(record)
    return registry


@pytest.mark.parametrize(
    ("interruption", "told"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (CancelledError("the engine was"), "the engine was"),
    ],
)
def test_an_interruption_says_how_it_goes_on_whether_or_not_the_engine_ran(
    registry: Registry, interruption: BaseException, told: str
) -> None:
    with pytest.raises(CancelledError) as raised, noting_failure(registry, "feature-x"):
        raise interruption
    error = raised.value
    assert (error.what, error.where, error.exit_code) == (told, "environment feature-x", 8)
    assert "run the command again, it continues from here" in str(error.hint)
    assert "`dataops env down feature-x` removes what is there" in str(error.hint)
    noted = registry.get("feature-x")
    assert (noted.state, noted.failure) == (State.FAILED, told)


def test_any_other_error_is_noted_and_goes_on_as_it_is(registry: Registry) -> None:
    error = ResourceError("no room", hint="make some")
    with pytest.raises(ResourceError) as raised, noting_failure(registry, "feature-x"):
        raise error
    assert raised.value is error and error.hint == "make some"
    assert registry.get("feature-x").failure == "no room"
