"""`pulumi-resource-dataops` as an engine meets it: a process that prints its port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import grpc
import pytest

from dataops.cli.resource_plugin import schema
from dataops.cli.wiring import resource_handlers
from dataops.infra.providers.plugin_binary import start_plugin
from dataops.infra.providers.protocol import load
from dataops.infra.providers.registry import ProviderContext

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "dataops.cli.resource_plugin", "127.0.0.1:1", "--logtostderr", "-v=9"]


@pytest.fixture(scope="module")
def plugin() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def stub(plugin: subprocess.Popen[str]) -> Iterator[Any]:
    assert plugin.stdout is not None
    with grpc.insecure_channel(f"127.0.0.1:{int(plugin.stdout.readline())}") as channel:
        yield load("provider_pb2_grpc").ResourceProviderStub(channel)


def test_it_says_what_it_is_and_keeps_secrets_references_and_outputs(stub: Any) -> None:
    from google.protobuf.empty_pb2 import Empty

    agreed = stub.Handshake(load("provider_pb2").ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
    assert (agreed.accept_secrets, agreed.accept_resources, agreed.accept_outputs) == (True, True, True)
    assert stub.GetPluginInfo(Empty()).version.count(".") == 2
    stub.Attach(load("plugin_pb2").PluginAttach(address="127.0.0.1:1"))


@pytest.mark.parametrize(
    ("method", "message"),
    [("Parameterize", "ParameterizeRequest"), ("Construct", "ConstructRequest"), ("Call", "CallRequest")],
)
def test_what_it_cannot_do_it_says_in_words(stub: Any, method: str, message: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        getattr(stub, method)(getattr(load("provider_pb2"), message)())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert raised.value.details() != "Method not implemented!"


def test_a_schema_of_another_format_or_package_is_refused(stub: Any) -> None:
    for asked in ({"version": 9}, {"subpackage_name": "other"}):
        with pytest.raises(grpc.RpcError) as raised:
            stub.GetSchema(load("provider_pb2").GetSchemaRequest(**asked))
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_schema_tells_of_every_type_and_describes_every_property() -> None:
    found = json.loads(schema())
    for handler in resource_handlers():
        told = found["resources"][handler.token]
        assert told["requiredInputs"] == sorted(handler.required)
        assert set(told["inputProperties"]) == handler.required | handler.optional
        assert {name for name, of in told["properties"].items() if of.get("secret")} >= handler.secret_outputs
        for name, described in [*told["inputProperties"].items(), *told["properties"].items()]:
            assert described["description"] != name, f"describe {handler.token} {name} in plugin_properties.py"
    assert found["resources"]["dataops:components:DataPlatform"]["isComponent"]
    secret = found["resources"]["dataops:local:EnvironmentFile"]["inputProperties"]["variables"]
    assert secret["secret"] and secret["type"] == "object"


def test_it_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline().strip().isdigit()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_it_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    program = f"import subprocess, sys; p = subprocess.Popen({COMMAND!r}, stdout=subprocess.PIPE, text=True)\n"
    program += "p.stdout.readline(); print(p.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    started = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(started.stdout)
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it is still there")


def test_our_engine_can_use_it_as_a_plugin_program(tmp_path: Path) -> None:
    binary = tmp_path / "pulumi-resource-dataops"
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} -m dataops.cli.resource_plugin "$@"\n')
    binary.chmod(0o755)
    client = start_plugin(binary, ProviderContext("dataops", root=tmp_path))
    try:
        client.configure({})
        urn = "urn:pulumi:dev::p::dataops:local:Lake::lake"
        checked = client.check(urn, None, {"path": str(tmp_path / "lake")})
        made = client.create(urn, checked.inputs, 0, False)
        assert made.outputs["url"] == (tmp_path / "lake").as_uri() and (tmp_path / "lake").is_dir()
        client.delete(urn, made.id, checked.inputs, made.outputs, 0)
        assert not (tmp_path / "lake").exists()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("variables", "which"),
    [
        ({"PULUMI_RUNTIME_VIRTUALENV": "venv"}, "project/venv"),
        ({"PULUMI_RUNTIME_VIRTUALENV": "{folder}/elsewhere"}, "elsewhere"),
        ({"PULUMI_RUNTIME_TOOLCHAIN": "uv"}, "project/.venv"),
        ({"PULUMI_RUNTIME_TOOLCHAIN": "pip"}, "path"),
        ({"DATAOPS_PYTHON": "{folder}/elsewhere/bin/python"}, "elsewhere"),
    ],
)
def test_what_init_writes_runs_in_the_environment_that_the_project_names(
    tmp_path: Path, variables: dict[str, str], which: str
) -> None:
    for name in ("project/venv/bin/python", "project/.venv/bin/python", "elsewhere/bin/python", "path/bin/python3"):
        python = tmp_path / name
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho {python.parent.parent} "$@"\n')
        python.chmod(0o755)
    template = Path(__file__).resolve().parents[3] / "cli" / "templates" / "plugin.template"
    plugin = tmp_path / "project" / "provider" / "pulumi-resource-dataops"
    plugin.parent.mkdir()
    plugin.write_text(Template(template.read_text()).substitute())
    plugin.chmod(0o755)
    path = f"{tmp_path}/path/bin:{os.environ['PATH']}"
    environment = {"PATH": path, **{key: value.format(folder=tmp_path) for key, value in variables.items()}}
    ran = subprocess.run([plugin, "127.0.0.1:1"], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split()[1:] == ["-P", "-m", "dataops.cli.resource_plugin", "127.0.0.1:1"]
    assert Path(ran.stdout.split()[0]) == tmp_path / which
