"""`dataops:docker:Image`: an image built from a folder, named by its content: nothing unchanged is built again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.providers.base import CheckFailure, CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.build import Recipe, build
from dataops.infra.providers.docker.content import content_of, dockerfile_text, ignored
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import ImageNotFoundError, translated
from dataops.infra.providers.docker.marks import CONTENT, NOTED, PLATFORM, REQUIRED, labels_of
from dataops.infra.providers.docker.registry import pull, push

TAG_LENGTH = 24


class ImageHandler(ResourceHandler):
    """An image, found by its tag, which is the hash of its content.

    Inputs, beside `name` (the repository: `dataops/flights-1f2e3d4c/feature-x`), `platform`, `environment`, `release`,
    `owner`:
        context: the folder. Where it lies is no matter, what is in it counts.
        dockerfile, dockerfileText: a file below the context, or the text itself.
        arguments: of the build; they end in the history, so no secrets.
        secrets: id to the path of a file, for `RUN --mount=type=secret`, beside those of `build_secrets.py`. What they
            hold does not make another image.
        stage, network: of the build. key: anything else that makes it another image.
        commit: for the label `org.opencontainers.image.revision`.
        registry: a repository, `registry.example.com/team/flights`: what it has of equal content is pulled rather than
            built, and what was built is pushed there.

    Outputs: `reference` (name and tag), `imageId`, `content`, and `digest` (`name@sha256:…`), "" without a registry.
    """

    token = "dataops:docker:Image"
    required = frozenset({"name", "context"}) | REQUIRED
    optional = NOTED | {
        "dockerfile",
        "dockerfileText",
        "arguments",
        "secrets",
        "stage",
        "network",
        "key",
        "commit",
        "registry",
    }
    noted = NOTED | {"context", "commit", "secrets"}
    replace_on = frozenset({"name", "platform", "environment"})
    outputs = frozenset({"reference", "imageId", "content", "digest"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, inputs: dict[str, Any]) -> Iterable[CheckFailure]:
        if inputs.get("dockerfile") and inputs.get("dockerfileText"):
            yield CheckFailure("dockerfileText", "is given beside a dockerfile; one of them is enough")

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        everything = ["reference", "imageId", "content", "digest"]
        if "context" not in inputs:
            return []
        try:
            content = content_of(inputs)
        except OSError:
            # not there yet: only a checkout of another commit can hold something else
            return everything if inputs["context"] != recorded.inputs.get("context") else []
        return everything if content != recorded.outputs.get("content") else []

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        try:
            content = content_of(inputs)
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"there is nothing to build {inputs['name']} from: {error.filename} is missing"
            ) from error
        reference = f"{inputs['name']}:{content[:TAG_LENGTH]}"
        image = self._find(reference) or self._equal(inputs, content, reference)
        shared, digest = self._shared(inputs, content), ""
        if image is None and shared:
            image, digest = self._pulled(shared, reference)
        if image is None:
            build(self._engine, _recipe(inputs, reference, content))
            image = self._find(reference)
        if shared and not digest:
            digest = self._pushed(reference, shared)
        outputs = {"reference": reference, "imageId": image or "", "content": content, "digest": digest}
        return CreateResult(str(inputs["name"]), outputs)

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        image = self._find(str(recorded.outputs["reference"]))
        return ReadResult(recorded.id, {**recorded.outputs, "imageId": image}) if image else ReadResult("", {})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """Takes the name away, with every tag that updates left; layers go with the last name of theirs."""
        from dataops.infra.providers.docker.library import APIError, NotFound

        client = self._engine.client
        with translated(f"remove the image {recorded.id}"):
            for image in client.images(recorded.id, filters={"label": f"{PLATFORM}={recorded.inputs['platform']}"}):
                for tag in image["RepoTags"] or []:
                    if tag.rpartition(":")[0] == recorded.id:
                        # a container of somebody's own that was made from it keeps it
                        with suppress(NotFound, APIError):
                            client.remove_image(tag)

    def _shared(self, inputs: dict[str, Any], content: str) -> str:
        """What an image of that content is called in the registry, "" without one: other machines may be of another
        architecture."""
        if not inputs.get("registry"):
            return ""
        return f"{inputs['registry']}:{content[:TAG_LENGTH]}-{self._engine.architecture()}"

    def _pulled(self, shared: str, reference: str) -> tuple[str | None, str]:
        """The registry's image, which then has this name, and its digest there; None when the registry has none."""
        try:
            pull(self._engine, shared)
        except ImageNotFoundError:
            return None, ""
        image = self._engine.image(shared) or {}
        repository = shared.rpartition(":")[0]
        digests = [each for each in image.get("RepoDigests") or [] if each.partition("@")[0] == repository]
        self._name(shared, reference)
        self._forget(shared)
        return self._find(reference), next(iter(digests), "")

    def _pushed(self, reference: str, shared: str) -> str:
        """By which digest the registry has the image from now on."""
        self._name(reference, shared)
        try:
            return push(self._engine, shared)
        finally:
            self._forget(shared)

    def _forget(self, reference: str) -> None:
        """Takes a name away again: an image is kept by the names that environments have for it alone."""
        from dataops.infra.providers.docker.library import APIError, NotFound

        with suppress(NotFound, APIError), translated(f"take away the name {reference}"):
            self._engine.client.remove_image(reference)

    def _name(self, image: str, reference: str) -> None:
        name, _, tag = reference.rpartition(":")
        with translated(f"name the image {reference}"):
            self._engine.client.tag(image, name, tag)

    def _find(self, reference: str) -> str | None:
        image = self._engine.image(reference)
        return str(image["Id"]) if image else None

    def _equal(self, inputs: dict[str, Any], content: str, reference: str) -> str | None:
        """An image of equal content that has a name beside this one, which it then has, too.

        Names beside one another are of one platform, and of one repository: labels say its commits.
        """
        from dataops.infra.providers.docker.library import NotFound

        client = self._engine.client
        labels = [f"{PLATFORM}={inputs['platform']}", f"{CONTENT}={content}"]
        with translated("look for an equal image"):
            for image in client.images(filters={"label": labels}):
                if not any(_folder(name) == _folder(reference) for name in image["RepoTags"] or []):
                    continue
                with suppress(NotFound):  # its last user may have gone this very moment
                    self._name(image["Id"], reference)
                    return str(image["Id"])
        return None


def _folder(reference: str) -> str:
    return reference.rpartition("/")[0]


def _recipe(inputs: dict[str, Any], reference: str, content: str) -> Recipe:
    labels = {
        **labels_of(inputs, content=content),
        "org.opencontainers.image.revision": str(inputs.get("commit") or ""),
        "org.opencontainers.image.version": str(inputs.get("release") or ""),
        "org.opencontainers.image.title": str(inputs["platform"]),
    }
    return Recipe(
        context=Path(inputs["context"]),
        dockerfile=dockerfile_text(inputs),
        reference=reference,
        labels={name: value for name, value in labels.items() if value},
        ignored=ignored(Path(inputs["context"]), str(inputs.get("dockerfile") or "")),
        arguments={name: str(value) for name, value in (inputs.get("arguments") or {}).items()},
        secrets=inputs.get("secrets") or {},
        stage=str(inputs.get("stage") or ""),
        network=str(inputs.get("network") or ""),
    )
