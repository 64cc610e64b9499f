"""What a journal folds into."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.state.fold import Fold, features_of
from support.stacks import urn


def resource(name: str, **fields: Any) -> dict[str, Any]:
    return {"urn": urn(name), "custom": True, "id": f"id-{name}", "type": "test:index:Thing", **fields}


def base(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"manifest": {}, "resources": list(resources), "metadata": {}, **fields}


def fold(start: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    folded = Fold(start)
    for entry in entries:
        folded.add(entry)
    return folded.deployment()


def ids(deployment: dict[str, Any]) -> list[str]:
    return [r["id"] for r in deployment.get("resources", ())]


A, B, C = resource("a"), resource("b"), resource("c")


def test_what_the_update_recorded_comes_before_what_it_left_of_the_base() -> None:
    new = resource("new")
    folded = fold(
        base(A, B),
        {"kind": "success", "operation": 1, "state": new},
        {"kind": "success", "operation": 2, "state": B, "removes_base": 1},
    )
    assert ids(folded) == ["id-new", "id-b", "id-a"]


def test_a_failure_changes_nothing_and_ends_the_operation() -> None:
    begin = {"kind": "begin", "operation": 1, "state": B, "pending": "updating"}
    assert fold(base(A), begin)["pending_operations"] == [{"resource": B, "type": "updating"}]
    folded = fold(base(A), begin, {"kind": "failure", "operation": 1, "state": B})
    assert ids(folded) == ["id-a"]
    assert "pending_operations" not in folded


def test_a_creation_that_is_pending_in_the_base_stays() -> None:
    pending = [{"resource": A, "type": "creating"}, {"resource": B, "type": "importing"}]
    assert fold(base(pending_operations=pending))["pending_operations"] == pending[:1]


def test_what_is_pending_on_a_resource_of_the_base_stays_until_the_update_comes_to_that_resource() -> None:
    """Else an update killed early would take a deletion for undone that another one, killed before, had performed."""
    pending = {"resource": B, "type": "deleting"}
    start = base(A, B, pending_operations=[pending])
    begin = {"kind": "begin", "operation": 1, "state": B, "pending": "updating"}
    assert fold(start, {"kind": "success", "operation": 1, "removes_base": 0})["pending_operations"] == [pending]
    assert fold(start, begin)["pending_operations"] == [{"resource": B, "type": "updating"}]
    for known in (
        [{"kind": "success", "operation": 1, "removes_base": 1}],
        [{"kind": "success", "operation": 1, "state": B, "removes_base": 1}],
        [{"kind": "refresh", "operation": 1, "state": B, "removes_base": 1}],
        [{"kind": "success", "operation": 1, "marks_base_pending_replacement": 1}],
        [begin, {"kind": "failure", "operation": 1}],
    ):
        assert "pending_operations" not in fold(start, *known), known


def test_a_replacement_marks_the_old_one_and_then_removes_it() -> None:
    new = resource("a", id="id-2")
    created = {"kind": "success", "operation": 1, "state": new, "marks_base_deleted": 0}
    folded = fold(base(A), created)
    assert [(r["id"], r.get("delete", False)) for r in folded["resources"]] == [("id-2", False), ("id-a", True)]
    assert ids(fold(base(A), created, {"kind": "success", "operation": 2, "removes_base": 0})) == ["id-2"]


def test_a_resource_deleted_before_its_replacement_is_marked_until_it_comes() -> None:
    gone = {"kind": "success", "operation": 1, "marks_base_pending_replacement": 0}
    assert fold(base(A), gone)["resources"] == [{**A, "pendingReplacement": True}]
    new = resource("a", id="id-2")
    assert ids(fold(base(A), gone, {"kind": "success", "operation": 2, "state": new, "removes_base": 0})) == ["id-2"]


def test_resources_of_this_update_can_be_marked_and_removed_too() -> None:
    made = {"kind": "success", "operation": 1, "state": A}
    marked = {"kind": "success", "operation": 2, "state": B, "marks_operation_deleted": 1}
    assert fold(base(), made, marked)["resources"] == [{**A, "delete": True}, B]
    assert ids(fold(base(), made, marked, {"kind": "success", "operation": 3, "removes_operation": 1})) == ["id-b"]
    waiting = {"kind": "success", "operation": 2, "marks_operation_pending_replacement": 1}
    assert fold(base(), made, waiting)["resources"] == [{**A, "pendingReplacement": True}]


def test_outputs_replace_a_resource_where_it_stands() -> None:
    told = {**A, "outputs": {"x": 1}}
    made = ({"kind": "success", "operation": 1, "state": A}, {"kind": "success", "operation": 2, "state": B})
    outputs = {"kind": "outputs", "operation": 3, "state": told, "removes_operation": 1}
    assert fold(base(), *made, outputs)["resources"] == [told, B]
    kept = {"kind": "outputs", "operation": 3, "state": told, "removes_base": 0}
    assert fold(base(A, B), kept)["resources"] == [told, B]


def test_a_refresh_keeps_places_and_forgets_what_is_gone() -> None:
    child = resource("c", parent=A["urn"], dependencies=[A["urn"], B["urn"]], propertyDependencies={"x": [A["urn"]]})
    seen = {**B, "outputs": {"x": 2}}
    folded = fold(
        base(A, B, child),
        {"kind": "refresh", "operation": 1, "removes_base": 0},
        {"kind": "refresh", "operation": 2, "state": seen, "removes_base": 1},
    )
    assert folded["resources"] == [seen, resource("c", dependencies=[B["urn"]])]


def test_a_delete_after_a_refresh_wins() -> None:
    seen = {"kind": "refresh", "operation": 1, "state": {**A, "id": "seen"}, "removes_base": 0}
    assert ids(fold(base(A), seen, {"kind": "success", "operation": 2, "removes_base": 0})) == []


def test_after_a_rebase_indices_count_in_the_new_base() -> None:
    folded = fold(
        base(A, B),
        {"kind": "refresh", "operation": 1, "removes_base": 0},
        {"kind": "rebase"},
        {"kind": "success", "operation": 2, "state": C, "removes_base": 0},
    )
    assert ids(folded) == ["id-c"]


def test_references_follow_aliases_and_aliases_go() -> None:
    old, provider = urn("old"), f"{urn('old')}::some-id"
    user = resource("user", dependencies=[old], propertyDependencies={"x": [old]}, provider=provider, deletedWith=old)
    renamed = resource("new", aliases=[old])
    folded = fold(base(user), {"kind": "success", "operation": 1, "state": renamed})
    assert folded["resources"] == [
        resource("new"),
        resource(
            "user",
            dependencies=[urn("new")],
            propertyDependencies={"x": [urn("new")]},
            provider=f"{urn('new')}::some-id",
            deletedWith=urn("new"),
        ),
    ]


def test_a_child_follows_its_renamed_parent() -> None:
    parent = urn("group", "my:New")
    child = {"urn": urn("kid", "my:Old$my:Kid"), "type": "my:Kid", "custom": False, "parent": urn("group", "my:Old")}
    grown = {"urn": parent, "type": "my:New", "custom": False, "aliases": [urn("group", "my:Old")]}
    folded = fold(base(child), {"kind": "success", "operation": 1, "state": grown})
    assert folded["resources"][1]["urn"] == urn("kid", "my:New$my:Kid")
    assert folded["resources"][1]["parent"] == parent


def test_unknown_parts_of_a_deployment_are_carried_along() -> None:
    assert fold(base(A, snippets=[{"uuid": "1"}]))["snippets"] == [{"uuid": "1"}]


def test_features_are_told() -> None:
    assert features_of(base(A)) == []
    assert features_of(base({**A, "taint": True}, {**B, "replaceWith": ["u"]})) == ["replaceWith", "taint"]


@given(st.lists(st.sampled_from(["same", "delete", "leave", "update"]), max_size=12))
def test_every_base_resource_is_there_once_or_deleted(plan: list[str]) -> None:
    start = base(*(resource(str(n)) for n in range(len(plan))))
    before = [dict(r) for r in start["resources"]]
    folded = Fold(start)
    for index, what in enumerate(plan):
        if what == "delete":
            folded.add({"kind": "success", "operation": index + 1, "removes_base": index})
        elif what != "leave":
            state = resource(str(index), outputs={"n": index}) if what == "update" else before[index]
            folded.add({"kind": "success", "operation": index + 1, "state": state, "removes_base": index})
    expected = sorted(f"id-{n}" for n, what in enumerate(plan) if what != "delete")
    assert sorted(ids(folded.deployment())) == expected
    assert start["resources"] == before
