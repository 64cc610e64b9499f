from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataops.envs.checkout import Checkout
from dataops.envs.guard import forbidden, production_addresses, refuse_configuration, refuse_production
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import PolicyError
from support.platform_file import PLATFORM_TEXT
from support.scratch_git import commit, repository

OFF_LIMITS = ("db.example.com", "127.0.0.1:15432", "s3://prod-lake", "file:///srv/environments/production")
SECRET = "postgresql://u:hunter2@db.example.com/x"
HERE = "postgresql://u:hunter2@localhost:15432/x"


def deployed(role: str, commit_id: str = "c") -> EnvironmentRecord:
    record = EnvironmentRecord(
        name=role, platform="shop", role=role, branch="main", commit=commit_id, repository="", directory="",
        root=str(Path("/x")), backend="", project="shop", stack=role, passphrase={},
    )  # fmt: skip
    facts = {"warehouse": {"port": 15432}, "services": {"api": {"port": 18000, "url": "http://127.0.0.1:18000"}}}
    return replace(record, facts=facts)


def checkout_of(folder: Path, old: str = "", new: str = "", **files: str) -> tuple[Checkout, str]:
    """A repository whose branch `main` has this platform file."""
    assert old in PLATFORM_TEXT
    text = PLATFORM_TEXT.replace(old, new, 1) if old else PLATFORM_TEXT
    repository(folder / "repo", {"dataops.yaml": text, **files})
    checkout = Checkout.find(folder / "repo", folder / "home")
    return checkout, checkout.repository.commit_of("main")


def test_what_production_publishes_is_off_limits_and_what_replicas_publish_is_not() -> None:
    found = production_addresses([deployed("production"), deployed("replica")])
    assert {"127.0.0.1:15432", "127.0.0.1:18000", "file:///x"} <= set(found)
    assert production_addresses([deployed("replica")]) == ()


def test_a_variable_that_points_at_production_is_named_without_its_value() -> None:
    with pytest.raises(PolicyError) as caught:
        refuse_production({"FEED": SECRET}, ["db.example.com"], "dataops.yaml")
    assert "FEED" in caught.value.what and "hunter2" not in str(caught.value)


def test_other_variables_pass() -> None:
    refuse_production({"GREETING": "hello", "PORT": "15432"}, ["127.0.0.1:15432", ""], "dataops.yaml")


@pytest.mark.parametrize(
    ("old", "new", "name", "line"),
    [
        ("{GREETING: hi}", f"\n      FEED: {SECRET}", "the variable FEED", "FEED:"),
        ("{GREETING: hi}", "{FEED_HOST: localhost, FEED_PORT: '15432'}", "the variable FEED_HOST", "FEED_HOST"),
        ("{GREETING: hi}", "{A: b}\n    parameters: {feed: 's3://prod-lake/x'}", "the parameter feed", "feed:"),
        (
            "{GREETING: hi}",
            "{A: b}\n    settings: {primary_conninfo: 'host=::1 port=15432'}",
            "the setting primary_conninfo",
            "primary_conninfo",
        ),
        ("    port: PORT", f"    variables: {{UP: {HERE}}}\n    port: PORT", "sales-api's variable UP", "UP:"),
        ("services.sales_api]", "a, --feed=http://127.0.0.1:15432/]", "of the service sales-api", "--feed"),
        ("pipelines.extract]", f"a, {HERE}]", "of the step sales.extract", "steps:"),
    ],
)
def test_whatever_a_branch_configures_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, name: str, line: str
) -> None:
    checkout, head = checkout_of(tmp_path, old, new)
    with pytest.raises(PolicyError) as caught:
        refuse_configuration(checkout, checkout.platform, "main", head, OFF_LIMITS)
    text = (tmp_path / "repo" / "dataops.yaml").read_text().splitlines()
    number = next(n for n, written in enumerate(text, 1) if line in written)
    assert name in caught.value.what and caught.value.where == f"dataops.yaml:{number} on main"
    assert "hunter2" not in f"{caught.value} {caught.value.details} {caught.value.hint}"


def test_configuration_of_the_teams_program_and_of_the_command_line_is_refused(tmp_path: Path) -> None:
    project = "name: shop\nruntime: python\nconfig:\n  shop:mode: x\n  shop:feed:\n    value: http://db.example.com/\n"
    checkout, head = checkout_of(tmp_path, **{"Pulumi.yaml": project})
    with pytest.raises(PolicyError) as caught:
        refuse_configuration(checkout, checkout.platform, "main", head, OFF_LIMITS)
    assert "shop:feed" in caught.value.what and caught.value.where == "Pulumi.yaml:5 on main"
    with pytest.raises(PolicyError) as caught:
        refuse_configuration(checkout, checkout.platform, "main", head, ["127.0.0.1:15432"], {"FEED": HERE})
    assert "--var FEED" in caught.value.what and "hunter2" not in str(caught.value)


def test_a_platform_that_points_nowhere_passes(tmp_path: Path) -> None:
    checkout, head = checkout_of(tmp_path)
    refuse_configuration(checkout, checkout.platform, "main", head, OFF_LIMITS)


def test_a_branch_cannot_take_an_address_off_the_list(tmp_path: Path) -> None:
    _, first = checkout_of(tmp_path, "productionHosts: []", "productionHosts: [db.example.com]")
    commit(tmp_path / "repo", {"dataops.yaml": PLATFORM_TEXT}, "Forget the host")
    later = Checkout.find(tmp_path / "repo", tmp_path / "home")
    assert "db.example.com" in forbidden(later, later.platform, [deployed("production", first)])
    assert "db.example.com" not in forbidden(later, later.platform, [])
