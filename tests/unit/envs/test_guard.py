from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataops.envs.guard import production_addresses, refuse_production
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import PolicyError


def deployed(role: str) -> EnvironmentRecord:
    record = EnvironmentRecord(
        name=role, platform="shop", role=role, branch="main", commit="c", repository="", directory="",
        root=str(Path("/x")), backend="", project="shop", stack=role, passphrase={},
    )  # fmt: skip
    facts = {"warehouse": {"port": 15432}, "services": {"api": {"port": 18000, "url": "http://127.0.0.1:18000"}}}
    return replace(record, facts=facts)


def test_what_production_publishes_is_off_limits_and_what_replicas_publish_is_not() -> None:
    found = production_addresses([deployed("production"), deployed("replica")])
    assert found == ("127.0.0.1:15432", "127.0.0.1:18000", "localhost:15432", "localhost:18000")
    assert production_addresses([deployed("replica")]) == ()


def test_a_variable_that_points_at_production_is_named_without_its_value() -> None:
    with pytest.raises(PolicyError) as caught:
        refuse_production({"FEED": "postgresql://u:hunter2@db.example.com/x"}, ["db.example.com"], "dataops.yaml")
    assert "FEED" in caught.value.what and "hunter2" not in str(caught.value)


def test_other_variables_pass() -> None:
    refuse_production({"GREETING": "hello", "PORT": "15432"}, ["127.0.0.1:15432", ""], "dataops.yaml")
