"""`dataops:docker:PulledImage`: an image that others made, held to the digest that it had when it was first pulled."""

from __future__ import annotations

from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.registry import pull


class PulledImageHandler(ResourceHandler):
    """An image that the engine has, or pulls. It is shared by all, so it stays when the resource goes.

    Inputs: `name`: tag or digest. Outputs: `imageId`; `digest`: `name@sha256:…`, "" for one that was never in a
    registry; `reference`: what containers are made from: the digest, else the id.
    """

    token = "dataops:docker:PulledImage"
    required = frozenset({"name"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "reference", "imageId", "digest"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        name = str(inputs["name"])
        found = self._find(name)
        if found is None:
            pull(self._engine, name)
            found = self._find(name)
        if found is None:
            raise ResourceError(f"the image {name} was removed while it was pulled", hint="run the command again")
        return CreateResult(name, _outputs(name, found))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        # one that somebody removed is pulled again by its digest: the tag may mean another by now
        if self._find(str(recorded.outputs["reference"])) is None:
            if not recorded.outputs["digest"]:
                return ReadResult("", {})
            pull(self._engine, str(recorded.outputs["digest"]))
        return ReadResult(recorded.id, recorded.outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """It stays: others may use it."""

    def _find(self, reference: str) -> dict[str, Any] | None:
        from docker.errors import NotFound

        try:
            with translated(f"look for the image {reference}"):
                found: dict[str, Any] = self._engine.client.inspect_image(reference)
                return found
        except NotFound:
            return None


def _outputs(name: str, found: dict[str, Any]) -> dict[str, Any]:
    digests = sorted(found.get("RepoDigests") or [])
    repository = name.partition("@")[0]
    repository = repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
    digest = next((d for d in digests if d.partition("@")[0] == repository), digests[0] if digests else "")
    return {"name": name, "reference": digest or found["Id"], "imageId": found["Id"], "digest": digest}
