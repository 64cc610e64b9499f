from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.registry import EnvironmentRecord, Registry, State, find_record
from dataops.infra.errors import ConfigurationError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout


def record(name: str = "feature-x") -> EnvironmentRecord:
    return EnvironmentRecord(
        name=name,
        platform="shop",
        role="replica",
        branch="feature/x",
        commit="c" * 40,
        repository="/repo/.git",
        directory="",
        root=f"/home/platforms/shop-1/environments/{name}",
        backend="file:///repo/.dataops/state",
        project="shop",
        stack=name,
        passphrase={"file": "/repo/.dataops/passphrase"},
    )


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    saved = registry.save(record(), state=State.READY, facts={"pipelines": ["flights"]})
    assert registry.get("feature-x") == saved
    assert saved.created and saved.updated
    assert registry.path("feature-x").stat().st_mode & 0o777 == 0o600


def test_fields_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    document = {**record().to_json(), "colour": "blue"}
    assert EnvironmentRecord.from_json(document) == record()


def test_an_unknown_environment_is_told_with_the_nearest(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save(record("feature-x"))
    with pytest.raises(NotFoundError) as caught:
        registry.get("feature-y")
    assert "feature-x" in str(caught.value.hint)


@pytest.mark.parametrize("content", ["", '{"name": ', "[1]", '{"name": 1}', '{"name": "torn", "state": "odd"}', "\0"])
def test_a_damaged_record_is_told_and_never_taken_for_none(tmp_path: Path, content: str) -> None:
    registry = Registry(tmp_path)
    registry.save(record())
    (tmp_path / "feature-x.lease").write_text("{}")
    (tmp_path / "torn.json").write_text(content)
    assert [r.name for r in registry.all()] == ["feature-x"]
    records, damaged = registry.survey()
    assert [r.name for r in records] == ["feature-x"] and [*damaged] == ["torn"]
    with pytest.raises(VerificationError, match="record of environment torn is damaged") as caught:
        registry.get("torn")
    assert "dataops env up" in str(caught.value.hint)


def test_a_record_of_another_environment_is_damaged(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save(record())
    registry.path("feature-x").rename(registry.path("feature-y"))
    with pytest.raises(VerificationError):
        registry.load("feature-y")


def test_nothing_goes_on_without_the_record_of_production(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save(record())
    registry.path("production").write_text("{")
    with pytest.raises(VerificationError, match="production") as caught:
        registry.all()
    assert "dataops env deploy production" in str(caught.value.hint)


def test_without_a_platform_at_hand_any_may_be_meant_but_not_two(tmp_path: Path) -> None:
    one = PlatformLayout(tmp_path, "shop-11111111")
    two = PlatformLayout(tmp_path, "shop-22222222")
    Registry(one.registry).save(record())
    assert find_record("feature-x", None, tmp_path)[1].name == "feature-x"
    Registry(two.registry).save(record())
    with pytest.raises(ConfigurationError):
        find_record("feature-x", None, tmp_path)
    assert find_record("feature-x", two)[0] == Registry(two.registry)


def test_forgetting_takes_the_drafts_of_killed_writers_along_and_nobody_elses(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save(record("feature-x"))
    for name in ("feature-x.json.77", "feature-x.lease.77", "feature-x-y.json.77"):
        (tmp_path / f".{name}.tmp").touch()
    registry.remove("feature-x")
    assert [path.name for path in tmp_path.iterdir()] == [".feature-x-y.json.77.tmp"]
