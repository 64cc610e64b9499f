"""Many developers at once: replicas of different branches come up side by side and go side by side."""

from __future__ import annotations

import json

import pytest

from dataops.snapshots.golden import remove_golden
from support.mortal_environments import check_gone, contents
from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow


def at_once(shop: ScratchPlatform, commands: list[tuple[str, ...]]) -> list[str]:
    """Runs commands side by side, all of which have to end well; gives what each printed."""
    running = [shop.start(*words) for words in commands]
    printed = []
    for words, process in zip(commands, running, strict=True):
        out, said = process.communicate(timeout=900)
        assert process.returncode == 0, f"{' '.join(words)}\n{out}\n{said}"
        assert "took over" not in said and "Traceback" not in said, said
        printed.append(out)
    return printed


def many(shop: ScratchPlatform, prefix: str, count: int) -> None:
    branches = [f"{prefix}/{number:02}" for number in range(count)]
    names = [branch.replace("/", "-") for branch in branches]
    for branch in branches:
        shop.branch(branch)
    # the first replica of a snapshot has its golden directory built: here all of them wait for whoever came first
    for golden in shop.home.glob("platforms/*/golden/[!.]*"):
        remove_golden(golden)
    made = [json.loads(text) for text in at_once(shop, [("env", "up", "-b", b, "-o", "json") for b in branches])]
    assert [(m["name"], m["state"]) for m in made] == [(name, "ready") for name in names]
    ports = [m["warehouse"]["port"] for m in made] + [m["urls"]["sales-api"] for m in made]
    assert len(set(ports)) == 2 * count
    listed = shop.do("env", "ls", "-o", "json").json
    assert [e["name"] for e in listed] == [*names, "production"]
    assert all(e["state"] == "ready" and not e["interrupted"] and e["locked_by"] is None for e in listed)
    assert all(part["answers"] for e in listed for part in e["parts"])
    held = [contents(shop, name) for name in (names[0], names[-1])]
    assert held[0].tables == held[1].tables and held[0].resources == held[1].resources
    at_once(shop, [("env", "down", name, "--yes") for name in names])
    for name in names:
        check_gone(shop, name)


def test_six_replicas_come_up_at_once_and_go_at_once(shop: ScratchPlatform) -> None:
    many(shop, "alpha", 6)


@pytest.mark.torture
def test_twenty_replicas_come_up_at_once_and_go_at_once(shop: ScratchPlatform) -> None:
    many(shop, "beta", 20)
