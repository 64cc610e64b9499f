"""What the plugin's options say, and the platform that is tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import NotFoundError

FILE = "dataops.yaml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What tests are run with.

    Args:
        folder: the platform's folder.
        target: `local`, or `docker` for servers and replicas in containers.
        data: `synthetic` for made-up rows, `snapshot` for those of a snapshot.
        snapshot: which; "" for the newest.
        seed: what made-up rows are drawn from.
        branch: whose replica is made; "" for what is checked out.
    """

    folder: Path
    target: str = "local"
    data: str = "synthetic"
    snapshot: str = ""
    seed: int = 0
    branch: str = ""


def find_folder(starts: Iterable[Path]) -> Path:
    """The nearest folder with a `dataops.yaml`, at or above one of some places.

    Raises:
        NotFoundError: there is none.
    """
    places = [start.resolve() for start in starts]
    for place in places:
        for folder in (place, *place.parents):
            if (folder / FILE).is_file():
                return folder
    raise NotFoundError(
        f"there is no {FILE} at or above {', '.join(map(str, places))}",
        hint="run pytest in the platform's folder, or name it with --dataops-folder",
    )
