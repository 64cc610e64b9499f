"""`dataops:docker:PulledImage`: an image that others made, held to the digest that it had when it was first pulled."""

from __future__ import annotations

from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import look_up
from dataops.infra.providers.docker.registry import pull


class PulledImageHandler(ResourceHandler):
    """An image that the engine has, or pulls. It is shared by all, so it stays when the resource goes.

    Inputs: `name`: tag or digest. Outputs: `imageId`; `digest`: `name@sha256:…`, "" for one that was never in a
    registry; `reference`: what a Dockerfile may build on: the digest, else the name.
    """

    token = "dataops:docker:PulledImage"
    required = frozenset({"name"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "reference", "imageId", "digest"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        name = str(inputs["name"])
        image = self._find(name)
        if image is None:
            pull(self._engine, name)
            image = self._find(name)
        if image is None:
            raise ResourceError(f"the image {name} was removed while it was pulled", hint="run the command again")
        return CreateResult(name, _outputs(name, image))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        image = self._find(str(recorded.outputs["imageId"]))
        return ReadResult(recorded.id, recorded.outputs) if image else ReadResult("", {})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """It stays: others may use it."""

    def _find(self, reference: str) -> dict[str, Any] | None:
        return look_up(f"the image {reference}", lambda: self._engine.client.inspect_image(reference))


def _outputs(name: str, image: dict[str, Any]) -> dict[str, Any]:
    digests = sorted(image.get("RepoDigests") or [])
    repository = name.partition("@")[0]
    repository = repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
    digest = next((d for d in digests if d.partition("@")[0] == repository), digests[0] if digests else "")
    return {"name": name, "reference": digest or name, "imageId": image["Id"], "digest": digest}
