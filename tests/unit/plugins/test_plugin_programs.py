"""Plugin programs as we start and speak to them: a small one, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import Changes, CheckFailure, OutcomeUnknownError
from dataops.infra.providers.plugin_binary import start_plugin
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_components import ComponentContext
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from dataops.infra.resources.values import UNKNOWN, Output, Secret
from support.engine_world import World
from support.plugins import PLUGIN, install

pytestmark = pytest.mark.slow

URN = "urn:pulumi:dev::p::world:index:Thing::it"
PROVIDER = "urn:pulumi:dev::p::pulumi:providers:world::mine"

Start = Callable[..., PluginClient]


@pytest.fixture
def said() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def start(tmp_path: Path, said: list[tuple[str, str, str]]) -> Iterator[Start]:
    binary, clients = install(tmp_path / "plugin"), []

    def log(message: str, severity: str, urn: str) -> None:
        said.append((message, severity, urn))

    def begin(manner: str = "") -> PluginClient:
        environment = {"WORLD_MANNER": manner}
        context = ProviderContext("world", root=tmp_path, environment=environment, log=log)
        client = start_plugin(binary, context)
        assert isinstance(client, PluginClient)
        clients.append(client)
        return client

    yield begin
    for client in clients:
        client.close()


def test_it_is_configured_and_what_it_logs_arrives(start: Start, said: list[tuple[str, str, str]]) -> None:
    client = start()
    assert client.check_config(PROVIDER, {}, {}).failures == (CheckFailure("region", "must be given"),)
    config = {"region": Secret("here")}
    assert client.check_config(PROVIDER, {}, config).inputs == config
    client.configure(config)
    made = client.create(URN, {"a": Secret("x"), "b": [1, None]}, 0, False)
    assert (made.id, made.outputs["a"], made.outputs["configured"]) == ("w-1", Secret("x"), Secret("here"))
    assert made.outputs["old name"] == "here" and made.outputs["b"] == [1, None]
    assert said == [("mind the gap", "warning", URN)]
    previewed = client.create(URN, {"a": UNKNOWN}, 0, True)
    assert previewed.id == "" and previewed.outputs["a"] is UNKNOWN


def test_a_changed_configuration_tells_whether_it_replaces(start: Start) -> None:
    client = start()
    diff = client.diff_config(PROVIDER, {"region": "a", "x": "1"}, {"region": "b", "x": "1"})
    assert (diff.changes, diff.replaces) == (Changes.SOME, ("region",))
    assert client.diff_config(PROVIDER, {"region": "a"}, {"region": "a"}).changes is Changes.NONE


def test_one_of_old_is_spared_what_it_does_not_know_and_its_secrets_are_kept(start: Start) -> None:
    client = start("old")
    client.configure({"region": "here"})
    assert client.create(URN, {"a": UNKNOWN}, 0, True).outputs == {"a": UNKNOWN}
    made = client.create(URN, {"a": Secret("x"), "deep": {"er": Secret("y")}}, 0, False)
    assert made.outputs["a"] == Secret("x") and made.outputs["deep"] == {"er": Secret("y")}


def test_what_one_of_old_makes_of_secrets_is_secret_all_of_it(start: Start) -> None:
    for manner, kept in (("old", Secret("forty-two")), ("", "forty-two")):
        client = start(manner)
        client.configure({"region": "here"})
        assert client.invoke("world:index:ask", {"of": {"whom": Secret("x")}}, False).outputs == {"answer": kept}
        assert client.invoke("world:index:ask", {"of": "you"}, False).outputs == {"answer": "forty-two"}


def test_one_whose_configuration_is_not_known_yet_is_asked_nothing(start: Start) -> None:
    client = start()
    client.configure({"region": UNKNOWN})
    assert client.check(URN, None, {"a": "1"}).inputs == {"a": "1"}
    assert client.diff(URN, "w-1", {"a": "1"}, {}, {"a": "2"}, []).changes is Changes.SOME
    assert client.create(URN, {"a": "1"}, 0, True).outputs == {}
    read = client.read(URN, "w-1", {}, {})
    assert (read.id, read.outputs) == ("w-1", {})
    assert client.invoke("world:index:ask", {}, True).outputs == {}


def test_one_that_listens_only_after_it_told_its_port_is_waited_for(start: Start) -> None:
    client = start("late")
    client.configure({"region": "here"})
    assert client.create(URN, {}, 0, False).id == "w-1"


def test_a_port_between_marks_of_progress_is_understood(tmp_path: Path) -> None:
    marks = "printf '\\033]9;4;3;\\033\\\\\\033]9;4;0;\\033\\\\'"
    binary = install(tmp_path / "plugin", program=f"{marks}; exec {sys.executable} {PLUGIN}")
    client = start_plugin(binary, ProviderContext("world", root=tmp_path))
    assert client.check_config(PROVIDER, {}, {"region": "here"}).failures == ()
    client.close()


def test_one_that_runs_already_is_attached_to_and_left_running(
    tmp_path: Path, said: list[tuple[str, str, str]]
) -> None:
    with subprocess.Popen([sys.executable, PLUGIN, ""], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            environment = {"PULUMI_DEBUG_PROVIDERS": f"other:1,world:{process.stdout.readline().strip()}"}
            for _ in range(2):
                context = ProviderContext(
                    "world", root=tmp_path, environment=environment, log=lambda *words: said.append(words)
                )
                provider = ProviderRegistry().provide(context)
                provider.configure({"region": "here"})
                assert provider.create(URN, {}, 0, False).id == "w-1"
                provider.close()
            assert said == [("mind the gap", "warning", URN)] * 2
            assert process.poll() is None
        finally:
            process.kill()


def test_one_that_dies_is_reported_with_what_it_said_last(start: Start) -> None:
    client = start("dies")
    client.configure({"region": "here"})
    with pytest.raises(OutcomeUnknownError, match="the provider is gone") as raised:
        client.create(URN, {}, 0, False)
    assert raised.value.details and "the disk is on fire" in raised.value.details


def test_a_cancel_reaches_it_while_it_is_at_work(start: Start) -> None:
    client = start("waits")
    client.configure({"region": "here"})
    threading.Timer(0.3, client.cancel).start()
    with pytest.raises(ResourceError, match="cancelled while it was at work"):
        client.create(URN, {}, 0, False)


def test_components_and_methods_keep_outputs_secrets_and_dependencies(start: Start) -> None:
    client = start()
    client.configure({"region": "here"})
    context = ComponentContext("unix:/monitor", "p", "dev", config={"p:a": "1", "p:b": Secret("2")}, preview=True)
    given = {"x": Output("v", True, (URN,)), "y": Secret("s"), "z": UNKNOWN}
    made = client.construct(context, "world:index:Group", "g", "", given, {"x": [URN]}, {"protect": True})
    assert made.urn == "urn:world:index:Group::g" and made.dependencies == {"x": (URN,)}
    assert {key: made.outputs[key] for key in given} == given
    assert made.outputs["config"] == "p:a=1,p:b=2" and made.outputs["secretKeys"] == "p:b"
    assert made.outputs["told"] == "unix:/monitor True True"
    assert client.call(context, "world:index:Group/size", given, {}).outputs == given
    assert client.call(context, "world:index:Group/size", {}, {}).failures == (CheckFailure("size", "must be given"),)


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    binary = install(tmp_path / "plugin", program="echo no license >&2; exit 1; :")
    with pytest.raises(ResourceError, match="ended before it could serve") as raised:
        start_plugin(binary, ProviderContext("world", root=tmp_path))
    assert raised.value.details == "no license"


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("echo 1; echo no license >&2; exit 1; :", "ended before it answered"),
        ("echo ready; exec sleep 1000; :", "printed no port, but 'ready'"),
        ("echo 70000; exec sleep 1000; :", "printed no port, but '70000'"),
    ],
)
def test_one_that_cannot_be_spoken_to_is_reported_and_ended(tmp_path: Path, program: str, told: str) -> None:
    binary = install(tmp_path / "plugin", program=f"echo $$ > {tmp_path}/pid; {program}")
    with pytest.raises(ResourceError, match=told):
        start_plugin(binary, ProviderContext("world", root=tmp_path))
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_none_outlives_us(tmp_path: Path) -> None:
    binary = install(tmp_path / "plugin", program="echo 1; echo $$ >&2; exec sleep 1000; :")
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from dataops.infra.providers.plugin_process import PluginProcess\n"
        f"p = PluginProcess(['{binary}'], Path('{tmp_path}'), os.environ, dies_with_us=True)\n"
        "p.port()\nwhile not p._last: time.sleep(0.01)\nprint(p._last[0], flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.05)
    pytest.fail("it is still there")


PROGRAM = """
import pulumi
config = pulumi.Config("world")
provider = pulumi.ProviderResource("world", "mine", {"region": config.require("region"), "note": config.get("note")})
options = pulumi.ResourceOptions(provider=provider)
pulumi.CustomResource("world:index:Thing", "it", {"a": config.get_secret("a")}, options)
"""


def test_an_explicit_provider_replaces_its_resources_when_its_plugin_says_so(tmp_path: Path) -> None:
    from dataops.infra.engine.deployer import EmbeddedDeployer, UpdateOptions
    from dataops.infra.providers.registry import ProviderRegistry
    from support.engine_world import SECRETS

    install(tmp_path / "home" / "plugins" / "resource-world-v1.0.0")
    world, program = World(), tmp_path / "__main__.py"
    program.write_text(PROGRAM)
    world.deployer = EmbeddedDeployer(world.backend, ProviderRegistry(), SECRETS)
    options = UpdateOptions(environment={"PULUMI_HOME": str(tmp_path / "home"), "PATH": ""})
    assert world.up(program, options, region="a", a=Secret("s")).changes == {"create": 3}
    assert ("it", "mind the gap") in world.messages("warning")
    assert world.resources()["it"].outputs["a"] == Secret("s")
    assert world.up(program, options, region="a", note="n", a=Secret("s")).changes == {"same": 2, "update": 1}
    assert world.up(program, options, region="b", note="n", a=Secret("s")).changes == {"same": 1, "replace": 2}
