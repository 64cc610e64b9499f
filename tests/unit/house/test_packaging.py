"""The wheel holds what the checkout holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("cli", "envs", "infra", "services", "snapshots", "stacks", "testing")


def test_every_package_folder_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        "dataops." + ".".join(init.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
        if "templates" not in init.parts
    }
    assert set(listed) == found


def test_every_folder_has_its_link_for_type_checkers_and_its_marker() -> None:
    for folder in FOLDERS:
        link = ROOT / ".types" / "dataops" / folder
        assert link.is_symlink() and link.resolve() == ROOT / folder
        assert (ROOT / folder / "py.typed").is_file()


def test_every_module_folder_is_a_package() -> None:
    modules = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py") if "templates" not in p.parts]
    assert modules
    assert [p for p in modules if not (p.parent / "__init__.py").is_file()] == []


def test_pinned_requirements_carry_hashes_and_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-all.txt"):
        text = (ROOT / name).read_text()
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins and all("==" in line for line in pins)
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
