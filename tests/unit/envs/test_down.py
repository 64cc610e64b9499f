"""`env down` of an environment whose surroundings are gone or broken; whole ones are in the stories."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataops.cli.wiring import environment_tools
from dataops.envs.down import down
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.envs.sweep import leftovers
from dataops.infra.errors import AuthenticationError, DataopsError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.providers.local.git_worktree import ensure_worktree
from dataops.infra.state.backend import StackReference
from support.scratch_git import git, repository


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with the record of one replica that has code, a folder and a stack."""
    layout = PlatformLayout.of("shop", repository(tmp_path / "repo") / ".git", tmp_path / "home")
    root = layout.environment("feature-x").root
    head = git(tmp_path / "repo", "rev-parse", "HEAD")
    ensure_worktree(tmp_path / "repo", head, layout.environment("feature-x").code(head))
    (tmp_path / "passphrase").write_text("correct horse\n")
    tools = environment_tools()
    backend = tools.backend(f"file://{tmp_path}/state")
    backend.create(StackReference("shop", "feature-x"), tools.secrets("correct horse", ""))
    registry = Registry(layout.registry)
    registry.save(
        EnvironmentRecord(
            name="feature-x", platform="shop", role="replica", branch="feature/x", commit=head,
            repository=str(tmp_path / "repo" / ".git"), directory="", root=str(root), backend=f"file://{tmp_path}/state",
            project="shop", stack="feature-x", passphrase={"file": str(tmp_path / "passphrase")}, state=State.READY,
        )
    )  # fmt: skip
    return registry


def remove(registry: Registry, force: bool = False) -> tuple[str, ...]:
    root = Path(registry.get("feature-x").root)
    report = down("feature-x", registry, environment_tools(), PhaseClock(lambda event: None), force)
    assert leftovers(root, []).lines() == [] and registry.load("feature-x") is None
    return report.notes


def test_a_repository_that_is_gone_is_no_hindrance(registry: Registry, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "repo")
    assert remove(registry) == ()


def test_work_in_the_code_is_kept_also_when_the_repository_is_gone(registry: Registry, tmp_path: Path) -> None:
    (code,) = (path for path in (Path(registry.get("feature-x").root) / "code").iterdir() if path.is_dir())
    (code / "README").write_text("my only copy")
    shutil.rmtree(tmp_path / "repo")
    with pytest.raises(DataopsError, match="edited in place") as raised:
        remove(registry)
    assert raised.value.exit_code == 5 and raised.value.details == "README"
    remove(registry, force=True)


def test_a_state_that_is_gone_is_no_hindrance(registry: Registry, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "state")
    assert "its state is gone" in remove(registry)[0]


def test_a_passphrase_that_is_gone_needs_force(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "passphrase").unlink()
    with pytest.raises(AuthenticationError) as raised:
        remove(registry)
    assert "--force" in (raised.value.hint or "") and registry.get("feature-x").state is State.READY
    assert "could not be opened" in remove(registry, force=True)[0]


def test_a_torn_state_needs_force(registry: Registry, tmp_path: Path) -> None:
    (checkpoint,) = (tmp_path / "state").rglob("feature-x.json")
    checkpoint.write_text(checkpoint.read_text()[:40])
    with pytest.raises(DataopsError) as raised:
        remove(registry)
    assert "--force" in (raised.value.hint or "") and registry.get("feature-x").state is State.READY
    assert "could not be opened" in remove(registry, force=True)[0]


def test_a_root_that_is_a_link_is_removed_and_what_it_leads_to_is_not(registry: Registry, tmp_path: Path) -> None:
    root = Path(registry.get("feature-x").root)
    shutil.rmtree(tmp_path / "repo")
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "state")
    remove(registry)
    assert not root.is_symlink() and (tmp_path / "elsewhere" / "code").is_dir()
