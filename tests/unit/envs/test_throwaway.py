"""Throwaway replicas: a name that nothing else has, state of their own, and no claim on a branch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dataops.envs.checkout import Checkout
from dataops.envs.naming import check_name
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.up import environment_name
from dataops.envs.verification.throwaway import throwaway_name
from support.platform_file import PLATFORM_TEXT
from support.scratch_git import repository


def checkout(tmp_path: Path) -> Checkout:
    return Checkout.find(repository(tmp_path / "repo", {"dataops.yaml": PLATFORM_TEXT}), tmp_path / "home")


def test_names_are_valid_and_different_however_long_the_branch_is() -> None:
    for branch in ("main", "feature/x", "feature/" + "very-long-" * 9, "Ünïcode_Branch", "production"):
        names = {throwaway_name(branch) for _ in range(20)}
        assert len(names) == 20 and all(check_name(name).startswith("verify-") for name in names)


def test_the_environment_of_a_branch_is_never_one_that_a_verification_made(tmp_path: Path) -> None:
    here = checkout(tmp_path)
    record = EnvironmentRecord(
        name="verify-feature-x-0a0a0a", platform="shop", role="replica", branch="feature/x", commit="c", repository="r",
        directory="", root="/r", backend="", project="shop", stack="s", passphrase={}, purpose="verify",
    )  # fmt: skip
    Registry(here.layout.registry).save(record)
    assert environment_name("feature/x", here) == "feature-x"
    Registry(here.layout.registry).save(replace(record, purpose=""))
    assert environment_name("feature/x", here) == "verify-feature-x-0a0a0a"


def test_state_and_passphrase_of_one_lie_in_its_own_folder(tmp_path: Path) -> None:
    here = checkout(tmp_path)
    root = here.layout.environment("verify-x").root
    apart = replace(here, apart=root)
    assert apart.backend_url == f"file://{root}/.dataops/state"
    assert apart.passphrase_source == {"file": f"{root}/.dataops/passphrase"}
    assert apart.layout == here.layout and here.backend_url.startswith(f"file://{tmp_path}/repo")
