"""A platform whose marts have something to lose, for verifications of its branches on any target."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from dataops.envs.sweep import processes_of
from dataops.infra.process.built_images import built_images
from dataops.infra.process.containers import remove_owned
from dataops.infra.process.docker_engine import DockerEngine, engine_is_there
from support.docker_engine import IMAGES
from support.scratch_git import git
from support.scratch_platform import PLATFORM, ScratchPlatform, scratch_platform
from support.worlds import NEEDED

PATIENCE = 120.0

MARTS = """\
import os
import psycopg
TOTALS = "SELECT count(*)::int AS orders, sum(amount)::int AS total FROM raw.orders"
BUYERS = "SELECT customer, sum(amount)::int AS spent FROM raw.orders GROUP BY 1"
with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
    connection.execute("DROP TABLE IF EXISTS marts.sales, marts.buyers")
    connection.execute("CREATE TABLE marts.sales AS " + TOTALS)
    connection.execute("CREATE TABLE marts.buyers AS " + BUYERS)
"""
WORSE = MARTS.replace("sum(amount)::int AS total", "sum(amount) AS total").replace(
    "GROUP BY 1", "WHERE order_id <= 30 GROUP BY 1"
)
BROKEN = MARTS.replace("marts.sales, marts.buyers", "marts.nothing_of_that_name CASCADE; SELECT 1/0")
WAITS = "import time\ntime.sleep(600)\n"

TABLES = (
    PLATFORM.replace("PYTHON", "python")
    .replace("tables: [marts.sales]", "tables: [marts.sales, marts.buyers]")
    .replace('outputs: ["warehouse:marts.sales"]', 'outputs: ["warehouse:marts.sales", "warehouse:marts.buyers"]')
    .replace(
        "    marts.sales: {keep: [orders, total]}\n",
        "    marts.sales: {keep: [orders, total]}\n    marts.buyers: {keep: [spent], customer: name}\n",
    )
)
VERIFICATION = f"""\
verification:
  checks:
    sums: [python, checks/sums.py]
{IMAGES}"""
SUMS = """\
import os
import psycopg
GAP = "SELECT (SELECT sum(spent) FROM marts.buyers) - (SELECT total FROM marts.sales)"
with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
    (gap,) = connection.execute(GAP).fetchone()
assert gap == 0, f"{gap} of sales were bought by nobody"
"""


MADE_UP = {
    "dataops.yaml": TABLES
    + VERIFICATION.replace(
        "images:",
        """\
  synthetic:
    schemaFiles: [schema.sql]
    rows: 120
    columns: {raw.orders: {amount: {from: 10, to: 500, nulls: 0%}, customer: {nulls: 0%}}}
images:""",
    ),
    "schema.sql": "CREATE TABLE raw.orders (order_id int PRIMARY KEY, customer text NOT NULL, amount int);\n",
    "pipelines/extract.py": "raise SystemExit('nobody here may ask for orders')\n",
}
"""Of a platform whose orders come from elsewhere, so that there are none until somebody makes them up."""


@contextmanager
def verified_platform(produced: bool = True, more: dict[str, str] | None = None) -> Iterator[ScratchPlatform]:
    """The platform, with production and a snapshot unless those are not wanted; no container is left at the end.

    Args:
        more: files that it has beside those, or instead of them.
    """
    files = {
        "dataops.yaml": TABLES + VERIFICATION,
        "requirements.txt": "".join(f"{name}=={version(name)}\n" for name in NEEDED),
        "pipelines/marts.py": MARTS,
        "checks/sums.py": SUMS,
        **(more or {}),
    }
    with scratch_platform(files) as made:
        if produced:
            made.produce()
        try:
            yield made
        finally:
            if engine_is_there():
                for root in made.roots():
                    remove_owned(root)


def remains(platform: ScratchPlatform) -> list[str]:
    """What verifications of a platform left on this machine: nothing, if all is well."""
    found = [str(root) for root in platform.roots() if root.name != "production"]
    for places in platform.home.glob("platforms/*"):
        found += [path.name for path in (places / "registry").glob("verify-*")]
        for environment in (places / "environments").glob("*"):
            if environment.name != "production":
                found += [f"process {pid}" for pid in processes_of(environment)]
        if engine_is_there():
            engine = DockerEngine()
            found += [f"{o.kind} {o.name}" for o in engine.owned() if Path(o.root).is_relative_to(places)]
            found += [f"image {image.reference}" for image in built_images(engine, places)]
    found += [str(path) for path in platform.folder.glob(".dataops/**/verify-*")]
    found += [line for line in git(platform.folder, "worktree", "list").splitlines() if "verify-" in line]
    return found


def wait_for_step(process: subprocess.Popen[str], step: str) -> None:
    """Reads what a verification tells until a step of a pipeline runs."""
    assert process.stderr is not None
    deadline, told = time.monotonic() + PATIENCE, []
    for line in process.stderr:
        if line.startswith(f"{step}: "):
            return
        told.append(line)
        assert time.monotonic() < deadline, "".join(told)
    process.communicate()
    raise AssertionError(f"the verification ended before: {''.join(told[-20:])}")
