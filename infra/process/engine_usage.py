"""What an environment takes on an engine whose processes and files are not of this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dataops.infra.errors import NotFoundError
from dataops.infra.process.docker_engine import DockerEngine

SIDE_BY_SIDE = 16


def used_on_engine(root: Path) -> tuple[int, int]:
    """Bytes of memory that the environment's running containers have, without what can be read again; bytes on disk.

    Raises:
        ResourceError: the engine does not answer.
    """
    engine = DockerEngine()
    owned = engine.owned(str(root))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:  # some engines take a second for each
        memory = sum(pool.map(partial(_memory, engine), [each.name for each in owned if each.kind == "container"]))
    volumes = {each.name for each in owned if each.kind == "volume"}
    doing = "asking what volumes take"
    found = engine.ask("GET", "/system/df", doing=doing)["Volumes"] or () if volumes else ()
    disk = sum(max(0, int((each.get("UsageData") or {}).get("Size", 0))) for each in found if each["Name"] in volumes)
    return memory, disk


def _memory(engine: DockerEngine, name: str) -> int:
    where = f"/containers/{quote(name)}/stats?stream=false&one-shot=true"
    try:
        found: dict[str, Any] = engine.ask("GET", where, doing="asking what a container takes")
    except NotFoundError:
        return 0
    used = found.get("memory_stats") or {}
    counted = used.get("stats") or {}
    # cgroup v1 and v2 have another name for it
    cached = int(counted.get("total_inactive_file") or counted.get("inactive_file") or 0)
    return max(0, int(used.get("usage") or 0) - cached)
