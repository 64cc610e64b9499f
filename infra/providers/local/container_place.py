"""`dataops:local:ContainerPlace`: where an environment's containers run: a network of its own, and their image."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.containers import labels_of, network_name
from dataops.infra.process.docker_engine import ROOT_LABEL, DockerEngine, Owned
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler, UpdateResult


class ContainerPlaceHandler(ResourceHandler):
    """A bridge network that no other environment is on. The image's id is looked up once and stays until it changes.

    The engine must see the files of this machine, which is tried with one: data are cloned here and used there.
    """

    token = "dataops:local:ContainerPlace"
    required = frozenset({"root", "image"})
    replace_on = frozenset({"root"})
    outputs = frozenset({"root", "image", "imageId", "network", "socket"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        engine, root = DockerEngine(), Path(inputs["root"])
        image = engine.image(str(inputs["image"]))
        _refuse_strange_files(engine, root, image)
        _ensure_network(engine, root)
        return CreateResult(network_name(root), _outputs(engine, inputs, image))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        found = DockerEngine().network(recorded.id)
        return ReadResult(recorded.id, recorded.outputs) if found else ReadResult("", {})

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        engine = DockerEngine()
        _ensure_network(engine, Path(inputs["root"]))
        return UpdateResult(_outputs(engine, inputs, engine.image(str(inputs["image"]))))

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        engine = DockerEngine()
        for owned in engine.owned(str(recorded.inputs["root"])):
            engine.remove(owned)


def _ensure_network(engine: DockerEngine, root: Path) -> None:
    name = network_name(root)
    found = engine.network(name)
    if found is None:
        engine.make_network(name, labels_of(root))
    elif (found.get("Labels") or {}).get(ROOT_LABEL) != str(root):
        raise ResourceError(f"the engine has a network {name} that is not ours", hint="remove it, or rename it")


def _outputs(engine: DockerEngine, inputs: dict[str, Any], image: str) -> dict[str, Any]:
    root = Path(inputs["root"])
    return {
        "root": str(root),
        "image": inputs["image"],
        "imageId": image,
        "network": network_name(root),
        "socket": engine.socket,
    }


def _refuse_strange_files(engine: DockerEngine, root: Path, image: str) -> None:
    """Tries whether a container would see the files of this machine, with one that is never started.

    Raises:
        ResourceError: the engine is on another machine, or in a virtual one that shares nothing.
    """
    root.mkdir(parents=True, exist_ok=True)
    probe = root / f".engine-probe-{os.getpid()}-{secrets.token_hex(4)}"
    probe.write_bytes(b"dataops")
    name = f"{network_name(root)}-{probe.name.removeprefix('.')}"
    mount = {"Type": "bind", "Source": str(probe), "Target": "/probe", "ReadOnly": True}
    body = {"Image": image, "Cmd": ["probe"], "Labels": labels_of(root), "HostConfig": {"Mounts": [mount]}}
    try:
        engine.ask("POST", f"/containers/create?name={name}", body, doing="showing the engine a file of this machine")
    except ResourceError as error:
        raise ResourceError(
            "the Docker Engine does not see the files of this machine",
            where=str(root),
            hint="run the environment with `--target local`, or use the Docker Engine of this machine",
            details=error.what,
        ) from None
    finally:
        engine.remove(Owned("container", name, str(root)))
        probe.unlink(missing_ok=True)
