"""Stacks are made, listed, selected, tagged and removed; the selection is where the `pulumi` command keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.console import Console, SameProcess, project

pytestmark = pytest.mark.slow


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return project(tmp_path / "shop", kind=SameProcess)


def names(console: Console) -> list[str]:
    return [found["name"] for found in console.stack("ls", "--json").json]


def test_a_new_stack_is_selected_and_listed(console: Console) -> None:
    assert console.stack("init", "dev", "--non-interactive").stderr == "Created stack 'dev'\n"
    console.stack("init", "test", "--no-select")
    listed = console.stack("ls", "--json").json
    assert [(found["name"], found["current"], found["resourceCount"]) for found in listed] == [
        ("dev", True, 0),
        ("test", False, 0),
    ]
    assert "dev*" in console.stack("ls").stdout


def test_the_selection_is_in_the_workspace_file(console: Console) -> None:
    console.stack("init", "dev")
    (path,) = (Path(console.variables["PULUMI_HOME"]) / "workspaces").iterdir()
    assert path.name.startswith("shop-")
    assert json.loads(path.read_text()) == {
        "stacks": {console.variables["PULUMI_BACKEND_URL"]: "organization/shop/dev"}
    }
    console.stack("unselect")
    assert console.run("stack", "history").status == 6


def test_the_option_comes_before_the_variable_and_that_before_the_selection(console: Console) -> None:
    for name in ("one", "two", "three"):
        console.stack("init", name)
    assert console.stack("--show-name").stdout == "three\n"
    assert console.stack("--show-name", variables={"PULUMI_STACK": "two"}).stdout == "two\n"
    assert console.stack("--show-name", "-s", "one", variables={"PULUMI_STACK": "two"}).stdout == "one\n"


def test_a_stack_is_made_once(console: Console) -> None:
    console.stack("init", "dev")
    again = console.run("stack", "init", "dev")
    assert again.status == 2
    assert "dataops stack select dev" in again.stderr


def test_a_stack_that_does_not_exist_cannot_be_selected_unless_made(console: Console) -> None:
    missing = console.run("stack", "select", "dev")
    assert missing.status == 6
    assert "dataops stack init dev" in missing.stderr
    console.stack("select", "dev", "--create")
    assert names(console) == ["dev"]


@pytest.mark.parametrize("name", ["a b", "../x", "", "x" * 101])
def test_a_name_that_cannot_be_a_stacks_is_refused(name: str, console: Console) -> None:
    assert console.run("stack", "init", name).status == 2


def test_removing_needs_consent_and_takes_the_configuration_along(console: Console) -> None:
    console.stack("init", "dev")
    console.stack("config", "set", "a", "1")
    refused = console.run("stack", "rm", "dev")
    assert refused.status == 2
    assert "--yes" in refused.stderr
    console.stack("rm", "dev", "--yes")
    assert names(console) == []
    assert not (console.folder / "Pulumi.dev.yaml").exists()


def test_another_folder_may_be_named(console: Console, tmp_path: Path) -> None:
    elsewhere = SameProcess(tmp_path / "elsewhere", {"PULUMI_BACKEND_URL": console.variables["PULUMI_BACKEND_URL"]})
    elsewhere.stack("init", "dev", "-C", str(console.folder))
    elsewhere.stack("-C", str(console.folder), "config", "set", "a", "1")
    assert names(console) == ["dev"]
    assert "shop:a" in (console.folder / "Pulumi.dev.yaml").read_text()


def test_without_a_backend_state_lies_beside_the_project(console: Console) -> None:
    console.stack("init", "dev", variables={"PULUMI_BACKEND_URL": None})
    assert (console.folder / ".dataops/state/.pulumi/stacks/shop/dev.json").exists()


def test_the_backend_of_the_project_file_is_relative_to_it(console: Console) -> None:
    console.write("Pulumi.yaml", "name: shop\nruntime: python\nbackend:\n  url: file://./kept\n")
    console.stack("init", "dev", variables={"PULUMI_BACKEND_URL": None})
    assert (console.folder / "kept/.pulumi/stacks/shop/dev.json").exists()


def test_a_backend_that_is_no_folder_is_refused(console: Console) -> None:
    outcome = console.run("stack", "ls", variables={"PULUMI_BACKEND_URL": "https://example.invalid"})
    assert outcome.status == 2
    assert "PULUMI_BACKEND_URL" in outcome.stderr


def test_configuration_is_copied_with_its_secrets_encrypted_anew(console: Console) -> None:
    console.stack("init", "dev")
    console.stack("config", "set", "--secret", "--path", "db.password", "hush")
    console.stack("init", "copy", "--copy-config-from", "dev")
    assert console.stack("config", "get", "--path", "db.password", "-s", "copy").stdout == "hush\n"
    both = [(console.folder / f"Pulumi.{name}.yaml").read_text() for name in ("dev", "copy")]
    assert both[0] != both[1]


def test_tags_are_set_read_listed_and_removed(console: Console) -> None:
    console.stack("init", "dev")
    console.stack("tag", "set", "owner", "analytics")
    assert console.stack("tag", "get", "owner").stdout == "analytics\n"
    assert console.stack("tag", "ls", "--json").json == {"owner": "analytics"}
    console.stack("tag", "rm", "owner")
    assert console.run("stack", "tag", "get", "owner").status == 6


def test_an_exported_state_can_be_imported_again(console: Console) -> None:
    console.stack("init", "dev")
    exported = console.stack("export").stdout
    console.write("state.json", exported)
    console.stack("import", "--file", "state.json")
    assert console.stack("export").json["deployment"].get("resources", []) == []
    for text, said in (("{", "not JSON"), ("[]", "not an exported state")):
        refused = console.run("stack", "import", stdin=text)
        assert refused.status == 2
        assert said in refused.stderr


def test_nobody_to_cancel_and_nothing_to_recover_is_said(console: Console) -> None:
    console.stack("init", "dev")
    assert "Nobody was at work" in console.stack("cancel", "--yes").stderr
    assert "no lost journal" in console.stack("recover").stderr
    assert console.stack("recover", "--json").json == []
