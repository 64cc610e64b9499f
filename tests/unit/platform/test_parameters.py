"""Parameters travel to the program as stack configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.parameters import EnvironmentParameters


def replica() -> EnvironmentParameters:
    return EnvironmentParameters(
        environment="feature-x",
        role="replica",
        repository=Path("/repo"),
        commit="a" * 40,
        home=Path("/home/dataops"),
        directory="shop-12345678",
        branch="feature/x",
        subdirectory="platform",
        snapshot="20260101T000000-abc",
        developer="ada",
        production_hosts=("127.0.0.1:5433", "db.example.com"),
    )


def test_configuration_carries_every_parameter() -> None:
    config = replica().to_config()
    assert config["dataops:environment"] == "feature-x"
    assert EnvironmentParameters.from_config(config) == replica()


def test_other_configuration_is_ignored() -> None:
    assert EnvironmentParameters.from_config({**replica().to_config(), "shop:size": "3"}) == replica()


def test_the_platform_lies_in_its_folder_of_the_worktree() -> None:
    assert replica().root == Path(
        "/home/dataops/platforms/shop-12345678/environments/feature-x/code/aaaaaaaaaaaa/platform"
    )


def test_a_missing_parameter_is_named() -> None:
    config = replica().to_config()
    del config["dataops:commit"]
    with pytest.raises(ConfigurationError, match="lacks `dataops:commit`"):
        EnvironmentParameters.from_config(config)


@pytest.mark.parametrize(("key", "value"), [("role", "test"), ("target", "moon")])
def test_an_unknown_role_or_target_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=value):
        EnvironmentParameters.from_config({**replica().to_config(), f"dataops:{key}": value})


def test_a_replica_without_a_snapshot_begins_empty() -> None:
    config = replica().to_config()
    del config["dataops:snapshot"]
    found = EnvironmentParameters.from_config(config)
    assert (found.snapshot, found.warehouse_data, found.lake_data) == ("", "/0", "/0")
