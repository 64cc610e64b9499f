"""`dataops init`, `validate` and `schema`, as a user types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dataops.cli.main import main
from dataops.infra.platform.loader import load_platform
from support.platform_file import line_of, write_platform
from support.scratch_git import git

ROOT = Path(__file__).parents[3]


def test_init_writes_a_platform_that_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--name", "new-shop", "-C", str(tmp_path)]) == 0
    platform = load_platform(tmp_path)
    assert (platform.name, platform.stores.warehouse.database) == ("new-shop", "new_shop")
    assert (tmp_path / platform.code.requirements).is_file()
    assert "written  dataops.yaml" in capsys.readouterr().out
    compile((tmp_path / "stacks" / "__main__.py").read_text(encoding="utf-8"), "main", "exec")
    compile((tmp_path / "pipelines" / "greet.py").read_text(encoding="utf-8"), "greet", "exec")


def test_init_deploys_from_the_branch_that_is_checked_out(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch", "trunk")
    below = tmp_path / "platform"
    below.mkdir()
    main(["init", "--name", "shop", "-C", str(below)])
    assert load_platform(below).environments.production.branch == "trunk"


def test_init_says_what_to_do_where_there_is_no_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", "--name", "shop", "-C", str(tmp_path)])
    assert "git init --initial-branch main" in capsys.readouterr().out
    assert load_platform(tmp_path).environments.production.branch == "main"


def test_what_init_installs_is_what_dataops_is_tested_with() -> None:
    template = (ROOT / "cli" / "templates" / "requirements.txt.template").read_text(encoding="utf-8")
    ours = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w-]+==[\w.]+)", template, re.MULTILINE)
    assert pins and [pin for pin in pins if f"{pin} " not in ours] == []


def test_init_never_changes_a_file_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mine\n", encoding="utf-8")
    assert main(["init", "--name", "shop", "-C", str(tmp_path), "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kept"] == ["Pulumi.yaml"]
    assert "dataops.yaml" in found["written"]
    assert (tmp_path / "Pulumi.yaml").read_text(encoding="utf-8") == "name: mine\n"


def test_init_refuses_a_name_that_no_platform_can_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--name", "My Shop", "-C", str(tmp_path)]) == 2
    assert "hint:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_validate_says_what_a_valid_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", str(write_platform(tmp_path))]) == 0
    assert "is valid: platform shop, 1 pipeline, 1 service" in capsys.readouterr().out


def test_validate_prints_every_mistake_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_platform(tmp_path, "port: PORT", "prot: PORT")
    assert main(["validate", "-f", str(path)]) == 2
    printed = capsys.readouterr().err
    assert f"error: {path}:{line_of(path, 'prot')}: services.sales-api: unknown key `prot`" in printed
    assert "did you mean `port`?" in printed


def test_validate_gives_mistakes_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_platform(tmp_path, "port: PORT", "prot: PORT")
    assert main(["validate", "-f", str(path), "-o", "json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is False
    assert found["problems"][0] == {
        "line": line_of(path, "prot"),
        "location": "services.sales-api",
        "what": "unknown key `prot`",
        "hint": "did you mean `port`?",
    }


def test_validate_warns_of_a_dataset_without_masking_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_platform(tmp_path, "    marts.sales:\n      keep: [day, total]\n", "")
    assert main(["validate", "-f", str(path)]) == 0
    assert "warning: warehouse:marts.sales has no masking rules" in capsys.readouterr().err


def test_schema_prints_the_published_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    published = Path(__file__).parents[3] / "docs" / "dataops.schema.json"
    assert capsys.readouterr().out == published.read_text(encoding="utf-8")
