"""`dataops:docker:Volume`: data that outlive the container that writes them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import look_up, translated
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
        volume = self._find(name)
        if volume is None:
            with translated(f"make the volume {name}"):
                volume = self._engine.client.create_volume(
                    name, inputs.get("driver") or "local", inputs.get("driverOptions") or {}, labels_of(inputs)
                )
        refuse_others("volume", name, volume["Labels"], inputs)
        return CreateResult(name, {"name": name, "mountpoint": volume["Mountpoint"]})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        volume = self._find(recorded.id)
        if volume is None:
            return ReadResult("", {})
        return ReadResult(recorded.id, {"name": recorded.id, "mountpoint": volume["Mountpoint"]})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        from dataops.infra.providers.docker.library import APIError, NotFound

        volume = self._find(recorded.id)
        if volume is None:
            return
        refuse_others("volume", recorded.id, volume["Labels"], recorded.inputs)
        try:
            with translated(f"remove the volume {recorded.id}"), suppress(NotFound):
                self._engine.client.remove_volume(recorded.id)
        except APIError as error:
            raise ResourceError(f"the volume {recorded.id} is in use", details=str(error.explanation)) from error

    def _find(self, name: str) -> dict[str, Any] | None:
        return look_up(f"the volume {name}", lambda: self._engine.client.inspect_volume(name))
