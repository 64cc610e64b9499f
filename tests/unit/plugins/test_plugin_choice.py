"""Which plugin is taken for a package: the same that the Pulumi CLI takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.providers.plugin_binary import find_plugin
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from support.plugins import install


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for version in ("1.9.0", "1.10.0", "1.11.0-alpha.1"):
        install(tmp_path / "home" / "plugins" / f"resource-world-v{version}", program="exit")
    return tmp_path / "home"


def chosen(home: Path, version: str = "", **environment: str) -> str | None:
    found = find_plugin("world", version, {"PULUMI_HOME": str(home), "PATH": "", **environment})
    return found.parent.name if found else None


def test_without_a_version_the_newest_release_is_taken(home: Path) -> None:
    assert chosen(home) == "resource-world-v1.10.0"


@pytest.mark.parametrize(
    ("version", "folder"),
    [
        ("1.9.0", "resource-world-v1.9.0"),
        ("v1.9.0", "resource-world-v1.9.0"),
        ("1.11.0-alpha.1", "resource-world-v1.11.0-alpha.1"),
        ("1.9.1", None),
        ("1.11.0", None),
    ],
)
def test_a_version_is_taken_exactly(home: Path, version: str, folder: str | None) -> None:
    assert chosen(home, version) == folder


def test_of_previews_the_newest_is_taken_where_there_is_no_release(tmp_path: Path) -> None:
    for preview in ("alpha.2", "alpha.10", "alpha.10+abc", "beta"):
        install(tmp_path / "plugins" / f"resource-world-v1.0.0-{preview}", program="exit")
    assert chosen(tmp_path) == "resource-world-v1.0.0-beta"
    assert chosen(tmp_path, "1.0.0-alpha.10") in (
        "resource-world-v1.0.0-alpha.10",
        "resource-world-v1.0.0-alpha.10+abc",
    )
    install(tmp_path / "plugins" / "resource-world-v0.9", program="exit")
    assert chosen(tmp_path) == chosen(tmp_path, "0.9.0") == "resource-world-v0.9"


def test_a_half_installed_plugin_is_none(home: Path) -> None:
    (home / "plugins" / "resource-world-v1.10.0.partial").touch()
    assert chosen(home) == "resource-world-v1.9.0"


def test_one_on_path_comes_first_unless_it_is_not_to_be_looked_at(home: Path, tmp_path: Path) -> None:
    install(tmp_path / "bin", program="exit")
    assert chosen(home, "1.9.0", PATH=str(tmp_path / "bin")) == "bin"
    for said, folder in (("true", "resource-world-v1.9.0"), ("1", "resource-world-v1.9.0"), ("false", "bin")):
        environment = {"PATH": str(tmp_path / "bin"), "PULUMI_IGNORE_AMBIENT_PLUGINS": said}
        assert chosen(home, "1.9.0", **environment) == folder


@pytest.mark.parametrize("said", ["world", "world:", "world:none", "world:70000"])
def test_an_attachment_without_a_port_is_refused(tmp_path: Path, said: str) -> None:
    context = ProviderContext("world", root=tmp_path, environment={"PULUMI_DEBUG_PROVIDERS": f"other:1,{said}"})
    with pytest.raises(ResourceError, match="is no port"):
        ProviderRegistry().provide(context)


def test_what_the_project_names_comes_before_everything(home: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    install(project / "mine", program="exit")
    file = project / "Pulumi.yaml"
    file.write_text(
        "name: p\nruntime: python\nplugins:\n  providers:\n    - {name: world, path: mine, version: 2.0.0}\n"
    )
    environment = {"PULUMI_HOME": str(home), "PATH": ""}
    (project / "stacks").mkdir()
    named = find_plugin("world", "2.0.0", environment, project / "stacks")
    assert named == project / "mine" / "pulumi-resource-world"
    other = find_plugin("world", "1.9.0", environment, project)
    assert other and other.parent.name == "resource-world-v1.9.0"
    (project / "mine" / "pulumi-resource-world").unlink()
    with pytest.raises(ResourceError, match="neither a program"):
        find_plugin("world", "", environment, project)


def test_one_that_is_not_there_is_never_fetched_but_its_command_is_told(tmp_path: Path) -> None:
    environment = {"PULUMI_HOME": str(tmp_path), "PATH": ""}
    context = ProviderContext(
        "world", "1.2.3", root=tmp_path, environment=environment, download_url="https://example.com/plugins"
    )
    with pytest.raises(ResourceError, match="'world' of version 1.2.3") as raised:
        ProviderRegistry().provide(context)
    told = "`pulumi plugin install resource world v1.2.3 --server https://example.com/plugins`"
    assert raised.value.hint and told in raised.value.hint
