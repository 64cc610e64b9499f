"""`dataops stack state`, `rename`, `graph`, `change-secrets-provider`, and configuration by the many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.console import Console, SameProcess, project

ROOT = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"
PROVIDER = "urn:pulumi:dev::shop::pulumi:providers:test::default"


def urn(name: str) -> str:
    return f"urn:pulumi:dev::shop::test:index:Thing::{name}"


def thing(name: str, **fields: Any) -> dict[str, Any]:
    common = {"urn": urn(name), "type": "test:index:Thing", "custom": True, "id": f"id-{name}", "parent": ROOT}
    return {**common, "provider": f"{PROVIDER}::p-1", "inputs": {"name": name}, **fields}


RESOURCES = [
    {"urn": ROOT, "type": "pulumi:pulumi:Stack", "custom": False},
    {"urn": PROVIDER, "type": "pulumi:providers:test", "custom": True, "id": "p-1"},
    thing("a", protect=True),
    thing("b", dependencies=[urn("a")], propertyDependencies={"name": [urn("a")]}),
    thing("c"),
]


@pytest.fixture
def console(tmp_path: Path) -> Console:
    console = project(tmp_path / "shop", kind=SameProcess)
    console.stack("init", "dev")
    put(console, RESOURCES)
    return console


def put(console: Console, resources: list[dict[str, Any]]) -> None:
    document = console.stack("export").json
    document["deployment"]["resources"] = resources
    console.stack("import", stdin=json.dumps(document))


def recorded(console: Console) -> dict[str, dict[str, Any]]:
    found = console.stack("export").json["deployment"]["resources"]
    return {resource["urn"]: resource for resource in found}


def test_a_resource_can_be_forgotten_but_not_what_is_protected_or_needed(console: Console) -> None:
    console.stack("state", "delete", urn("c"), "--yes")
    assert urn("c") not in recorded(console)
    refused = console.run("stack", "state", "delete", urn("a"), "--yes")
    assert refused.status == 5 and "protected" in refused.stderr
    needed = console.run("stack", "state", "delete", urn("a"), "--yes", "--force")
    assert needed.status == 5 and f"{urn('b')} depends on it" in needed.stderr
    console.stack("state", "delete", urn("a"), "--yes", "--force", "--target-dependents")
    assert list(recorded(console)) == [ROOT, PROVIDER]


def test_an_import_forgets_what_was_under_way_and_says_so(console: Console) -> None:
    document = console.stack("export").json
    document["deployment"]["pending_operations"] = [{"type": "creating", "resource": thing("z")}]
    done = console.stack("import", stdin=json.dumps(document))
    assert f"{urn('z')} was interrupted while creating" in done.stderr
    assert "pending_operations" not in console.stack("export").json["deployment"]


def test_nothing_is_changed_without_a_yes_or_of_what_is_not_there(console: Console) -> None:
    before = recorded(console)
    assert console.run("stack", "state", "delete", urn("c"), "--non-interactive").status == 2
    unknown = console.run("stack", "state", "delete", "urn:pulumi:dev::shop::test:index:Thin::c", "--yes")
    assert unknown.status == 6 and urn("c") in unknown.stderr
    assert console.run("stack", "state", "protect").status == 2
    assert recorded(console) == before


def test_a_renamed_resource_is_renamed_wherever_it_is_spoken_of(console: Console) -> None:
    console.stack("state", "rename", urn("a"), "z", "--yes")
    found = recorded(console)
    assert found[urn("b")]["dependencies"] == [urn("z")]
    assert found[urn("b")]["propertyDependencies"] == {"name": [urn("z")]}
    assert found[urn("z")]["id"] == "id-a" and urn("a") not in found
    assert console.run("stack", "state", "rename", urn("z"), "b", "--yes").status == 2


def test_protection_and_taint_are_put_on_and_taken_off(console: Console) -> None:
    console.stack("state", "unprotect", "--all", "--yes")
    assert not any(resource.get("protect") for resource in recorded(console).values())
    console.stack("state", "protect", urn("c"), "--yes")
    console.stack("state", "taint", urn("b"), "--yes")
    found = recorded(console)
    assert found[urn("c")]["protect"] and found[urn("b")]["taint"]
    console.stack("state", "untaint", "--all", "--yes")
    assert "taint" not in recorded(console)[urn("b")]
    assert "as it should be" in console.stack("state", "untaint", "--all", "--yes").stderr


def test_a_state_out_of_order_is_repaired(console: Console) -> None:
    put(console, [RESOURCES[3], *RESOURCES[:3], thing("d", dependencies=[urn("gone")])])
    said = console.stack("state", "repair", "--yes").stderr
    assert "which is gone" in said and "stood before" in said
    assert list(recorded(console)) == [ROOT, PROVIDER, urn("a"), urn("d"), urn("b")]
    assert "dependencies" not in recorded(console)[urn("d")]
    assert "Nothing was wrong" in console.stack("state", "repair", "--yes").stderr
    assert "newest layout" in console.stack("state", "upgrade").stderr


def test_a_renamed_stack_keeps_resources_configuration_and_tags(console: Console) -> None:
    console.stack("config", "set", "--secret", "key", "sesame")
    console.stack("tag", "set", "owner", "ann")
    console.stack("rename", "live")
    (summary,) = console.stack("ls", "--json").json
    assert summary["name"] == "live" and summary["current"]
    assert [name.split("::")[0] for name in recorded(console)] == ["urn:pulumi:live"] * 5
    assert "urn:pulumi:live::shop::pulumi:pulumi:Stack::shop-live" in recorded(console)
    assert console.stack("config", "get", "key").stdout == "sesame\n"
    assert console.stack("tag", "get", "owner").stdout == "ann\n"
    console.stack("init", "other")
    assert console.run("stack", "rename", "live", "--stack", "other").status == 2


def test_a_new_passphrase_opens_what_the_old_one_closed(console: Console) -> None:
    console.stack("config", "set", "--secret", "key", "sesame")
    put(console, [{**RESOURCES[0], "outputs": {"k": secret("hush")}}])
    console.stack("change-secrets-provider", "passphrase", variables={"PULUMI_NEW_CONFIG_PASSPHRASE": "new one"})
    assert console.run("stack", "config", "get", "key").status == 3
    new = {"PULUMI_CONFIG_PASSPHRASE": "new one"}
    assert console.stack("config", "get", "key", variables=new).stdout == "sesame\n"
    assert console.stack("output", "k", "--show-secrets", variables=new).stdout == "hush\n"
    other = console.run("stack", "change-secrets-provider", "awskms://key")
    assert other.status == 2 and "pulumi stack change-secrets-provider" in other.stderr


def secret(value: str) -> dict[str, str]:
    signature, kind = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
    return {signature: kind, "plaintext": json.dumps(value)}


def test_the_graph_has_a_node_for_each_resource_and_an_edge_for_each_need(console: Console) -> None:
    console.stack("graph", "stack.dot", "--short-node-name")
    text = (console.folder / "stack.dot").read_text()
    assert text.startswith("strict digraph {") and text.count("[label=") == len(RESOURCES)
    assert 'Resource3 -> Resource2 [color = "#246C60", label = ""];' in text
    console.stack("graph", "bare.dot", "--ignore-parent-edges", "--ignore-dependency-edges")
    assert "->" not in (console.folder / "bare.dot").read_text()


def test_many_values_are_set_copied_and_removed_at_once(console: Console) -> None:
    console.stack("config", "set-all", "--plaintext", "a=1", "--plaintext", "b=x=y", "--secret", "c=hush")
    assert console.stack("config", "--json").json == {
        "shop:a": {"value": "1", "secret": False},
        "shop:b": {"value": "x=y", "secret": False},
        "shop:c": {"secret": True},
    }
    console.stack("config", "set-all", "--path", "--plaintext", "list[0]=7", "--secret", "deep.er=hush")
    console.stack("init", "other", "--no-select")
    console.stack("config", "cp", "c", "--dest", "other")
    assert console.stack("config", "get", "c", "--stack", "other").stdout == "hush\n"
    console.stack("config", "cp", "--dest", "other")
    assert console.stack("config", "get", "--path", "list[0]", "--stack", "other").stdout == "7\n"
    assert console.stack("config", "get", "--path", "deep.er", "--stack", "other").stdout == "hush\n"
    console.stack("config", "rm-all", "a", "b", "never")
    assert set(console.stack("config", "--json").json) == {"shop:c", "shop:list", "shop:deep"}
    assert console.run("stack", "config", "set-all", "--plaintext", "novalue").status == 2


def test_configuration_of_a_stack_without_updates_cannot_be_had_back(console: Console) -> None:
    assert console.run("stack", "config", "refresh").status == 6
    assert console.run("stack", "history", "--diff", "1", "2").status == 6


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[]", "not an exported state"),
        ('{"version": 3}', "not an exported"),
        ("{}", "not an export"),
    ],
)
def test_a_bad_import_is_refused_with_the_reason(console: Console, text: str, why: str) -> None:
    before = recorded(console)
    refused = console.run("stack", "import", stdin=text)
    assert refused.status == 2 and why in refused.stderr
    assert recorded(console) == before
