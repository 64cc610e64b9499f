"""`dataops:docker:PulledImage`: an image that others made, held to the digest that it had when it was first pulled."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.platform.image_pins import ImagePin, read_pin, write_pin
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.registry import pull


class PulledImageHandler(ResourceHandler):
    """An image that the engine has, or pulls. It is shared by all, so it stays when the resource goes.

    Inputs: `name`: tag or digest. `record`: a file in which is written what the name meant; who comes with the same
    file gets the same image, whatever the name means by then.

    Outputs: `imageId`; `digest`: `name@sha256:…`, "" for one that was never in a registry; `reference`: what a
    Dockerfile may build on: the digest, else the name.
    """

    token = "dataops:docker:PulledImage"
    required = frozenset({"name"})
    optional = frozenset({"record"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "reference", "imageId", "digest"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recording = Lock()

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        name = str(inputs["name"])
        record = Path(inputs["record"]) if inputs.get("record") else None
        pin = read_pin(record, name) if record else None
        # one that was never in a registry cannot be had again when it is gone: then the name says what there is now
        image = self._had(pin.digest) if pin and pin.digest else self._engine.image(pin.id) if pin else None
        outputs = _outputs(name, image or self._had(name))
        if record is not None and image is None:
            with self._recording:
                write_pin(record, name, ImagePin(outputs["digest"], outputs["imageId"]))
        if pin and pin.digest:
            outputs |= {"digest": pin.digest, "reference": pin.digest}
        return CreateResult(name, outputs)

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        image = self._engine.image(str(recorded.outputs["imageId"]))
        return ReadResult(recorded.id, recorded.outputs) if image else ReadResult("", {})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """It stays: others may use it."""

    def _had(self, reference: str) -> dict[str, Any]:
        """An image, which is pulled when the engine does not have it."""
        image = self._engine.image(reference)
        if image is None:
            pull(self._engine, reference)
            image = self._engine.image(reference)
        if image is None:
            raise ResourceError(f"the image {reference} was removed while it was pulled", hint="run the command again")
        return image


def _outputs(name: str, image: dict[str, Any]) -> dict[str, Any]:
    digests = sorted(image.get("RepoDigests") or [])
    repository = name.partition("@")[0]
    repository = repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
    digest = next((d for d in digests if d.partition("@")[0] == repository), digests[0] if digests else "")
    return {"name": name, "reference": digest or name, "imageId": image["Id"], "digest": digest}
