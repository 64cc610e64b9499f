from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.envs.naming import FIXED, LONGEST, check_name, name_for, slug
from dataops.infra.errors import ConfigurationError

BRANCHES = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=120)


def test_a_plain_branch_gives_its_slug() -> None:
    assert slug("feature/x") == "feature-x"
    assert slug("main") == "main"


@pytest.mark.parametrize("branch", ["Feature/X", "feature_x", "feature.x", "fix/ümlaut", "a" * 41, "x--y", "-x"])
def test_a_branch_that_loses_something_gets_a_suffix(branch: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{6}", slug(branch))


@pytest.mark.parametrize("branch", FIXED)
def test_a_branch_never_gives_the_name_of_a_deployed_environment(branch: str) -> None:
    assert slug(branch) not in FIXED


@given(BRANCHES)
def test_every_branch_gives_a_valid_name(branch: str) -> None:
    name = slug(branch)
    assert check_name(name) == name and len(name) <= LONGEST and name not in FIXED


@given(st.lists(BRANCHES, unique=True, max_size=6))
def test_different_branches_get_different_environments(branches: list[str]) -> None:
    taken: dict[str, str] = {}
    for branch in branches:
        taken[name_for(branch, taken)] = branch
    assert sorted(taken.values()) == sorted(branches)


def test_a_branch_keeps_the_environment_it_has() -> None:
    assert name_for("feature/x", {"feature-x": "feature-x"}) != "feature-x"
    assert name_for("feature/x", {"feature-x": "feature/x"}) == "feature-x"
    assert name_for("main", {"production": "main"}) == "main"


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a-", "x" * 41])
def test_names_that_could_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        check_name(name)
