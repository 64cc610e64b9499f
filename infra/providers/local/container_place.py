"""`dataops:local:ContainerPlace`: where an environment's containers run: a network of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.containers import labels_of, network_name
from dataops.infra.process.docker_engine import ROOT_LABEL, DockerEngine, Owned
from dataops.infra.process.docker_faults import EngineFullError, EngineUnavailableError
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler, UpdateResult


class ContainerPlaceHandler(ResourceHandler):
    """A bridge network that no other environment is on.

    The engine must see the files of this machine, which is tried with one, in a container of `image` that never starts:
    data are cloned here and used there.
    """

    token = "dataops:local:ContainerPlace"
    required = frozenset({"root", "image"})
    replace_on = frozenset({"root"})
    noted = frozenset({"image"})
    outputs = frozenset({"root", "network", "socket"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        engine, root = DockerEngine(), Path(inputs["root"])
        _refuse_strange_files(engine, root, str(inputs["image"]))
        _ensure_network(engine, root)
        return CreateResult(network_name(root), _outputs(engine, root))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        engine = DockerEngine()
        if engine.network(recorded.id) is None:
            return ReadResult("", {})
        # the engine may listen elsewhere than it did
        return ReadResult(recorded.id, _outputs(engine, Path(str(recorded.inputs["root"]))))

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        engine, root = DockerEngine(), Path(inputs["root"])
        _ensure_network(engine, root)
        return UpdateResult(_outputs(engine, root))

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


def _outputs(engine: DockerEngine, root: Path) -> dict[str, Any]:
    return {"root": str(root), "network": network_name(root), "socket": engine.socket}


def _refuse_strange_files(engine: DockerEngine, root: Path, image: str) -> None:
    """Tries whether a container would see the files of this machine, with one that is never started.

    Raises:
        ResourceError: the engine is on another machine, or in a virtual one that shares nothing.
    """
    root.mkdir(parents=True, exist_ok=True)
    probe = root / ".engine-probe"
    probe.write_bytes(b"dataops")
    owned = Owned("container", f"{network_name(root)}-engine-probe", str(root))
    mount = {"Type": "bind", "Source": str(probe), "Target": "/probe", "ReadOnly": True}
    body = {"Image": image, "Cmd": ["probe"], "Labels": labels_of(root), "HostConfig": {"Mounts": [mount]}}
    try:
        engine.remove(owned)  # an engine that went away in the middle has kept it
        doing = "showing the engine a file of this machine"
        engine.ask("POST", f"/containers/create?name={owned.name}", body, doing=doing)
        engine.remove(owned)
    except (EngineUnavailableError, EngineFullError):
        raise
    except ResourceError as error:
        raise ResourceError(
            "the Docker Engine does not see the files of this machine",
            where=str(root),
            hint="run the environment with `--target local`, or use the Docker Engine of this machine",
            details=error.what,
        ) from None
    finally:
        probe.unlink(missing_ok=True)
