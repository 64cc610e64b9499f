"""Data in volumes of an engine that sees nothing of this machine: whole or not at all, and everything comes back."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process.containers import CARRIED, ContainerPlace, network_name, remove_owned
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.process.engine_archives import Tree
from dataops.infra.process.engine_volumes import fill_volume, read_volume, volume_name
from dataops.infra.process.lake_volume import lake_at_hand, object_sizes
from dataops.infra.providers.base import Recorded
from dataops.infra.providers.local.lake import LakeHandler
from support.docker_engine import OPERATION, docker, require_image

pytestmark = [pytest.mark.docker, pytest.mark.slow]
PATIENCE = 60.0
ENDLESS = 1 << 40
"""Bytes of a file that takes none on the disk."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ContainerPlace]:
    image = str(DockerEngine().ask("GET", f"/images/{require_image()}/json", doing="looking")["Id"])
    root = tmp_path / "platforms" / f"shop-{secrets.token_hex(4)}" / "environments" / "feature-x"
    root.mkdir(parents=True)
    yield ContainerPlace(str(root), network_name(root), image, DockerEngine().socket, CARRIED)
    remove_owned(root)


def files(folder: Path, **contents: bytes) -> Path:
    """A folder with files; `_` in a name stands for a folder."""
    for name, content in contents.items():
        path = folder.joinpath(*name.split("_"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def found(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def lake(place: ContainerPlace, source: Path | None = None) -> dict[str, Any]:
    """Inputs of a lake."""
    path = Path(place.root) / "lake"
    given = {"path": str(path), "container": place.to_json(), "bucket": "feature-x-lake", "generation": "snapshot/0"}
    return {**given, **({"source": str(source)} if source else {})}


def test_what_goes_in_by_several_streams_comes_out_and_belongs_to_whom_it_should(
    place: ContainerPlace, tmp_path: Path
) -> None:
    large = {f"part_{number}": os.urandom(12 << 20) for number in range(4)}
    source = files(tmp_path / "source", **large, deep_er_file=b"deep", left_out=b"nothing")
    (source / "link").symlink_to("deep/er/file")
    trees = [Tree(source, "data", 1234, 4321, skip=["left/out"]), Tree(source / "deep", "open", 0, 0, private=False)]
    content, report = fill_volume(place, "warehouse", trees)
    assert content and report.technique == CARRIED and report.bytes > 48 << 20
    read_volume(place, "warehouse", "data", tmp_path / "back")
    went = {name.replace("_", "/"): text for name, text in large.items()}
    assert found(tmp_path / "back") == {**went, "deep/er/file": b"deep"}
    look = ("/v/data", "/v/data/deep/er/file", "/v/open/er/file", "/v/data/link")
    mount = f"{volume_name(place, 'warehouse')}:/v:ro"
    said = docker("run", "--rm", "--network=none", f"--volume={mount}", place.image, "stat", "-c", "%u:%g %A", *look)
    private, file, opened, link = said.splitlines()
    assert (private, file) == ("1234:4321 drwx------", "1234:4321 -rw-------")
    assert opened.startswith("0:0 -rw-r--r--") and link.startswith("1234:4321 l")
    assert [owned.kind for owned in DockerEngine().owned(place.root)] == ["volume"], "nothing else is left"


def test_a_copy_that_was_killed_is_not_taken_for_a_whole_one(place: ContainerPlace, tmp_path: Path) -> None:
    endless, source = tmp_path / "endless", files(tmp_path / "source", a_b=b"whole")
    files(endless, first=b"first")
    os.truncate(endless / "first", ENDLESS)
    program = "import json, sys; from dataops.infra.providers.local.lake import LakeHandler; " + (
        "from dataops.infra.providers.base import Operation; "
        "LakeHandler().create(Operation('urn:x'), json.loads(sys.argv[1]))"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, json.dumps(lake(place, endless))])
    deadline = time.monotonic() + PATIENCE
    while not any("-open-" in owned.name for owned in DockerEngine().owned(place.root)):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    handler, path = LakeHandler(), Path(place.root) / "lake"
    assert not handler.read(OPERATION, Recorded(str(path), lake(place, endless), {})).found
    made = handler.create(OPERATION, lake(place, source))
    assert made.outputs["cloned"] == CARRIED
    with lake_at_hand(path) as objects:
        assert found(objects) == {"a/b": b"whole"}
    assert [owned.kind for owned in DockerEngine().owned(place.root)] == ["volume"]


def test_a_volume_that_somebody_removed_is_noticed_and_filled_again(place: ContainerPlace, tmp_path: Path) -> None:
    handler, inputs = LakeHandler(), lake(place, files(tmp_path / "source", a=b"whole"))
    made = handler.create(OPERATION, inputs)
    assert handler.read(OPERATION, Recorded(made.id, inputs, made.outputs)).found
    docker("volume", "rm", volume_name(place, "lake"))
    docker("volume", "create", "--label", f"io.dataops.root={place.root}", volume_name(place, "lake"))
    assert not handler.read(OPERATION, Recorded(made.id, inputs, made.outputs)).found
    handler.create(OPERATION, inputs)
    with lake_at_hand(Path(made.id)) as objects:
        assert found(objects) == {"a": b"whole"}
    handler.delete(OPERATION, Recorded(made.id, inputs, made.outputs))
    assert DockerEngine().owned(place.root) == []


def test_objects_are_read_measured_and_written_from_here(place: ContainerPlace, tmp_path: Path) -> None:
    path = Path(LakeHandler().create(OPERATION, lake(place, files(tmp_path / "source", raw_a=b"12", raw_b=b"345"))).id)
    assert object_sizes(path, ["raw/a", "raw", "missing"]) == {"raw/a": 2, "raw": 5}
    with lake_at_hand(path, writing=True) as objects:
        files(objects, raw_b=b"changed", new_c=b"new")
    with lake_at_hand(path) as objects:
        assert found(objects) == {"raw/a": b"12", "raw/b": b"changed", "new/c": b"new"}
    assert sorted(each.name for each in path.parent.iterdir()) == [".lake.complete", "lake"], "no copy is left here"


def test_a_volume_of_somebody_else_is_left_alone(place: ContainerPlace) -> None:
    name = volume_name(place, "lake")
    docker("volume", "create", name)
    try:
        with pytest.raises(ResourceError, match="that is not ours"):
            LakeHandler().create(OPERATION, lake(place))
        assert docker("volume", "ls", "--quiet", "--filter", f"name={name}") == name
    finally:
        docker("volume", "rm", name)
