"""Images: built once for a content, wherever it lies; secrets in no layer; failures with the end of the log."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import ConfigurationError
from dataops.infra.providers.base import Recorded
from dataops.infra.providers.docker.content import content_of
from dataops.infra.providers.docker.faults import BuildFailedError, ImageNotFoundError, RegistryError
from dataops.infra.providers.docker.image import ImageHandler
from dataops.infra.providers.docker.job import JobHandler
from dataops.infra.providers.docker.pulled_image import PulledImageHandler
from support.docker_engine import OPERATION, Scene

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def context(folder: Path, shell: str, *steps: str) -> Path:
    folder.mkdir()
    (folder / "Dockerfile").write_text("\n".join([f"FROM {shell}", "COPY . /code/", *steps]) + "\n")
    (folder / ".dockerignore").write_text("*.log\n")
    (folder / "main.sh").write_text("echo run\n")
    return folder


def recorded(result: Any, inputs: dict[str, Any]) -> Recorded:
    return Recorded(result.id, inputs, result.outputs)


def test_an_image_is_built_once_for_its_content_wherever_that_lies(here: Scene, shell: str, tmp_path: Path) -> None:
    handler, folder = ImageHandler(here.engine), context(tmp_path / "a", shell)
    inputs = here.inputs("daily", context=str(folder), commit="c0ffee", release="r1", owner="data")
    first = handler.create(OPERATION, inputs)
    labels = here.engine.client.inspect_image(first.outputs["reference"])["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == "c0ffee"
    assert labels["org.opencontainers.image.title"] == labels["io.dataops.platform"] == here.platform
    copy = shutil.copytree(folder, tmp_path / "b")
    (copy / "noise.log").write_text("not part of it")
    moved = {**inputs, "context": str(copy), "commit": "other"}
    assert list(handler.drifted(recorded(first, inputs), moved)) == []
    assert handler.create(OPERATION, moved).outputs == first.outputs
    (copy / "main.sh").write_text("echo something else\n")
    assert "reference" in handler.drifted(recorded(first, inputs), moved)
    changed = handler.create(OPERATION, moved)
    assert changed.outputs["reference"] != first.outputs["reference"]
    handler.delete(OPERATION, recorded(changed, moved))
    assert here.engine.client.images(here.name("daily")) == []


def test_equal_content_under_another_name_is_not_built_again(here: Scene, shell: str, tmp_path: Path) -> None:
    handler, folder = ImageHandler(here.engine), context(tmp_path / "a", shell)
    one = handler.create(OPERATION, here.inputs("one", context=str(folder)))
    two = handler.create(OPERATION, here.inputs("two", context=str(folder)))
    assert two.outputs["imageId"] == one.outputs["imageId"]
    handler.delete(OPERATION, recorded(one, here.inputs("one", context=str(folder))))
    assert handler.read(OPERATION, recorded(two, {})).id, "the other name keeps it"


def test_images_of_other_folders_are_not_shared_since_their_labels_say_other_commits(
    here: Scene, shell: str, tmp_path: Path
) -> None:
    folder = context(tmp_path / "a", shell)
    for name in ("mine", "yours"):
        inputs = {**here.inputs("code", context=str(folder), commit=name), "name": f"{here.platform}-{name}/code"}
        made = ImageHandler(here.engine).create(OPERATION, inputs).outputs["imageId"]
        labels = here.engine.client.inspect_image(made)["Config"]["Labels"]
        assert labels["org.opencontainers.image.revision"] == name


def test_an_image_removed_by_hand_is_gone_and_built_again(here: Scene, shell: str, tmp_path: Path) -> None:
    handler, inputs = ImageHandler(here.engine), here.inputs("daily", context=str(context(tmp_path / "a", shell)))
    made = handler.create(OPERATION, inputs)
    here.engine.client.remove_image(made.outputs["reference"])
    assert handler.read(OPERATION, recorded(made, inputs)).id == ""
    assert handler.create(OPERATION, inputs).outputs["reference"] == made.outputs["reference"]


def test_secrets_are_there_while_a_step_runs_and_in_no_layer(here: Scene, shell: str, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cr3t-of-the-build")
    step = 'RUN --mount=type=secret,id=token ["sh", "-c", "cat /run/secrets/token | head -c 6 > /seen"]'
    folder = context(tmp_path / "a", shell, step)
    inputs = here.inputs("daily", context=str(folder), secrets={"token": str(secret)})
    made = ImageHandler(here.engine).create(OPERATION, inputs)
    history = str(here.engine.client.history(made.outputs["reference"]))
    assert "s3cr3t-of" not in history and str(secret) not in history
    job = here.inputs("job", image=made.outputs["reference"], command=["sh", "-c", "cat /seen; ls /run/secrets"])
    assert JobHandler(here.engine).create(OPERATION, job).outputs["log"] == "s3cr3t"


def test_a_failing_build_shows_the_end_of_its_log(here: Scene, shell: str, tmp_path: Path) -> None:
    folder = context(tmp_path / "a", shell, 'RUN ["sh", "-c", "echo the package is not there; exit 4"]')
    with pytest.raises(BuildFailedError) as caught:
        ImageHandler(here.engine).create(OPERATION, here.inputs("daily", context=str(folder)))
    assert 'it failed at `RUN ["sh", "-c", "echo the package is not there; exit 4"]`' in caught.value.what
    assert "the package is not there" in (caught.value.details or "")


def test_a_context_that_is_not_there_is_named(here: Scene, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        ImageHandler(here.engine).create(OPERATION, here.inputs("daily", context=str(tmp_path / "none")))


def test_what_counts_as_content(tmp_path: Path) -> None:
    folder = context(tmp_path / "a", "base:1")
    inputs = {"context": str(folder)}
    before = content_of(inputs)
    (folder / "run.log").write_text("x")
    assert content_of(inputs) == before, "what .dockerignore leaves out"
    assert content_of({**inputs, "secrets": {"a": "b"}}) == before, "secrets"
    assert content_of({**inputs, "arguments": {"A": "1"}}) != before
    assert content_of({**inputs, "key": "another base"}) != before
    (folder / "main.sh").chmod(0o755)
    assert content_of(inputs) != before, "whether a file can be run"


def test_an_image_that_the_engine_has_is_not_pulled(here: Scene, shell: str) -> None:
    made = PulledImageHandler(here.engine).create(OPERATION, {"name": shell})
    assert made.outputs["reference"] == shell and made.outputs["digest"] == ""


def test_a_registry_that_cannot_be_reached_is_told(here: Scene) -> None:
    with pytest.raises((RegistryError, ImageNotFoundError)):
        PulledImageHandler(here.engine).create(OPERATION, {"name": "127.0.0.1:9/nobody/has-this:1"})
