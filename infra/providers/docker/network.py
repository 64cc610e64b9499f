"""`dataops:docker:Network`: a bridge network of an environment; containers of other networks cannot reach into it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.marks import NOTED, REQUIRED, labels_of, refuse_others


class NetworkHandler(ResourceHandler):
    """A network, found by its name. Containers that are not the engine's business any more are cut off at its delete.

    Inputs: `name`, `platform`, `environment`; `internal`: without a way out; `release`, `owner`.
    """

    token = "dataops:docker:Network"
    required = frozenset({"name"}) | REQUIRED
    optional = frozenset({"internal"}) | NOTED
    noted = NOTED
    replace_on = frozenset({"name", "internal", "platform", "environment"})
    outputs = frozenset({"name", "networkId"})
    delete_before_replace = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        from dataops.infra.providers.docker.library import APIError

        name, client = str(inputs["name"]), self._engine.client
        found = self._find(name)
        if found is None:
            with translated(f"make the network {name}"):
                # the engine lets two networks have one name; a crash before the record must not make the second
                with suppress(APIError):
                    client.create_network(
                        name, check_duplicate=True, internal=bool(inputs.get("internal")), labels=labels_of(inputs)
                    )
                found = self._find(name)
            if found is None:
                raise ResourceError(
                    f"the Docker Engine could not make the network {name}",
                    hint="it may have no free range of addresses left: docker network ls, then remove unused networks",
                )
        refuse_others("network", name, found["Labels"], inputs)
        return CreateResult(name, {"name": name, "networkId": found["Id"]})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        found = self._find(recorded.id)
        return ReadResult(recorded.id, {"name": recorded.id, "networkId": found["Id"]}) if found else ReadResult("", {})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        from dataops.infra.providers.docker.library import NotFound

        client, found = self._engine.client, self._find(recorded.id)
        if found is None:
            return
        refuse_others("network", recorded.id, found["Labels"], recorded.inputs)
        with translated(f"remove the network {recorded.id}"), suppress(NotFound):
            for container in client.inspect_network(found["Id"])["Containers"] or {}:
                with suppress(NotFound):
                    client.disconnect_container_from_network(container, found["Id"], force=True)
            client.remove_network(found["Id"])

    def _find(self, name: str) -> dict[str, Any] | None:
        with translated(f"look for the network {name}"):
            found = [n for n in self._engine.client.networks(names=[name]) if n["Name"] == name]
        return found[0] if found else None
