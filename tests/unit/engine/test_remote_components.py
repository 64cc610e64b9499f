"""Components and methods in a plugin, which the SDK's own provider server serves; error hooks of the program."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.resources.values import Secret
from support.engine_world import PROGRAMS, SECRETS, STACK, World

pytestmark = pytest.mark.slow


@pytest.fixture
def parts(tmp_path: Path) -> UpdateOptions:
    """The plugin, installed in a home of its own."""
    folder = tmp_path / "plugins" / "resource-parts-v1.0.0"
    folder.mkdir(parents=True)
    script = folder / "pulumi-resource-parts"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u "{PROGRAMS / "parts_plugin.py"}" "$@"\n')
    script.chmod(0o755)
    return UpdateOptions(environment={"PULUMI_HOME": str(tmp_path)})


def test_a_component_of_a_plugin_is_made_changed_and_left_alone(parts: UpdateOptions) -> None:
    world = World()
    result = world.up("remote.py", parts, value="1")
    assert not result.failed, world.messages()
    assert result.outputs == {"both": "1+1", "said": "hello 1"}
    made = world.resources()
    assert set(made) == {"base", "pair", "pair-first", "pair-second", "after"}
    assert made["pair-first"].parent == made["pair"].urn and made["after"].inputs["value"] == "1+1"
    assert made["pair-first"].urn.endswith("parts:index:Pair$world:index:Thing::pair-first")
    assert world.up("remote.py", parts, value="2").outputs["both"] == "2+2"
    assert set(world.up("remote.py", parts, value="2").changes) == {"same"}


def test_options_secrets_and_dependencies_go_through_a_component(parts: UpdateOptions) -> None:
    world = World()
    result = world.up("remote.py", parts, value="1", secret="true", protect="true")
    assert not result.failed, world.messages()
    made = world.resources()
    assert made["pair"].protect and made["pair-first"].protect and not made["after"].protect
    assert made["pair-first"].inputs["value"] == Secret("1") and result.outputs["both"] == Secret("1+1")
    assert made["base"].urn in made["pair-first"].dependencies
    assert made["pair-second"].urn in made["after"].dependencies or made["pair"].urn in made["after"].dependencies


def test_a_preview_makes_nothing_of_a_component(parts: UpdateOptions) -> None:
    world = World()
    result = world.preview("remote.py", parts, value="1")
    assert not result.failed and result.changes["create"] == 6, world.messages()
    assert world.provider.objects == {} and world.backend.load(STACK, SECRETS).resources == []


def test_a_component_that_no_plugin_has_is_refused_by_name() -> None:
    world = World()
    assert world.up("remote.py", UpdateOptions(environment={"PULUMI_HOME": "/nowhere"}), value="1").failed
    assert any("parts" in message for _, message in world.messages())


def test_an_error_hook_has_a_failed_operation_tried_again(tmp_path: Path) -> None:
    world, file = World(), tmp_path / "hooked"
    world.provider.failures_left = 2
    assert not world.up("steps.py", UpdateOptions(environment={"HOOKED": str(file)}), step="retries").failed
    assert file.read_text() == "create: create of a refused\n" * 2
    assert world.provider.calls == [("create", "a")] * 3
    world.provider.failures_left = 9
    assert world.up("steps.py", UpdateOptions(environment={"HOOKED": str(file)}), step="gives up").failed
    assert world.messages()[0] == ("b", "create of b refused")
