"""`kill -9` at any moment at which an update changes the state: nothing is lost, and the next update converges.

A sample of the moments is tried by default, from DATAOPS_SEED, which a run tells at its end; `torture` tries all.
"""

from __future__ import annotations

import collections
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dataops.infra.resources.urn import name_of
from support.graph_program import Node
from support.mortal_updates import MortalUpdates, names_of

pytestmark = pytest.mark.slow

Graph = dict[str, Node]
SAMPLE = 6

CHAIN: Graph = {"a": Node(), "b": Node((0,)), "c": Node((1,)), "d": Node((0, 2))}
TREE: Graph = {
    "g": Node(component=True),
    "a": Node(parent=0),
    "h": Node(component=True, parent=0),
    "b": Node((1,), parent=2),
    "c": Node((3,)),
}
CASES: dict[str, tuple[Graph, Graph]] = {
    "create a chain": ({}, CHAIN),
    "update": (CHAIN, {name: replace(node, value="2") for name, node in CHAIN.items()}),
    "replace": (CHAIN, {**CHAIN, "a": Node(kind="y")}),
    "replace, deleting first": (CHAIN, {**CHAIN, "a": Node(kind="y", first=True), "c": Node((1,), kind="y")}),
    "components": ({}, TREE),
    "change components": (TREE, {**TREE, "a": Node(parent=0, kind="y"), "b": Node((1,), value="2", parent=2)}),
    "delete": (CHAIN, {"a": CHAIN["a"]}),
    "delete all": (TREE, {}),
    "a creation fails": ({"a": Node()}, {"a": Node(value="2"), "b": Node((0,), fail="create"), "c": Node((0,))}),
    "an update fails": (CHAIN, {**CHAIN, "b": Node((0,), value="2", fail="update"), "e": Node()}),
}


def healed(graph: Graph) -> Graph:
    return {name: replace(node, fail="") for name, node in graph.items()}


def check_nothing_is_lost(updates: MortalUpdates) -> None:
    """Each object is recorded, or a pending operation says that it may be there; and the other way round."""
    deployment, objects = updates.deployment(), updates.objects()
    things = [state for state in deployment.resources if state.type == "world:index:Thing"]
    recorded = {state.id for state in things}
    replaceable = {state.id for state in things if state.pending_replacement}
    assert {id_.rpartition("-")[0] for id_ in objects.keys() - recorded} <= names_of(deployment, "creating")
    assert {id_.rpartition("-")[0] for id_ in recorded - objects.keys() - replaceable} <= names_of(
        deployment, "deleting"
    )
    uncertain = names_of(deployment, "updating")
    for state in things:
        if state.id in objects and name_of(state.urn) not in uncertain:
            assert state.outputs["value"] == objects[state.id]["value"]
            assert state.outputs["generation"] == objects[state.id]["generation"]
    seen: set[str] = set()
    for state in deployment.resources:
        assert seen.issuperset({*state.dependencies, *filter(None, [state.parent])})
        seen.add(state.urn)


def check_converged(updates: MortalUpdates, graph: Mapping[str, Node]) -> None:
    """The graph is what is recorded and what exists, but for what a creation of unknown outcome left behind."""
    deployment, objects = updates.deployment(), updates.objects()
    recorded = {name_of(state.urn): state for state in deployment.resources if state.type.startswith("world:")}
    assert recorded.keys() == graph.keys()
    assert not any(state.delete or state.pending_replacement for state in deployment.resources)
    for name, node in graph.items():
        if not node.component:
            held = objects.pop(recorded[name].id)
            assert (held["value"], held["r_kind"]) == (node.value, node.kind)
            names = list(graph)
            assert held["uses"] == [recorded[names[index]].id for index in node.uses]
    assert {id_.rpartition("-")[0] for id_ in objects} <= names_of(deployment, "creating")


def prepare(updates: MortalUpdates, before: Graph) -> Path:
    """A folder with a stack at a graph, to make copies of."""
    updates.begin()
    if before:
        updates.up(before)
    template = updates.folder.with_name("template")
    shutil.rmtree(template, ignore_errors=True)
    shutil.copytree(updates.folder, template)
    return template


def kill(updates: MortalUpdates, template: Path, after: Graph, moment: int, second: int = 0) -> str:
    """Kills one update at one moment and, if asked, the next one as well, then lets one live.

    Returns:
        the moment's name, "" when the update had ended by then.
    """
    shutil.rmtree(updates.folder)
    shutil.copytree(template, updates.folder)
    ended = updates.up(after, kill_at=moment)
    if not ended.killed:
        return ""
    if second:
        updates.up(healed(after), kill_at=second)
    check_nothing_is_lost(updates)
    unknown = names_of(updates.deployment(), "creating")
    last = updates.up(healed(after))
    assert not last.failed
    told = " ".join(last.warnings)
    assert all(f"::{name}, " in told for name in unknown), (unknown, told)
    check_converged(updates, healed(after))
    return ended.killed


def report(kills: collections.Counter[str]) -> None:
    for phase, count in sorted(kills.items()):
        print(f"{count:5} kills: {phase}")
    print(f"{kills.total():5} kills in all")


def test_a_killed_update_loses_nothing_and_the_next_converges(tmp_path: Path) -> None:
    draw = random.Random(int(os.environ["DATAOPS_SEED"]))
    kills: collections.Counter[str] = collections.Counter()
    with MortalUpdates(tmp_path / "stack") as updates:
        for case in draw.sample(sorted(CASES), SAMPLE):
            before, after = CASES[case]
            template = prepare(updates, before)
            phase = kill(updates, template, after, draw.randint(3, 30), draw.choice([0, draw.randint(1, 30)]))
            if phase:
                kills[phase] += 1
    report(kills)
    assert kills


@pytest.mark.torture
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_an_update_may_be_killed_at_every_moment(tmp_path: Path, case: str, twice: bool) -> None:
    before, after = CASES[case]
    draw = random.Random(case)
    kills: collections.Counter[str] = collections.Counter()
    with MortalUpdates(tmp_path / "stack") as updates:
        template = prepare(updates, before)
        moment = 0
        while phase := kill(updates, template, after, moment + 1, draw.randint(1, 30) if twice else 0):
            moment += 1
            kills[phase] += 1
    report(kills)
    assert {"journal, before its fsync", "journal, half written", "journal, after its fsync"} <= kills.keys()
