"""The Pulumi CLI and we on the same state: against what it wrote once, and against itself where it is on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import LockedError, VerificationError
from dataops.infra.resources.state import CustomTimeouts, ResourceState
from dataops.infra.resources.values import Asset, Secret
from dataops.infra.state.backend import StackReference, open_backend
from dataops.infra.state.file_backend import FileBackend
from dataops.infra.state.passphrase import PassphraseSecrets
from dataops.infra.state.project import load_project
from dataops.infra.state.property_json import dump
from dataops.infra.state.resource_json import Vault, deployment_from_json, deployment_to_json
from dataops.infra.state.stack_config import StackConfig
from support.s3_server import S3Server
from support.stacks import begun, done, thing

PASSPHRASE = "tr0ub4dor"
REF = StackReference("probe", "dev")
SALT = "v1:u/RwoRf7/1s=:v1:ofwebFCfLM3h7pDN:ZHa7WFg2bzRHIZ2lxKkN2Mpt8y52YQ=="
ROOT = "urn:pulumi:dev::probe::pulumi:pulumi:Stack::probe-dev"
SIG, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"

# What the CLI wrote after an `up`, without the parts that no reader needs.
WRITTEN: dict[str, Any] = {
    "manifest": {"time": "2026-11-23T00:49:21.472788358Z", "magic": "", "version": ""},
    "secrets_providers": {"type": "passphrase", "state": {"salt": SALT}},
    "resources": [
        {
            "urn": ROOT,
            "custom": False,
            "type": "pulumi:pulumi:Stack",
            "outputs": {
                "f": {SIG: "c44067f5952c0a294b673a41bacd8c17", "hash": "fafe90e7", "path": "Pulumi.yaml"},
                "tok": {SIG: SECRET, "ciphertext": "v1:2SWf5GLEdSlQ+tSF:qksBCm0iCcfTxiDBJrfVHQtzMdvsMS0cPg=="},
            },
            "sourcePosition": "project:///__main__.py#6",
            "stackTrace": [{"sourcePosition": "project:///__main__.py#6"}, {}],
        },
        {
            "urn": "urn:pulumi:dev::probe::test:index:Thing::a",
            "custom": True,
            "id": "id-1",
            "type": "test:index:Thing",
            "inputs": {
                "list": [1, True],
                "whole": 3,
                "x": {SIG: SECRET, "ciphertext": "v1:UXYRXYcjTUUV7GsW:F0fl63r5cTuY1kJmAwmDvst4us3nvC6I7Atpji29SA=="},
            },
            "outputs": {
                "n": 1.5,
                "x": {SIG: SECRET, "ciphertext": "v1:ovLMfPdQJFqArzCI:xAj0rUZFcLlSwGUMKQOhO4rVe1e1DSiluUd+3SbeJw=="},
            },
            "parent": ROOT,
            "dependencies": [ROOT],
            "provider": "urn:pulumi:dev::probe::pulumi:providers:test::default::68d907e3",
            "propertyDependencies": {"list": [], "x": [ROOT]},
            "customTimeouts": {"create": 300},
        },
    ],
    "metadata": {},
}


def test_a_deployment_of_pulumi_is_understood_and_written_byte_for_byte() -> None:
    secrets = PassphraseSecrets(PASSPHRASE, SALT)
    vault = Vault(secrets)
    deployment = deployment_from_json(WRITTEN, vault)
    root, a = deployment.resources
    assert root.outputs == {"f": Asset({"hash": "fafe90e7", "path": "Pulumi.yaml"}), "tok": Secret("hunter2")}
    assert a.inputs == {"list": [1, True], "whole": 3, "x": Secret({"k": [1, "two"]})}
    assert a.custom_timeouts == CustomTimeouts(create=300)
    assert dump(deployment_to_json(deployment, vault, secrets.provider)) == dump(WRITTEN)


def test_a_history_of_pulumi_is_understood(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi/history/probe/dev"
    folder.mkdir(parents=True)
    (folder / "dev-1795394957835330027.history.json").write_text(
        '{"kind":"update","startTime":1795394957,"message":"first","environment":{"exec.kind":"cli"},"config":{"probe:a":'
        '{"b":[{"c":5}]},"probe:n":"5"},"version":0,"result":"succeeded","endTime":1795394961,"resourceChanges":{"create":3}}'
    )
    (record,) = FileBackend(tmp_path).history(REF)
    assert (record.version, record.message, record.end_time) == (1, "first", 1795394961)
    assert record.config == {"probe:a": {"b": [{"c": 5}]}, "probe:n": "5"}
    assert record.resource_changes == {"create": 3}


def test_both_work_on_one_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = shutil.which("pulumi")
    if command is None:
        with capsys.disabled():
            print("\nno pulumi on PATH: its side of the state was checked against what it wrote earlier only")
        return
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: probe\nruntime: python\n")
    environment = {
        **os.environ,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    (tmp_path / "state").mkdir()

    def pulumi(*words: str, fails: bool = False) -> str:
        done = subprocess.run(
            [command, *words, "--non-interactive"], cwd=project, env=environment, capture_output=True, text=True
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    # Configuration, both ways.
    pulumi("stack", "init", "dev")
    pulumi("config", "set", "--secret", "token", "hunter2")
    pulumi("config", "set", "--path", "outer.inner[0]", "5")
    config = StackConfig(load_project(project / "Pulumi.yaml").stack_file("dev"), "probe")
    secrets = PassphraseSecrets(PASSPHRASE, config.encryption_salt or "")
    assert config.values(secrets) == {"probe:token": Secret("hunter2"), "probe:outer": '{"inner":[5]}'}
    config.set("ours", "hush", secrets=secrets)
    config.set("outer.inner[1]", "deep", secrets=secrets, path=True)
    config.save()
    assert pulumi("config", "get", "ours").strip() == "hush"
    assert json.loads(pulumi("config", "get", "outer")) == {"inner": [5, "deep"]}

    # An update of ours, read by the CLI.
    backend = open_backend(f"file://{tmp_path}/state")
    root = ResourceState(ROOT, "pulumi:pulumi:Stack", outputs={"token": Secret("sesame")})
    with backend.begin(REF, "update", secrets) as update:
        update.append(done(1, root))
        update.append(done(2, thing("a", urn="urn:pulumi:dev::probe::test:index:Thing::a", parent=ROOT)))
        assert "locked" in pulumi("stack", "rm", "--yes", "--force", "dev", fails=True)
        update.finish("succeeded", {"create": 2}, message="ours", config={"probe:token": Secret("hunter2")})
    assert json.loads(pulumi("stack", "output", "--json", "--show-secrets")) == {"token": "sesame"}
    (stack,) = json.loads(pulumi("stack", "ls", "--json"))
    assert (stack["name"], stack["resourceCount"]) == ("dev", 2)
    (record,) = json.loads(pulumi("stack", "history", "--json", "--show-secrets"))
    assert (record["message"], record["resourceChanges"]) == ("ours", {"create": 2})
    assert record["config"]["probe:token"] == {"value": "hunter2", "secret": True}
    assert json.loads(pulumi("stack", "export")) == backend.export(REF)
    assert json.loads(pulumi("stack", "export", "--show-secrets")) == backend.export(REF, secrets)

    # Tags, imports.
    backend.set_tags(REF, {"owner": "ada"})
    assert "ada" in pulumi("stack", "tag", "get", "owner")
    (tmp_path / "export.json").write_text(json.dumps(backend.export(REF, secrets)))
    pulumi("stack", "import", "--file", str(tmp_path / "export.json"))
    assert backend.load(REF, secrets).resources[0].outputs == {"token": Secret("sesame")}

    # A lock of ours is respected and can be cancelled; what a journal holds does not survive the CLI unnoticed.
    update = backend.begin(REF, "update", secrets)
    update.append(begun(1, thing("b", urn="urn:pulumi:dev::probe::test:index:Thing::b")))
    pulumi("cancel", "--yes", "dev")
    with pytest.raises(LockedError):
        update.finish("succeeded", {})
    pulumi("stack", "import", "--file", str(tmp_path / "export.json"))
    with pytest.raises(VerificationError, match="not in its state"):
        backend.begin(REF, "update", secrets)
    assert [stack["name"] for stack in json.loads(pulumi("stack", "ls", "--json"))] == ["dev"]
    backend.set_aside(REF)
    pulumi("stack", "rm", "--yes", "--force", "dev")
    assert not backend.exists(REF)


def test_both_work_on_one_state_in_a_bucket(s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = shutil.which("pulumi")
    if command is None:
        with capsys.disabled():
            print("\nno pulumi on PATH: its side of the state in S3 was not tried")
        return
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: probe\nruntime: python\n")
    url = s3.url(s3.bucket(), "/team/a")
    environment = {
        **os.environ,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": url,
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def pulumi(*words: str, fails: bool = False, **more: str) -> str:
        done = subprocess.run(
            [command, *words, "--non-interactive"],
            cwd=project, env=environment | more, capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    pulumi("stack", "init", "dev")
    pulumi("config", "set", "--secret", "token", "hunter2")
    config = StackConfig(load_project(project / "Pulumi.yaml").stack_file("dev"), "probe")
    secrets = PassphraseSecrets(PASSPHRASE, config.encryption_salt or "")
    backend = open_backend(url)
    root = ResourceState(ROOT, "pulumi:pulumi:Stack", outputs={"token": Secret("sesame")})
    with backend.begin(REF, "update", secrets) as update:
        update.append(done(1, root))
        update.append(done(2, thing("a", urn="urn:pulumi:dev::probe::test:index:Thing::a", parent=ROOT)))
        assert "locked" in pulumi("stack", "rm", "--yes", "--force", "dev", fails=True)
        # The journal is no stack of its own.
        assert [stack["name"] for stack in json.loads(pulumi("stack", "ls", "--json"))] == ["dev"]
        update.finish("succeeded", {"create": 2}, message="ours", config={"probe:token": Secret("hunter2")})
    assert json.loads(pulumi("stack", "output", "--json", "--show-secrets")) == {"token": "sesame"}
    (record,) = json.loads(pulumi("stack", "history", "--json", "--show-secrets"))
    assert (record["message"], record["resourceChanges"]) == ("ours", {"create": 2})
    assert json.loads(pulumi("stack", "export", "--show-secrets")) == backend.export(REF, secrets)

    # The CLI writes compressed, we read it and write plain; and the other way round.
    (tmp_path / "export.json").write_text(json.dumps(backend.export(REF, secrets)))
    pulumi("stack", "import", "--file", str(tmp_path / "export.json"), PULUMI_DIY_BACKEND_GZIP="true")
    assert backend.load(REF, secrets).resources[0].outputs == {"token": Secret("sesame")}
    with backend.begin(REF, "update", secrets) as update:
        update.append(done(1, thing("b", urn="urn:pulumi:dev::probe::test:index:Thing::b", parent=ROOT)))
        update.finish("succeeded", {})
    assert len(json.loads(pulumi("stack", "export"))["deployment"]["resources"]) == 3
    packed = open_backend(url, {"PULUMI_DIY_BACKEND_GZIP": "1"})
    with packed.begin(REF, "update", secrets) as update:
        update.append(done(1, thing("c", urn="urn:pulumi:dev::probe::test:index:Thing::c", parent=ROOT)))
        update.finish("succeeded", {}, message="packed")
    assert len(json.loads(pulumi("stack", "export"))["deployment"]["resources"]) == 4
    assert [update["message"] for update in json.loads(pulumi("stack", "history", "--json"))] == ["packed", "", "ours"]
    backend.set_tags(REF, {"owner": "ada"})
    assert "ada" in pulumi("stack", "tag", "get", "owner")
    pulumi("stack", "rm", "--yes", "--force", "dev")
    assert not backend.exists(REF)
