"""What the state costs: bytes of journal per step as a stack grows, and requests to S3 per update."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dataops.infra.state.backend import Backend, open_backend
from dataops.infra.state.s3_location import S3Location
from dataops.infra.state.s3_storage import S3Storage
from dataops.infra.state.stack_backend import StackBackend
from support.s3_server import CREDENTIALS, s3_server
from support.stacks import REF, begun, done, stack_secrets, thing

WRITES = ("PutObject", "CopyObject", "ListObjectsV2")
"""Requests that S3 charges like a PUT; the others cost a twelfth of it, and deletions nothing."""


def update(backend: Backend, start: int, count: int) -> float:
    """Creates resources in one update; gives the seconds it took."""
    began = time.perf_counter()
    with backend.begin(REF, "update", stack_secrets()) as session:
        kept = len(session.base.resources)
        for number in range(kept):
            session.append(done(number + 1, session.base.resources[number], removes_base=number, durable=False))
        for number in range(count):
            session.append(begun(kept + number + 1, thing(f"r{start + number}")))
            session.append(done(kept + number + 1, thing(f"r{start + number}")))
        session.finish("succeeded", {"create": count})
    return time.perf_counter() - began


def journal_bytes_per_step(sizes: tuple[int, ...] = (100, 1_000, 5_000)) -> dict[int, float]:
    """Bytes of journal for each of 100 creations, in stacks that have so many resources already."""
    found = {}
    for size in sizes:
        folder = Path(tempfile.mkdtemp(prefix="dataops-bench-"))
        try:
            backend = open_backend(str(folder))
            backend.create(REF, stack_secrets())
            update(backend, 100_000, size)
            journal = folder / ".pulumi/stacks/shop/dev.json.journal"
            with backend.begin(REF, "update", stack_secrets()) as session:
                session.append(begun(1, thing("r100000")))
                before = journal.stat().st_size
                for number in range(100):
                    session.append(begun(number + 2, thing(f"r{200_000 + number}")))
                    session.append(done(number + 2, thing(f"r{200_000 + number}")))
                found[size] = (journal.stat().st_size - before) / 100
        finally:
            shutil.rmtree(folder)
    return found


def requests_per_update(count: int = 50) -> tuple[Counter[str], int, float]:
    """Requests to S3 of one update of so many steps, one after the other, and its seconds."""
    os.environ.update(CREDENTIALS)
    with s3_server() as server:
        storage = S3Storage(S3Location.parse(server.url(server.bucket())))
        backend = StackBackend(storage)
        backend.create(REF, stack_secrets())
        asked: Counter[str] = Counter()
        storage.client.meta.events.register("before-call.s3", lambda model, **_: asked.update([model.name]))
        return asked, count, update(backend, 0, count)


def measure() -> None:
    """Prints both."""
    for size, cost in journal_bytes_per_step().items():
        print(f"journal: {cost:.0f} bytes a step in a stack of {size} resources")
    for count in (0, 50):
        asked, _, seconds = requests_per_update(count)
        charged = sum(number for name, number in asked.items() if name in WRITES)
        said = ", ".join(f"{name} {number}" for name, number in sorted(asked.items()))
        print(f"S3: {charged} charged as PUT for an update of {count} steps in {seconds:.1f} s ({said})")


if __name__ == "__main__":
    measure()
