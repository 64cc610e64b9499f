"""How the engine runs programs: what they may do, and what they may do wrong. Each test runs a real program."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.engine.deployer import UpdateOptions
from dataops.infra.errors import ConfigurationError, ExpectationError, ProgramError
from dataops.infra.events.engine_events import ResOutputsEvent, to_json
from dataops.infra.resources.values import Secret
from dataops.infra.state.config_value import ConfigValue
from support.engine_world import PROGRAMS, SECRETS, STACK, World

pytestmark = pytest.mark.slow


@pytest.fixture
def world() -> World:
    return World()


def test_a_chain_is_made_kept_changed_and_destroyed(world: World) -> None:
    made = world.up("steps.py", step="chain")
    assert not made.failed and made.outputs == {"b": "after 1"} and made.version == 1
    assert world.provider.calls == [("create", "a"), ("create", "b")]
    assert world.up("steps.py", step="chain").changes == {"same": 3}
    assert world.up("steps.py", step="chain changed").changes == {"same": 1, "update": 2}
    world.destroy()
    assert world.provider.objects == {} and world.backend.load(STACK, SECRETS).resources == []
    assert world.provider.calls[-2:] == [("delete", "b"), ("delete", "a")]


def test_a_preview_shows_the_steps_of_an_update_with_what_cannot_be_known(world: World) -> None:
    world.preview("steps.py", step="chain")
    assert world.provider.calls == [] and world.resources() == {}
    shown = [e.metadata for e in world.events if isinstance(e, ResOutputsEvent) and e.metadata.urn.endswith("::b")]
    assert shown[0].new and shown[0].new.inputs == {"value": "[unknown]"}
    planned = world.steps()
    world.up("steps.py", step="chain")
    assert world.steps() == planned == [("create", "a"), ("create", "b")]


def test_secrets_are_encrypted_in_the_state_and_never_in_events(world: World) -> None:
    result = world.up("steps.py", step="secret", password=Secret("hunter2"))
    assert result.outputs == {"a": Secret("hunter2")}
    assert "hunter2" not in str([to_json(event, 1) for event in world.events])
    assert "hunter2" not in str(world.backend.export(STACK))
    assert world.resources()["b"].outputs["value"] == Secret("hunter2!")


def test_what_a_program_tells_of_its_secret_configuration_is_hidden(world: World) -> None:
    outer = ConfigValue({"hush": {"secure": SECRETS.encrypt("deep words")}}).text(SECRETS)
    given: dict[str, Any] = {"password": Secret('hunter"2'), "outer": outer, "short": Secret("it")}
    made = world.up("tells.py", **given)
    told = "".join(str(to_json(event, 1)) for event in world.events)
    assert "hunter" not in told and "deep words" not in told
    assert "it is [secret]" in told and '{"said": "[secret]"}' in told and "<[secret]>" in told
    # What the program gets and makes is as it is.
    assert made.outputs == {"told": {"deep": ["deep words"]}}
    with pytest.raises(ProgramError) as raised:
        world.up("tells.py", raises="true", **given)
    assert raised.value.what == "ValueError: not [secret]" and "hunter" not in str(raised.value.details)


def test_a_syntax_error_shows_the_users_own_traceback(world: World, tmp_path: Path) -> None:
    shutil.copy(PROGRAMS / "syntax_error.py.txt", tmp_path / "__main__.py")
    with pytest.raises(ProgramError) as raised:
        world.up(tmp_path / "__main__.py")
    assert raised.value.what.startswith("SyntaxError")
    assert raised.value.details and '__main__.py", line 3' in raised.value.details
    assert "runpy" not in raised.value.details and "program_runner" not in raised.value.details


def test_a_program_that_raises_half_way_keeps_what_it_made_and_deletes_nothing(world: World) -> None:
    world.up("steps.py", step="chain")
    with pytest.raises(ProgramError, match="half-way") as raised:
        world.up("steps.py", step="raises")
    assert raised.value.details and "steps.py" in raised.value.details and "site-packages" not in raised.value.details
    assert sorted(world.resources()) == ["a", "b", "made"]
    assert world.backend.history(STACK)[0].result == "failed"
    assert world.up("steps.py", step="kept").changes == {"same": 2, "delete": 2}


def test_a_program_that_exits_fails_with_its_status(world: World) -> None:
    with pytest.raises(ProgramError, match="exit status 3"):
        world.up("steps.py", step="exits")


def test_a_program_that_is_not_there_is_a_configuration_error(world: World) -> None:
    with pytest.raises(ConfigurationError, match="no program"):
        world.up("missing.py")


def test_an_unknown_package_is_reported_at_its_default_provider(world: World) -> None:
    assert world.up("steps.py", step="unknown package").failed
    [(name, message)] = world.messages()
    assert name == "default" and "'nowhere'" in message


def test_a_refused_input_is_reported_at_its_resource_without_its_value(world: World) -> None:
    assert world.up("steps.py", step="refused").failed
    assert world.messages()[0] == (
        "bad",
        "world:index:Thing resource 'bad': property value has a problem: must not be refused",
    )
    assert world.provider.objects == {}


def test_retained_resources_and_those_deleted_with_another_are_not_deleted_one_by_one(world: World) -> None:
    world.up("steps.py", step="options")
    world.provider.calls.clear()
    world.destroy()
    assert world.provider.calls == [("delete", "base")]
    assert world.resources() == {}


def test_a_component_hands_its_provider_to_its_children(world: World) -> None:
    world.up("steps.py", step="explicit")
    assert "::mine::" in world.resources()["inside"].provider
    assert world.up("steps.py", step="explicit").changes == {"same": 4}


def test_what_is_read_is_recorded_as_external_and_only_forgotten(world: World) -> None:
    world.provider.objects["outside-1"] = {"value": "there", "generation": 7}
    assert world.up("steps.py", step="reads").outputs == {"found": "there", "doubled": 42}
    assert world.resources()["found"].external
    world.destroy()
    assert list(world.provider.objects) == ["outside-1"]


def test_an_import_adopts_what_exists(world: World) -> None:
    world.provider.objects["outside-1"] = {"value": "there", "generation": 7}
    world.up("steps.py", step="imports")
    assert world.steps() == [("import", "adopted")]
    assert world.resources()["adopted"].id == "outside-1"
    assert world.up("steps.py", step="imports").changes == {"same": 2}


def test_a_hook_of_the_program_runs_after_its_operation(world: World, tmp_path: Path) -> None:
    file = tmp_path / "hooked"
    world.up("steps.py", UpdateOptions(environment={"HOOKED": str(file)}), step="hooks")
    assert file.read_text() == "a\n"


def test_with_continue_on_error_only_what_depends_on_a_failure_is_left_out(world: World) -> None:
    assert world.up("steps.py", UpdateOptions(continue_on_error=True), step="two fail").failed
    assert sorted(world.resources()) == ["other"]


def test_a_target_leaves_everything_else_as_it_is(world: World) -> None:
    world.up("steps.py", step="chain")
    world.up("steps.py", UpdateOptions(targets=("**::a",)), step="chain changed")
    assert world.provider.calls[2:] == [("update", "a")]
    assert world.resources()["b"].outputs["value"] == "after 1"


def test_a_refresh_finds_drift_and_the_next_update_repairs_it(world: World) -> None:
    world.up("steps.py", step="chain")
    world.provider.objects["a-1"]["value"] = "touched"
    del world.provider.objects["b-2"]
    assert world.refresh().changes == {"same": 1, "update": 1, "delete": 1}
    assert world.up("steps.py", step="chain").changes == {"same": 1, "update": 1, "create": 1}


def test_an_update_may_refresh_first(world: World) -> None:
    world.up("steps.py", step="chain")
    del world.provider.objects["b-2"]
    world.up("steps.py", UpdateOptions(refresh=True), step="chain")
    assert ("create", "b") in world.steps() and ("b" in world.resources())


def test_expecting_no_changes_is_an_error_when_there_are_some(world: World) -> None:
    with pytest.raises(ExpectationError):
        world.up("steps.py", UpdateOptions(expect_no_changes=True), step="chain")
    world.up("steps.py", UpdateOptions(expect_no_changes=True), step="chain")


def test_what_a_program_says_becomes_events_in_their_severities(world: World) -> None:
    world.up("steps.py", step="speaks")
    assert ("", "to the output") in world.messages("info")
    assert ("", "take care") in world.messages("warning")


def test_that_an_id_cannot_be_secret_is_told(world: World) -> None:
    assert not world.up("steps.py", step="secret id").failed
    assert ("a", "the id of a resource cannot be made secret") in world.messages("warning")


def test_a_program_may_look_at_the_resources_of_a_stack(world: World) -> None:
    world.up("steps.py", step="kept")
    there = world.up("steps.py", step="looks").outputs["there"]
    assert there["urn:pulumi:dev::world::world:index:Thing::made"] == "1"
