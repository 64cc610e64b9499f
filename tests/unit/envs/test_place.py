"""An environment of the local target is worked on where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from dataops.envs.place import HOST, MACHINE, claim_place
from dataops.envs.stack import EnvironmentStack
from dataops.infra.errors import PolicyError
from dataops.infra.state.memory import MemoryBackend
from support.stacks import REF, stack_secrets


@pytest.fixture
def stack() -> EnvironmentStack:
    backend = MemoryBackend()
    backend.create(REF, stack_secrets())
    return EnvironmentStack(backend, REF, stack_secrets(), cast(Any, None))


def test_the_first_to_come_notes_the_place_and_may_come_again(stack: EnvironmentStack) -> None:
    stack.backend.set_tags(REF, {"owner": "ada"})
    claim_place(stack, Path("/srv/dev"))
    claim_place(stack, Path("/srv/dev"))
    assert stack.backend.tags(REF)["owner"] == "ada"


def test_another_root_and_another_machine_are_refused_and_nothing_is_changed(stack: EnvironmentStack) -> None:
    claim_place(stack, Path("/srv/dev"))
    tags = stack.backend.tags(REF)
    with pytest.raises(PolicyError, match="made on .*, in /srv/dev"):
        claim_place(stack, Path("/home/bob/dev"))
    stack.backend.set_tags(REF, {**tags, HOST: "elsewhere", MACHINE: "another"})
    with pytest.raises(PolicyError, match="made on elsewhere") as refused:
        claim_place(stack, Path("/srv/dev"))
    assert "dataops stack rm --force --yes --stack dev" in (refused.value.hint or "")
    assert stack.backend.tags(REF) == {**tags, HOST: "elsewhere", MACHINE: "another"}
