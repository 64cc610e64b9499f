"""The snapshot that an environment is about to be made of stays until the environment's record says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.change import Change
from dataops.envs.up import held_snapshot
from dataops.infra.errors import NotFoundError
from dataops.snapshots.choosing import choose_snapshot
from dataops.snapshots.removal import remove
from support.made_snapshots import layout_in, make_snapshot


def change(snapshot: str) -> Change:
    return Change("env up --branch x", "x", "replica", "x", "c0ffee", snapshot=snapshot)


def test_a_snapshot_that_is_chosen_cannot_be_removed_until_the_update_is_done(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    made = make_snapshot(layout, {"raw.a": b"1\n"})
    with held_snapshot(lambda: change(choose_snapshot("newest", layout).id), layout) as decided:
        assert decided.snapshot == made.id
        assert remove(layout, [made.id]).snapshots == ()
    assert remove(layout, [made.id]).snapshots == (made.id,)


def test_one_that_is_removed_in_the_moment_of_the_choice_is_chosen_anew(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    kept, doomed = (make_snapshot(layout, {"raw.a": b"1\n"}, day=day).id for day in (0, 1))

    def decide() -> Change:
        found = choose_snapshot("newest", layout).id
        if found == doomed:
            remove(layout, [doomed])  # by somebody else, just now
        return change(found)

    with held_snapshot(decide, layout) as decided:
        assert decided.snapshot == kept
    remove(layout, [kept])
    with pytest.raises(NotFoundError, match="no snapshot yet"), held_snapshot(decide, layout):
        pass
