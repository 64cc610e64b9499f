"""`dataops stack state move`: what both stacks hold afterwards, what is refused, and a crash between the two."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.console import Console, SameProcess, project
from support.mortal_command import MortalCommands

ROOT = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"
PROVIDER = "urn:pulumi:dev::shop::pulumi:providers:test::default"
GROUP = "urn:pulumi:dev::shop::test:index:Group::g"
IN_GROUP = "urn:pulumi:dev::shop::test:index:Group$test:index:Thing::c"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def urn(name: str, stack: str = "dev") -> str:
    return f"urn:pulumi:{stack}::shop::test:index:Thing::{name}"


def thing(name: str, **fields: Any) -> dict[str, Any]:
    common = {"urn": urn(name), "type": "test:index:Thing", "custom": True, "id": f"id-{name}", "parent": ROOT}
    return {**common, "provider": f"{PROVIDER}::p-1", "inputs": {"name": name}, **fields}


RESOURCES = [
    {"urn": ROOT, "type": "pulumi:pulumi:Stack", "custom": False},
    {"urn": PROVIDER, "type": "pulumi:providers:test", "custom": True, "id": "p-1", "inputs": {"region": "north"}},
    thing("a", inputs={"name": "a", "key": {**SECRET, "plaintext": '"hush"'}}),
    thing("b", dependencies=[urn("a")], propertyDependencies={"name": [urn("a")], "other": []}),
    {"urn": GROUP, "type": "test:index:Group", "custom": False, "parent": ROOT},
    thing("c", urn=IN_GROUP, parent=GROUP, dependencies=[urn("b")], deletedWith=urn("b"), replaceWith=[urn("a")]),
]


@pytest.fixture
def console(tmp_path: Path) -> Console:
    console = project(tmp_path / "shop", kind=SameProcess)
    console.stack("init", "shared")
    console.stack("init", "dev")
    put(console, "dev", RESOURCES)
    return console


def put(console: Console, stack: str, resources: list[dict[str, Any]]) -> None:
    document = console.stack("export", "--stack", stack).json
    document["deployment"]["resources"] = resources
    console.stack("import", "--force", "--stack", stack, stdin=json.dumps(document))


def recorded(console: Console, stack: str) -> dict[str, dict[str, Any]]:
    found = console.stack("export", "--show-secrets", "--stack", stack).json["deployment"].get("resources") or []
    return {resource["urn"]: resource for resource in found}


def move(console: Console, *words: str, source: str = "dev", dest: str = "shared") -> Any:
    return console.run("stack", "state", "move", "--source", source, "--dest", dest, "--yes", *words)


def test_a_resource_takes_its_secrets_with_it_and_a_copy_of_its_provider(console: Console) -> None:
    done = move(console, urn("a"))
    assert done.status == 0, done.stderr
    assert f"{urn('b')} has a dependency on {urn('a')}" in done.stdout
    assert f"{urn('b')} (name) has a property dependency on {urn('a')}" in done.stdout
    assert f"{IN_GROUP} is marked as replace with {urn('a')}" in done.stdout
    here, there = recorded(console, "dev"), recorded(console, "shared")
    assert urn("a") not in here and PROVIDER in here
    assert not {"dependencies", "propertyDependencies"} & here[urn("b")].keys()
    assert list(there) == [ROOT.replace("dev", "shared"), PROVIDER.replace("dev", "shared"), urn("a", "shared")]
    moved = there[urn("a", "shared")]
    assert moved["id"] == "id-a" and moved["inputs"]["key"]["plaintext"] == '"hush"'
    assert moved["parent"] == ROOT.replace("dev", "shared")
    assert moved["provider"] == f"{PROVIDER.replace('dev', 'shared')}::p-1"
    assert "hush" not in "".join(path.read_text() for path in console.state.rglob("*.json"))


def test_children_go_with_their_parent_and_parents_where_that_is_wanted(console: Console) -> None:
    assert move(console, GROUP).status == 0
    moved = recorded(console, "shared")[IN_GROUP.replace("dev", "shared")]
    assert moved["parent"] == GROUP.replace("dev", "shared")
    assert not {"dependencies", "deletedWith", "replaceWith"} & moved.keys()
    assert move(console, GROUP.replace("dev", "shared"), source="shared", dest="dev").status == 0
    assert move(console, IN_GROUP).status == 0
    assert urn("c", "shared") in recorded(console, "shared"), "its parent is the stack now, which its URN says"
    put(console, "shared", [])
    put(console, "dev", RESOURCES)
    assert move(console, IN_GROUP, "--include-parents").status == 0
    assert GROUP.replace("dev", "shared") in recorded(console, "shared") and GROUP not in recorded(console, "dev")


def test_the_stack_itself_stands_for_everything_in_it(console: Console) -> None:
    before = recorded(console, "dev")
    assert move(console, ROOT).status == 0
    assert list(recorded(console, "dev")) == [ROOT, PROVIDER]
    there = recorded(console, "shared")
    assert list(there) == [name.replace(":dev::", ":shared::").replace("-dev", "-shared") for name in before]
    assert there[urn("b", "shared")]["dependencies"] == [urn("a", "shared")]


def test_what_cannot_be_moved_is_refused_and_nothing_changes(console: Console) -> None:
    before = recorded(console, "dev")
    assert "cannot be moved by itself" in move(console, PROVIDER).stderr
    assert move(console, urn("nothing")).status == 6
    assert move(console, urn("a"), dest="dev").status == 2
    assert move(console, urn("a"), dest="nowhere").status == 6
    assert console.run("stack", "state", "move", urn("a"), "--yes").status == 2
    assert console.run("stack", "state", "move", urn("a"), "--dest", "shared", "--non-interactive").status == 2
    put(console, "shared", [{**thing("a", id="another"), "urn": urn("a", "shared"), "parent": "", "provider": ""}])
    taken = move(console, urn("a"))
    assert taken.status == 2 and urn("a", "shared") in taken.stderr
    other = {"urn": PROVIDER.replace("dev", "shared"), "type": "pulumi:providers:test", "custom": True, "id": "p-2"}
    put(console, "shared", [{**other, "inputs": {"region": "south"}}])
    assert "another provider of that name" in move(console, urn("a")).stderr
    put(console, "shared", [{**other, "inputs": {"region": "north"}}])
    assert recorded(console, "dev") == before
    assert move(console, urn("a"), urn("nothing")).status == 0, "a provider that is just the same will do"
    assert recorded(console, "shared")[urn("a", "shared")]["provider"].endswith("::p-2")


def test_what_stays_must_not_lose_its_parent(console: Console) -> None:
    own = {"urn": GROUP.replace("test:index:Group", "test:index:Group$pulumi:providers:test"), "id": "p-9"}
    put(console, "dev", [*RESOURCES, {**own, "type": "pulumi:providers:test", "custom": True, "parent": GROUP}])
    refused = move(console, GROUP)
    assert refused.status == 5 and own["urn"] in refused.stderr
    assert GROUP in recorded(console, "dev") and recorded(console, "shared") == {}


@pytest.mark.slow
def test_a_move_that_is_killed_at_any_moment_loses_nothing_and_can_be_done_again(
    console: Console, tmp_path: Path
) -> None:
    template, fate = tmp_path / "template", tmp_path / "fate"
    shutil.copytree(console.state, template)
    words = ("stack", "state", "move", "--dest", "shared", "--yes", urn("a"), GROUP)
    ids = {resource["id"] for resource in RESOURCES if "id" in resource}
    kills: list[str] = []
    with MortalCommands() as commands:
        while True:
            shutil.rmtree(console.state)
            shutil.copytree(template, console.state)
            fate.mkdir()
            variables = {**console.variables, "FATE_FOLDER": str(fate), "FATE": f"engine:{len(kills) + 1}"}
            end = commands.run(console.folder, variables, *words)
            if not (fate / "killed").exists():
                assert end.status == 0, end.said
                break
            kills.append((fate / "killed").read_text())
            shutil.rmtree(fate)
            kept = [*recorded(console, "dev").values(), *recorded(console, "shared").values()]
            assert {resource.get("id") for resource in kept} >= ids, kills[-1]
            again = console.run(*words)
            assert again.status in (0, 6), again.stderr
            assert {urn("a"), GROUP, IN_GROUP}.isdisjoint(recorded(console, "dev"))
            assert urn("a", "shared") in recorded(console, "shared")
            assert IN_GROUP.replace("dev", "shared") in recorded(console, "shared")
    assert sum(name.startswith("json,") for name in kills) >= 4, kills
