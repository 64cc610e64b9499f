"""`kill -9` at every change that a capture, a removal or a shredding makes to the store.

Whatever is seen afterwards is whole; the next command goes on, and leaves nothing that nobody needs. By default a
sample is tried, from DATAOPS_SEED, which a run tells at its end; `torture` tries all.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.removal import shredded
from dataops.snapshots.store import list_snapshots
from support.kill_table import Victim
from support.made_snapshots import layout_in
from support.mortal_store import MortalStore
from support.stored_snapshots import all_chunks, check, opened

pytestmark = pytest.mark.slow

SAMPLE = 10
BEFORE = 3
NUMBERS = {"capture": 7, "remove": 1, "shred": 1}


@pytest.fixture(scope="module")
def mortal() -> Iterator[MortalStore]:
    with MortalStore() as made:
        yield made


@pytest.fixture(scope="module")
def filled(mortal: MortalStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with some snapshots, one of which was shredded."""
    folder = tmp_path_factory.mktemp("filled")
    for day in range(BEFORE + 1):
        assert mortal.run("capture", folder, day).status == 0
    assert mortal.run("shred", folder, BEFORE).status == 0
    return folder


def seen(layout: PlatformLayout) -> list[str]:
    """The snapshots that can be seen, all of which can be read, unless they are shredded."""
    manifests = list_snapshots(layout)
    for manifest in manifests:
        if not shredded(layout, manifest.id):
            check(layout, manifest)
    return [manifest.id for manifest in manifests]


def clean(layout: PlatformLayout) -> bool:
    """Whether everything that is stored belongs to a snapshot."""
    needed = set()
    for manifest in list_snapshots(layout):
        if not shredded(layout, manifest.id):
            snapshot = opened(layout, manifest)
            needed |= {layout.snapshots / snapshot.keys.name(*chunk) for chunk in snapshot.contents.chunks()}
    hidden = {path.name for path in layout.snapshots.rglob(".*")}
    return all_chunks(layout) == needed and hidden <= {".lock", ".references.sqlite"}


def try_kill(
    mortal: MortalStore, filled: Path, folder: Path, what: str, kill: int, record: Callable[[str, object], None]
) -> bool:
    """Kills a command at one place and looks at what is left; False when it came to its end before."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(filled, folder)
    layout = layout_in(folder)
    before = seen(layout)
    end = mortal.run(what, folder, NUMBERS[what], kill)
    if end.status == 0:
        return False
    assert end.status == -signal.SIGKILL, end
    record("kill", [f"snapshot {what}", Victim.COMMAND.value, [end.places[-1]]])
    after = seen(layout)
    touched = {before[NUMBERS[what]]} if what == "remove" else set()
    assert set(before) - touched <= set(after)
    assert len(set(after) - set(before)) <= (what == "capture")
    assert mortal.run("capture", folder, 20).status == 0
    keys = [layout.snapshots / snapshot / "key" for snapshot in after if shredded(layout, snapshot)]
    assert not any(key.exists() for key in keys)
    assert set(after) <= set(seen(layout)) and clean(layout)
    assert mortal.run("remove", folder, 0).status == 0
    seen(layout)
    assert clean(layout)
    return True


@pytest.mark.parametrize("what", sorted(NUMBERS))
def test_a_kill_leaves_only_whole_snapshots_and_the_next_command_goes_on(
    what: str, mortal: MortalStore, filled: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shutil.copytree(filled, tmp_path / "whole")
    places = mortal.run(what, tmp_path / "whole", NUMBERS[what]).places
    draw = random.Random(f"{os.environ['DATAOPS_SEED']} {what}")
    for kill in draw.sample(range(1, len(places) + 1), min(SAMPLE, len(places))):
        try_kill(mortal, filled, tmp_path / "copy", what, kill, record_property)


@pytest.mark.torture
@pytest.mark.parametrize("what", sorted(NUMBERS))
def test_a_kill_at_any_place_leaves_only_whole_snapshots(
    what: str, mortal: MortalStore, filled: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    kill = 1
    while try_kill(mortal, filled, tmp_path / "copy", what, kill, record_property):
        kill += 1
    assert kill > 10
