"""What every deployer does: the embedded engine, and the `pulumi` command where it is on PATH."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dataops.infra.engine.deployer import Deployer, EmbeddedDeployer, Program, UpdateOptions, UpdateResult
from dataops.infra.errors import (
    ConfigurationError,
    ExpectationError,
    LockedError,
    ProgramError,
    VerificationError,
)
from dataops.infra.events.engine_events import DiagnosticEvent, Event, ResOpFailedEvent, ResOutputsEvent, to_json
from dataops.infra.providers.plugin_server import serve
from dataops.infra.providers.registry import ProviderRegistry
from dataops.infra.resources.urn import name_of
from dataops.infra.resources.values import Secret
from dataops.infra.state.backend import open_backend
from support.engine_world import PROGRAMS, SECRETS, STACK, WorldProvider
from support.s3_server import CREDENTIALS, s3_server
from support.stacks import begun, thing

pytestmark = pytest.mark.slow

KINDS = ["embedded", *(["pulumi"] if shutil.which("pulumi") else [])]


@pytest.fixture(scope="module", autouse=True)
def absence(pytestconfig: pytest.Config) -> None:
    """Tells when the command is not there to be held to the contract."""
    if "pulumi" not in KINDS:
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("\nno pulumi on PATH: the contract of deployers was checked of the embedded engine only")


@dataclass
class Stage:
    """A stack in a folder, the provider `world`, and deployers of each kind."""

    folder: Path
    cleanup: ExitStack
    provider: WorldProvider = field(default_factory=WorldProvider)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.main = self.folder / "program"
        self.main.mkdir()
        shutil.copy(PROGRAMS / "steps.py", self.main / "__main__.py")
        shutil.copy(PROGRAMS / "thing.py", self.main / "thing.py")
        (self.folder / "state").mkdir()
        self.backend = open_backend(f"file://{self.folder}/state")
        self.backend.create(STACK, SECRETS)

    def deployer(self, kind: str) -> Deployer:
        if kind == "embedded":
            return EmbeddedDeployer(self.backend, ProviderRegistry({"world": lambda _: self.provider}), SECRETS)
        from dataops.infra.engine.pulumi_deployer import PulumiDeployer, PulumiSettings

        server, port = serve(self.provider, "1.0.0", lambda: '{"name": "world", "version": "1.0.0"}')
        self.cleanup.callback(lambda: server.stop(None).wait())
        variables = {"PULUMI_DEBUG_PROVIDERS": f"world:{port}", "PULUMI_HOME": str(self.folder / "home")}
        return PulumiDeployer(self.backend, SECRETS, PulumiSettings({**SECRETS.variables(), **variables}))

    def run(
        self, deployer: Deployer, verb: str, options: UpdateOptions | None = None, **config: object
    ) -> UpdateResult:
        """Runs an operation; the events of the last one are kept."""
        self.events.clear()
        whole = {f"world:{key}": value for key, value in config.items()}
        program = Program("world", self.main, self.main)
        run = getattr(deployer, verb)
        result: UpdateResult = run(STACK, program, whole, options or UpdateOptions(), self.events.append)
        return result

    def done(self) -> list[tuple[str, str]]:
        """The steps on resources of `world` that were told as done."""
        found = [event.metadata for event in self.events if isinstance(event, ResOutputsEvent)]
        return [(step.op, name_of(step.urn)) for step in found if step.type.startswith("world:")]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as cleanup:
        yield Stage(tmp_path, cleanup)


@pytest.fixture(params=KINDS)
def deployer(request: pytest.FixtureRequest, stage: Stage) -> Deployer:
    return stage.deployer(request.param)


def test_a_stack_is_previewed_made_kept_changed_and_destroyed(stage: Stage, deployer: Deployer) -> None:
    planned = stage.run(deployer, "preview", step="chain")
    assert planned.changes == {"create": 3} and planned.version is None and stage.provider.objects == {}
    foreseen = stage.done()

    made = stage.run(deployer, "up", UpdateOptions(message="the first", metadata={"git.head": "abc"}), step="chain")
    assert made.changes == {"create": 3} and made.outputs == {"b": "after 1"} and made.version == 1
    assert stage.done() == foreseen == [("create", "a"), ("create", "b")]
    with pytest.raises(ExpectationError):
        stage.run(deployer, "preview", UpdateOptions(expect_no_changes=True), step="chain changed")
    assert stage.run(deployer, "up", step="chain changed").changes == {"same": 1, "update": 2}

    gone = stage.run(deployer, "destroy")
    assert gone.changes == {"delete": 3} and stage.provider.objects == {}
    assert stage.provider.calls[-2:] == [("delete", "b"), ("delete", "a")]
    history = deployer.history(STACK)
    assert [(r.kind, r.result, r.version) for r in history] == [
        ("destroy", "succeeded", 3),
        ("update", "succeeded", 2),
        ("update", "succeeded", 1),
    ]
    assert history[2].message == "the first"
    assert [r.environment.get("git.head") for r in history] == [None, None, "abc"]


def test_a_secret_is_encrypted_in_the_state_and_never_in_events(stage: Stage, deployer: Deployer) -> None:
    result = stage.run(deployer, "up", step="secret", password=Secret("hunter2"))
    assert result.outputs == {"a": Secret("hunter2")}
    assert "hunter2" not in str([to_json(event, 1) for event in stage.events])
    assert "hunter2" not in str(deployer.export(STACK)) and "hunter2" in str(deployer.export(STACK, show_secrets=True))


def test_a_failed_step_is_told_and_what_it_does_not_touch_is_done(stage: Stage, deployer: Deployer) -> None:
    result = stage.run(deployer, "up", UpdateOptions(continue_on_error=True), step="two fail")
    assert result.failed and ("create", "other") in stage.done()
    (failed,) = [event for event in stage.events if isinstance(event, ResOpFailedEvent)]
    assert name_of(failed.metadata.urn) == "bad"
    said = [e for e in stage.events if isinstance(e, DiagnosticEvent) and e.severity == "error" and e.urn]
    assert "create of bad refused" in said[0].message and name_of(said[0].urn) == "bad"
    assert deployer.history(STACK)[0].result == "failed"


def test_what_the_program_does_wrong_is_raised(stage: Stage, deployer: Deployer) -> None:
    with pytest.raises(ProgramError, match="half-way") as raised:
        stage.run(deployer, "up", step="raises")
    assert raised.value.details and "__main__.py" in raised.value.details
    assert stage.provider.calls == [("create", "made")]


def test_a_refresh_finds_what_is_there(stage: Stage, deployer: Deployer) -> None:
    stage.run(deployer, "up", step="chain")
    stage.provider.objects["a-1"]["generation"] = 7
    stage.provider.objects.pop("b-2")
    assert not stage.run(deployer, "refresh").failed
    state = stage.backend.load(STACK, SECRETS)
    found = {name_of(r.urn): r.outputs for r in state.resources if r.type.startswith("world:")}
    assert found == {"a": {"value": "1", "generation": 7}}


def test_a_stack_that_somebody_works_on_is_refused(stage: Stage, deployer: Deployer) -> None:
    with stage.backend.begin(STACK, "update", SECRETS), pytest.raises(LockedError):
        stage.run(deployer, "up", step="chain")
    assert stage.provider.calls == []


def test_a_journal_that_no_longer_fits_is_refused(stage: Stage, deployer: Deployer) -> None:
    update = stage.backend.begin(STACK, "update", SECRETS)
    update.append(begun(1, thing("it")))
    stage.backend.cancel(STACK)
    checkpoint = next((stage.folder / "state").rglob("dev.json"))
    checkpoint.write_bytes(checkpoint.read_bytes() + b"\n")
    with pytest.raises(VerificationError, match="not in its state"):
        stage.run(deployer, "up", step="chain")
    assert stage.provider.calls == []
    stage.backend.set_aside(STACK)
    assert not stage.run(deployer, "up", step="chain").failed


def test_a_deployer_takes_over_what_another_one_made(stage: Stage) -> None:
    deployers = [stage.deployer(kind) for kind in KINDS]
    for index, first in enumerate(deployers):
        second = deployers[index - 1]
        stage.run(first, "up", step="secret", password=Secret("hunter2"))
        stage.run(second, "preview", UpdateOptions(expect_no_changes=True), step="secret", password=Secret("hunter2"))
        changed = stage.run(second, "up", step="secret", password=Secret(f"hunter{index}x"))
        assert changed.changes == {"same": 1, "update": 2} and changed.version == 2 * index + 2
    assert {record.result for record in stage.backend.history(STACK)} == {"succeeded"}


def test_a_stack_in_a_bucket_is_handed_on_as_one_in_a_folder_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as server:
        bucket = server.bucket()
        stage.backend = open_backend(server.url(bucket, "/team/a"))
        stage.backend.create(STACK, SECRETS)
        deployers = [stage.deployer(kind) for kind in KINDS]
        for index, first in enumerate(deployers):
            second, word = deployers[index - 1], f"hunter{index}"
            options = UpdateOptions(message=f"the {index}th", metadata={"git.head": "abc"})
            assert not stage.run(first, "up", options, step="secret", password=Secret(word)).failed
            stage.run(second, "preview", UpdateOptions(expect_no_changes=True), step="secret", password=Secret(word))
            with stage.backend.begin(STACK, "update", SECRETS), pytest.raises(LockedError):
                stage.run(second, "up", step="secret", password=Secret(word))
        newest = stage.backend.history(STACK)[0]
        assert (newest.message, newest.environment["git.head"]) == (f"the {index}th", "abc")
        assert stage.run(deployers[-1], "destroy").changes == {"delete": 3}
        stored = server.objects(bucket)
        assert not [key for key, data in stored.items() if b"hunter" in data]
        assert not [key for key in stored if "/locks/" in key or key.endswith(".journal")]


def test_without_a_pulumi_its_deployer_says_what_to_do(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataops.infra.engine.pulumi_deployer import PulumiDeployer

    monkeypatch.setenv("PATH", str(stage.folder))
    with pytest.raises(ConfigurationError, match="no `pulumi` on PATH") as raised:
        PulumiDeployer(stage.backend, SECRETS)
    assert raised.value.hint and "--engine embedded" in raised.value.hint
