"""What a replacement trigger asks for."""

from __future__ import annotations

import pytest

from dataops.infra.engine.diffing import triggers
from dataops.infra.resources.values import UNKNOWN, Secret


@pytest.mark.parametrize(
    ("old", "new"),
    [("a", "b"), (1, True), (Secret("a"), Secret("b")), ({"a": [Secret(1)]}, {"a": [2]}), ("a", UNKNOWN), (UNKNOWN, 1)],
)
def test_another_trigger_or_one_that_is_not_known_yet_asks_for_a_replacement(old: object, new: object) -> None:
    assert triggers(old, new)


@pytest.mark.parametrize(
    ("old", "new"), [("a", "a"), (None, "a"), ("a", None), (Secret("a"), "a"), (1, 1.0), ({"a": Secret(1)}, {"a": 1})]
)
def test_the_same_trigger_secret_or_not_and_none_at_all_ask_for_nothing(old: object, new: object) -> None:
    assert not triggers(old, new)
