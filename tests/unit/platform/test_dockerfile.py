"""What code is built by: the platform's own Dockerfile, else one for plain Python code."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.dockerfile import BuildPlan, generated_dockerfile, plan_build


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def test_a_dockerfile_of_the_platform_wins_and_the_one_that_is_named_wins_over_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "Dockerfile", "docker/Dockerfile", "requirements.txt")
    assert plan_build(folder, None, "requirements.txt") == BuildPlan("Dockerfile")
    assert plan_build(folder, "docker/Dockerfile", "requirements.txt") == BuildPlan("docker/Dockerfile")


def test_what_is_named_and_missing_is_told_with_the_key_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Dockerfile") as caught:
        plan_build(tmp_path, "docker/Dockerfile", "requirements.txt")
    assert "code.dockerfile" in (caught.value.hint or "")
    with pytest.raises(ConfigurationError, match=r"no requirements file requirements\.txt") as caught:
        plan_build(tmp_path, None, "requirements.txt")
    assert "code.requirements" in (caught.value.hint or "")


def test_requirements_that_requirements_refer_to_are_in_their_layer(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "req/base.txt", "req/pins.txt", "req/all.txt")
    (folder / "req/all.txt").write_text("-r base.txt\n--constraint=pins.txt  # why\n-r gone.txt\n")
    (folder / "req/base.txt").write_text("-c pins.txt\n-r all.txt\n")
    plan = plan_build(folder, None, "req/all.txt")
    assert plan.requirements == ("req/all.txt", "req/base.txt", "req/pins.txt")
    text = generated_dockerfile("base:1", plan.requirements)
    assert 'COPY ["req/pins.txt", "/requirements/req/"]' in text and "'req/all.txt'" in text


def test_code_comes_after_the_requirements_and_nobody_is_root_in_the_result() -> None:
    stages = generated_dockerfile("base:1", ["requirements.txt"]).split("FROM base:1")
    assert len(stages) == 4 and "COPY . " not in stages[1] and "COPY . " in stages[2]
    assert "RUN" not in stages[3] and "USER 10001:10001" in stages[3]
