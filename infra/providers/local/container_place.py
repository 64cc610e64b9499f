"""`dataops:local:ContainerPlace`: where an environment's containers run: a network of its own."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.containers import CARRIED, SHARED, labels_of, network_name
from dataops.infra.process.docker_engine import ROOT_LABEL, DockerEngine, Owned
from dataops.infra.process.engine_archives import text_of
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler, UpdateResult

UNSEEN = re.compile(r"bind source path does not exist|mounts denied|not shared from the host", re.IGNORECASE)
"""What engines say of a path that they do not see; there is no code for it."""


class ContainerPlaceHandler(ResourceHandler):
    """A bridge network that no other environment is on, and how files get into containers there.

    Whether the engine sees the files of this machine is tried with one, in a container of `image` that never starts:
    data are mounted where it does, and else carried into it. That stays as it is found when the network is made.
    """

    token = "dataops:local:ContainerPlace"
    required = frozenset({"root", "image"})
    replace_on = frozenset({"root"})
    noted = frozenset({"image"})
    outputs = frozenset({"root", "network", "socket", "files"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        engine, root = DockerEngine(), Path(inputs["root"])
        files = SHARED if _sees_files(engine, root, str(inputs["image"])) else CARRIED
        _ensure_network(engine, root)
        return CreateResult(network_name(root), _outputs(engine, root, files))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        engine = DockerEngine()
        if engine.network(recorded.id) is None:
            return ReadResult("", {})
        # the engine may listen elsewhere than it did
        return ReadResult(recorded.id, _outputs(engine, Path(str(recorded.inputs["root"])), _files(recorded)))

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        engine, root = DockerEngine(), Path(inputs["root"])
        _ensure_network(engine, root)
        return UpdateResult(_outputs(engine, root, _files(recorded)))

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


def _files(recorded: Recorded) -> str:
    """How files get into containers; before it was told, they were mounted everywhere."""
    return str(recorded.outputs.get("files") or SHARED)


def _outputs(engine: DockerEngine, root: Path, files: str) -> dict[str, Any]:
    return {"root": str(root), "network": network_name(root), "socket": engine.socket, "files": files}


def _sees_files(engine: DockerEngine, root: Path, image: str) -> bool:
    """Whether a container would see the files of this machine, tried with one that is never started.

    An engine in a virtual machine may have a folder of that name, too; it does not have this file with this content.
    """
    root.mkdir(parents=True, exist_ok=True)
    probe, content = root / ".engine-probe", secrets.token_hex(8)
    probe.write_text(content, encoding="utf-8")
    owned = Owned("container", f"{network_name(root)}-engine-probe", str(root))
    mount = {"Type": "bind", "Source": str(probe), "Target": "/probe", "ReadOnly": True}
    body = {"Image": image, "Cmd": ["probe"], "Labels": labels_of(root), "HostConfig": {"Mounts": [mount]}}
    try:
        engine.remove(owned)  # an engine that went away in the middle has kept it
        doing = "showing the engine a file of this machine"
        try:
            engine.ask("POST", f"/containers/create?name={owned.name}", body, doing=doing)
        except ResourceError as error:
            if not UNSEEN.search(error.what):
                raise
            return False
        return content == text_of(engine.socket, owned.name, "/probe")
    finally:
        probe.unlink(missing_ok=True)
        engine.remove(owned)
