"""Images go to a registry and come from one, by the credentials of Docker's configuration; refusals are told."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.providers.base import Recorded
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import ImageNotFoundError, RegistryError, RegistryRefusedError
from dataops.infra.providers.docker.image import ImageHandler
from dataops.infra.providers.docker.pulled_image import PulledImageHandler
from dataops.infra.providers.docker.registry import pull, push
from support.docker_engine import OPERATION, Scene
from support.registry import PASSWORD, USER, LocalRegistry, broken_registry, is_installed, local_registry
from support.tls_postgres import Authority

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    if not is_installed() and os.environ.get("CI") != "true":
        pytest.skip("there is no docker-registry, which is a package of Debian")
    with local_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


def engine_for(registry: LocalRegistry, password: str = PASSWORD) -> Engine:
    return Engine({**os.environ, "DOCKER_CONFIG": str(registry.configuration(password))})


def code(here: Scene, folder: Path, **more: Any) -> dict[str, Any]:
    """Inputs of a small image that no other test has."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY main.py /\n")
    (folder / "main.py").write_text(f"# {secrets.token_hex(8)}\n")
    return here.inputs("code", context=str(folder), **more)


def images(here: Scene) -> list[str]:
    found = here.engine.client.images(filters={"label": f"io.dataops.platform={here.platform}"})
    return [name for image in found for name in image["RepoTags"] or []]


def forget(here: Scene, made: dict[str, Any]) -> None:
    """Takes an image from the engine, as if it were another machine's."""
    for image in here.engine.client.images(filters={"label": f"io.dataops.platform={here.platform}"}):
        here.engine.client.remove_image(image["Id"], force=True)
    assert here.engine.client.images(made["reference"]) == []


def test_what_one_machine_built_another_pulls_by_its_content(
    here: Scene, registry: LocalRegistry, tmp_path: Path
) -> None:
    engine = engine_for(registry)
    inputs = code(here, tmp_path / "code", registry=f"{registry.host}/team/{here.platform}")
    made = ImageHandler(engine).create(OPERATION, inputs).outputs
    assert made["digest"].startswith(f"{registry.host}/team/{here.platform}@sha256:")
    assert images(here) == [made["reference"]], "no name is left that would keep it"
    forget(here, made)
    again = ImageHandler(engine).create(OPERATION, {**inputs, "network": "with which nothing is built"}).outputs
    assert (again["imageId"], again["digest"]) == (made["imageId"], made["digest"])
    assert images(here) == [made["reference"]]


def test_a_name_is_held_to_the_digest_that_it_had_for_a_commit(
    here: Scene, registry: LocalRegistry, tmp_path: Path
) -> None:
    engine, name = engine_for(registry), f"{registry.host}/base/{here.platform}:1"
    one, two = (ImageHandler(engine).create(OPERATION, code(here, tmp_path / part)).outputs for part in ("a", "b"))

    def publish(image: str) -> None:
        engine.client.tag(image, name.rpartition(":")[0], "1")
        push(engine, name)
        engine.client.remove_image(name)

    publish(one["imageId"])
    handler, record = PulledImageHandler(engine), tmp_path / "images" / "c0ffee.json"
    first = handler.create(OPERATION, {"name": name, "record": str(record)}).outputs
    assert first["imageId"] == one["imageId"] and first["reference"] == first["digest"]
    publish(two["imageId"])
    forget(here, one)
    recorded = Recorded(name, {"name": name}, first)
    assert handler.read(OPERATION, recorded).id == "", "it says that the image is gone"
    assert here.engine.client.images(first["imageId"]) == [], "and has not pulled it"
    assert handler.create(OPERATION, {"name": name, "record": str(record)}).outputs == first
    other = handler.create(OPERATION, {"name": name, "record": str(tmp_path / "other.json")}).outputs
    assert other["imageId"] == two["imageId"], "a commit that is new gets what the name means now"


def test_credentials_come_from_the_helper_that_the_configuration_names(
    here: Scene, registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ImageHandler(here.engine).create(OPERATION, code(here, tmp_path / "code")).outputs
    name = f"{registry.host}/helped/{here.platform}"
    here.engine.client.tag(made["reference"], name, "1")
    (tmp_path / "config.json").write_text(f'{{"credHelpers": {{"{registry.host}": "tests"}}}}')
    helped = Engine({**os.environ, "DOCKER_CONFIG": str(tmp_path)})
    with pytest.raises(RegistryRefusedError, match="cannot be had from the helper"):
        push(helped, f"{name}:1")
    helper = tmp_path / "docker-credential-tests"
    answer = f'{{"ServerURL": "{registry.host}", "Username": "{USER}", "Secret": "{PASSWORD}"}}'
    helper.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    helped = Engine({**os.environ, "DOCKER_CONFIG": str(tmp_path)})
    assert push(helped, f"{name}:1").startswith(f"{name}@sha256:")


def test_a_registry_that_refuses_is_told_with_what_to_do(here: Scene, registry: LocalRegistry, tmp_path: Path) -> None:
    inputs = code(here, tmp_path / "code", registry=f"{registry.host}/team/refused")
    with pytest.raises(RegistryRefusedError) as caught:
        ImageHandler(engine_for(registry, "wrong")).create(OPERATION, inputs)
    assert "docker login" in (caught.value.hint or "") and PASSWORD not in str(vars(caught.value))
    with pytest.raises(RegistryRefusedError):
        pull(Engine({**os.environ, "DOCKER_CONFIG": str(tmp_path)}), f"{registry.host}/team/nothing:1")
    with pytest.raises(ImageNotFoundError, match="team/nothing:1"):
        pull(engine_for(registry), f"{registry.host}/team/nothing:1")


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "DENIED", RegistryRefusedError),
        (404, "MANIFEST_UNKNOWN", ImageNotFoundError),
        (500, "UNKNOWN", RegistryError),
        (503, "UNAVAILABLE", RegistryError),
    ],
)
def test_what_a_registry_answers_is_told_as_its_own_fault(
    here: Scene, status: int, code: str, error: type[Exception], plain: bool
) -> None:
    with broken_registry(status, "" if plain else code) as host, pytest.raises(error) as caught:
        pull(here.engine, f"{host}/team/thing:1")
    assert f"{host}/team/thing:1" in str(caught.value)


def test_a_registry_whose_certificate_nobody_vouches_for_is_told(here: Scene, tmp_path: Path) -> None:
    # on loopback an engine does without certificates
    bridge = here.engine.client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    certificate = Authority.new("nobody's").issue(tmp_path, "registry", bridge)
    with broken_registry(500, address=bridge, certificate=certificate) as host:
        with pytest.raises(RegistryError, match="cannot be reached") as caught:
            pull(here.engine, f"{host}/team/thing:1")
    assert "x509" in (caught.value.details or "")
