"""Pulumi.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.state.project import find_project

FULL = """\
name: shop
description: Sells things
runtime:
  name: python
  options:
    virtualenv: venv
main: stacks/
stackConfigDir: config
backend:
  url: file://~/state
config:
  size: 3
  aws:region: us-east-1
  count:
    type: integer
    default: 2
  list:
    value: [a, b]
  needed:
    type: string
"""


def test_everything_is_read(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(FULL)
    project = find_project(tmp_path)
    assert (project.name, project.description, project.runtime) == ("shop", "Sells things", "python")
    assert (project.main, project.virtualenv) == (tmp_path / "stacks", tmp_path / "venv")
    assert project.backend_url == "file://~/state"
    assert project.stack_file("dev") == tmp_path / "config/Pulumi.dev.yaml"
    assert project.defaults == {
        "shop:size": "3",
        "aws:region": "us-east-1",
        "shop:count": "2",
        "shop:list": '["a","b"]',
    }


def test_the_nearest_project_upwards_is_found(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: outer\nruntime: python\n")
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    project = find_project(inner)
    assert (project.name, project.root, project.main) == ("outer", tmp_path, tmp_path)
    (tmp_path / "a/Pulumi.yml").write_text("name: inner\nruntime: python\n")
    assert find_project(inner).name == "inner"


def test_no_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no Pulumi.yaml") as told:
        find_project(tmp_path)
    assert "dataops init" in (told.value.hint or "")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "no name"),
        ("name: shop\n", 1, "runtime"),
        ("name: shop\nruntime: nodejs\n", 2, "nodejs"),
        ("name: shop\nruntime:\n  name: python\n  options: x\n", 4, "a mapping"),
        ("name: [shop]\nruntime: python\n", 1, "must be text, it is a list"),
        ("name: shop\nruntime: python\nbackend:\n  url: 5\n", 4, "must be text, it is a number"),
        ("name: shop\nruntime: python\nconfig:\n  k: {secret: true, value: x}\n", 4, "secret"),
        ("name: shop\n\truntime: python\n", 2, "not valid YAML"),
        ("- a\n", 1, "mapping"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=what) as told:
        find_project(tmp_path)
    assert told.value.where == f"{tmp_path}/Pulumi.yaml:{line}"
