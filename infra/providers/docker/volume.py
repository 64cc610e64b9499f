"""`dataops:docker:Volume`: data that outlive the container that writes them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.marks import NOTED, REQUIRED, labels_of, refuse_others


class VolumeHandler(ResourceHandler):
    """A volume, found by its name; removed with what is in it.

    Inputs: `name`, `platform`, `environment`; `driver`, `driverOptions`; `release`, `owner`.
    """

    token = "dataops:docker:Volume"
    required = frozenset({"name"}) | REQUIRED
    optional = frozenset({"driver", "driverOptions"}) | NOTED
    noted = NOTED
    replace_on = frozenset({"name", "driver", "driverOptions", "platform", "environment"})
    outputs = frozenset({"name", "mountpoint"})
    delete_before_replace = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        name = str(inputs["name"])
        found = self._find(name)
        if found is None:
            with translated(f"make the volume {name}"):
                found = self._engine.client.create_volume(
                    name, inputs.get("driver") or "local", inputs.get("driverOptions") or {}, labels_of(inputs)
                )
        refuse_others("volume", name, found["Labels"], inputs)
        return CreateResult(name, {"name": name, "mountpoint": found["Mountpoint"]})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        found = self._find(recorded.id)
        if found is None:
            return ReadResult("", {})
        return ReadResult(recorded.id, {"name": recorded.id, "mountpoint": found["Mountpoint"]})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        from docker.errors import APIError, NotFound

        found = self._find(recorded.id)
        if found is None:
            return
        refuse_others("volume", recorded.id, found["Labels"], recorded.inputs)
        try:
            with translated(f"remove the volume {recorded.id}"), suppress(NotFound):
                self._engine.client.remove_volume(recorded.id)
        except APIError as error:
            raise ResourceError(f"the volume {recorded.id} is in use", details=str(error.explanation)) from error

    def _find(self, name: str) -> dict[str, Any] | None:
        from docker.errors import NotFound

        try:
            with translated(f"look for the volume {name}"):
                found: dict[str, Any] = self._engine.client.inspect_volume(name)
                return found
        except NotFound:
            return None
