"""Dynamic providers: a process of their own, with all that may happen to one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.errors import CancelledError
from dataops.infra.resources.urn import name_of
from dataops.infra.resources.values import Secret
from dataops.infra.state.config_value import ConfigValue
from support.engine_world import SECRETS, STACK, World

pytestmark = pytest.mark.slow

LeftOver = Callable[[], list[str]]


@pytest.fixture
def left_over() -> LeftOver:
    """Programs and provider hosts that still run; children that were there before are somebody else's."""
    before = psutil.Process().children()

    def found() -> list[str]:
        children = [child for child in psutil.Process().children() if child not in before]
        return [child.name() for child in children if child.status() != psutil.STATUS_ZOMBIE]

    return found


def test_a_provider_process_that_dies_is_reported_with_its_last_words(left_over: LeftOver) -> None:
    world = World()
    assert world.up("dies.py", how="dies").failed
    name, message = world.messages()[0]
    assert name == "it" and "the provider is gone" in message and "out of memory, say" in message
    assert left_over() == []


def test_a_provider_that_raises_is_reported_with_its_own_lines_only() -> None:
    world = World()
    assert world.up("dies.py", how="raises").failed
    name, message = world.messages()[0]
    assert name == "it" and message.startswith("ValueError: no room")
    assert 'raise ValueError("no room")' in message and "site-packages" not in message


def test_a_creation_whose_provider_dies_is_pending_until_the_user_has_looked() -> None:
    world = World()
    assert world.up("dies.py", how="dies").failed
    (pending,) = world.backend.load(STACK, SECRETS).pending_operations
    assert (pending.kind, name_of(pending.resource.urn)) == ("creating", "it")
    assert world.up("dies.py", how="dies").failed
    warned = " ".join(message for _, message in world.messages("warning"))
    assert "::it, interrupted while creating" in warned and "--clear-pending-creates" in warned
    assert not world.refresh(UpdateOptions(clear_pending_creates=True)).failed
    assert world.backend.load(STACK, SECRETS).pending_operations == []


def test_unknown_outcomes_are_forgotten_where_the_provider_adopts_what_it_left() -> None:
    world = World()
    assert world.up("dies.py", how="dies").failed
    world.destroy(UpdateOptions(adopted=("other:",)))
    assert len(world.backend.load(STACK, SECRETS).pending_operations) == 1
    assert not world.destroy(UpdateOptions(adopted=("pulumi-python:",))).failed
    assert world.messages("warning") == []
    assert world.backend.load(STACK, SECRETS).pending_operations == []


def test_an_interrupted_update_finishes_and_records_what_it_was_doing(tmp_path: Path, left_over: LeftOver) -> None:
    world, started = World(), tmp_path / "started"
    interrupter = threading.Thread(target=_interrupt_once_there_is, args=(started,))
    interrupter.start()
    with pytest.raises(CancelledError):
        world.up("dies.py", how="waits", started=str(started))
    interrupter.join()
    recorded = world.backend.export(STACK)["deployment"]
    assert "late" in [resource.get("id") for resource in recorded["resources"]]
    assert not recorded.get("pending_operations")
    assert left_over() == []


def test_a_program_may_have_many_dynamic_resources() -> None:
    result = World().up("many.py", count="500")
    assert not result.failed and result.changes["create"] == 501


def test_their_provider_gets_all_of_the_configuration_objects_included() -> None:
    world, raw = World(), {"inner": [5], "hush": {"secure": SECRETS.encrypt("deep")}}
    made = world.up("many.py", count="1", outer=ConfigValue(raw).text(SECRETS), plain=ConfigValue([1]).text(SECRETS))
    assert not made.failed
    config = next(
        r for r in world.backend.load(STACK, SECRETS).resources if r.type.startswith("pulumi:providers:")
    ).inputs
    assert config["world:outer"] == Secret('{"hush":"deep","inner":[5]}') and config["world:plain"] == "[1]"
    assert world.backend.history(STACK)[0].config["world:outer"] == raw


def _interrupt_once_there_is(file: Path) -> None:
    while not file.exists():
        time.sleep(0.02)
    signal.raise_signal(signal.SIGINT)
