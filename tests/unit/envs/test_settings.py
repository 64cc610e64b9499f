"""Where settings come from: option over variable over dataops.yaml over git over default."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.file_keys import SECRET, hide, parse_path, value_at
from dataops.envs.settings import LAYERS, SETTINGS, resolve, value_of
from dataops.envs.surroundings import Surroundings
from dataops.infra.errors import ConfigurationError, NotFoundError
from support.platform_file import line_of, write_platform
from support.scratch_git import git, repository


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    return repository(tmp_path / "platform", {"README": "a platform\n"})


def test_each_source_overrides_those_below_it(folder: Path) -> None:
    assert resolve("parallel", Surroundings(folder, {})).value == 16
    git(folder, "config", "dataops.parallel", "2")
    assert resolve("parallel", Surroundings(folder, {})).source == "git"
    path = write_platform(folder, "name: shop\n", "name: shop\ndefaults: {parallel: 3}\n")
    by_file = resolve("parallel", Surroundings(folder, {}))
    assert (by_file.value, by_file.where) == (3, f"{path}:{line_of(path, 'defaults')}")
    by_variable = resolve("parallel", Surroundings(folder, {"DATAOPS_PARALLEL": "4"}))
    assert (by_variable.value, by_variable.where) == (4, "DATAOPS_PARALLEL")
    by_flag = resolve("parallel", Surroundings(folder, {"DATAOPS_PARALLEL": "4"}), 5)
    assert (by_flag.value, by_flag.source) == (5, "flag")
    assert [(c.layer, c.value) for c in by_flag.candidates] == list(zip(LAYERS, (5, "4", 3, "2", "16"), strict=True))


def test_an_absent_option_decides_nothing_but_a_given_default_does(folder: Path) -> None:
    around = Surroundings(folder, {"DATAOPS_OUTPUT": "json"})
    assert value_of("output", around, None) == "json"
    assert value_of("output", around, "table") == "table"


def test_git_says_which_branch_is_checked_out_and_its_configuration_comes_first(folder: Path) -> None:
    git(folder, "switch", "--quiet", "--create", "feature/x")
    assert resolve("branch", Surroundings(folder, {})).value == "feature/x"
    git(folder, "config", "dataops.branch", "other")
    found = resolve("branch", Surroundings(folder, {}))
    assert found.value == "other" and found.where.endswith(".git/config")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, "false"), ({"CI": "true"}, "true"), ({"CI": "false"}, "false"), ({"DATAOPS_NON_INTERACTIVE": "1"}, "true"),
     ({"CI": "1", "DATAOPS_NON_INTERACTIVE": "no"}, "false")],
)  # fmt: skip
def test_a_ci_never_asks_unless_told_to(folder: Path, variables: dict[str, str], expected: str) -> None:
    assert value_of("non-interactive", Surroundings(folder, variables)) == expected


def test_a_value_that_cannot_be_is_told_with_its_source(folder: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        value_of("output", Surroundings(folder, {"DATAOPS_OUTPUT": "xml"}))
    assert caught.value.where == "DATAOPS_OUTPUT" and "table, json, yaml, md" in caught.value.what
    git(folder, "config", "dataops.parallel", "many")
    with pytest.raises(ConfigurationError, match="a whole number from 1"):
        value_of("parallel", Surroundings(folder, {}))


def test_every_setting_resolves_outside_of_git_and_of_a_platform(tmp_path: Path) -> None:
    around = Surroundings(tmp_path, {})
    assert {resolve(s.key, around).source for s in SETTINGS} == {"default"}


def test_a_key_of_the_file_is_told_with_its_line_or_as_a_default(folder: Path) -> None:
    path = write_platform(folder)
    around = Surroundings(folder, {})
    given = value_at("environments.production.variables.GREETING", around)
    assert (given.value, given.given, given.where) == ("hello", True, f"{path}:{line_of(path, 'GREETING: hello')}")
    assert value_at("pipelines.sales.steps[1].run", around).value == ["python", "-m", "pipelines.load"]
    default = value_at("environments.staging.schedules", around)
    assert (default.value, default.given) == ("run", False)
    with pytest.raises(NotFoundError) as caught:
        value_at("environments.prodction.branch", around)
    assert caught.value.hint == "did you mean `production`?"


def test_secrets_of_the_file_are_not_shown(folder: Path) -> None:
    hidden = "GREETING: hello, API_TOKEN: abc, URL: 'postgres://me:pw@db/x', PLAIN: yes-please"
    write_platform(folder, "GREETING: hello", hidden)
    around = Surroundings(folder, {})
    found = value_at("environments.production", around).value["variables"]
    assert found == {"GREETING": "hello", "API_TOKEN": SECRET, "URL": SECRET, "PLAIN": "yes-please"}
    assert value_at("environments.production.variables.API_TOKEN", around).value == SECRET
    assert hide({"file": ".dataops/passphrase"}, ("passphrase",)) == {"file": ".dataops/passphrase"}


def test_a_key_path_has_words_numbers_and_quoted_keys() -> None:
    assert parse_path('masking.lake["raw/orders.csv"].keep[0]') == ("masking", "lake", "raw/orders.csv", "keep", 0)
    for wrong in ("", "a..b", "a[", "a["):
        with pytest.raises(ConfigurationError):
            parse_path(wrong)
