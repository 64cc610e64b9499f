"""A small platform in a scratch repository, with a home of its own, driven through the console script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.envs.sweep import end_processes, remove_files
from support.console import SCRIPT, Outcome
from support.scratch_git import commit, git, repository

PLATFORM = """\
apiVersion: dataops/v1
name: shop
stores:
  warehouse: {kind: postgres, database: shop, schemas: [raw, marts]}
  lake: {kind: objects}
pipelines:
  sales:
    steps:
      - {name: extract, run: ["PYTHON", pipelines/extract.py], outputs: ["lake:raw/orders.parquet"]}
      - name: load
        run: ["PYTHON", pipelines/load.py]
        inputs: ["lake:raw/orders.parquet"]
        outputs: ["warehouse:raw.orders"]
      - name: marts
        run: ["PYTHON", pipelines/marts.py]
        inputs: ["warehouse:raw.orders"]
        outputs: ["warehouse:marts.sales"]
services:
  sales-api: {run: ["PYTHON", services/sales_api.py], port: PORT, health: /healthz}
products:
  sales: {owner: analytics, tables: [marts.sales], objects: ["marts/*"]}
access:
  people: {ada: {email: ada@example.com, teams: [analytics]}}
  teams: {analytics: {}}
  roles: {sales_reader: {product: sales, privileges: [select], members: ["team:analytics"]}}
masking:
  tables:
    raw.orders: {keep: [order_id, amount], customer: name}
    marts.sales: {keep: [orders, total]}
  lake:
    raw/orders.parquet: {like: raw.orders}
environments:
  production: {branch: main, variables: {GREETING: hello}}
  replica: {variables: {GREETING: hi}}
"""

EXTRACT = """\
import os
import pyarrow, pyarrow.fs, pyarrow.parquet
files, lake = pyarrow.fs.FileSystem.from_uri(os.environ["LAKE_URL"])
if files.type_name == "local":
    files.create_dir(f"{lake}/raw")
numbers = range(1, 51)
names = [f"Customer {n}" for n in numbers]
columns = {"order_id": list(numbers), "customer": names, "amount": [n * 10 for n in numbers]}
pyarrow.parquet.write_table(pyarrow.table(columns), f"{lake}/raw/orders.parquet", filesystem=files)
"""

LOAD = """\
import json, os, pathlib
import psycopg, pyarrow.fs, pyarrow.parquet
files, lake = pyarrow.fs.FileSystem.from_uri(os.environ["LAKE_URL"])
with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS raw.orders (order_id int PRIMARY KEY, customer text, amount int)")
    connection.execute("TRUNCATE raw.orders")
    for row in pyarrow.parquet.read_table(f"{lake}/raw/orders.parquet", filesystem=files).to_pylist():
        connection.execute("INSERT INTO raw.orders VALUES (%(order_id)s, %(customer)s, %(amount)s)", row)
    count = connection.execute("SELECT count(*) FROM raw.orders").fetchone()[0]
pathlib.Path(os.environ["DATAOPS_STEP_REPORT"]).write_text(json.dumps({"rows": {"raw.orders": count}}))
print(f"loaded {count} orders")
"""

MARTS = """\
import os
import psycopg
FACTOR = 1
with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS marts.sales (orders int, total int)")
    connection.execute("TRUNCATE marts.sales")
    connection.execute("INSERT INTO marts.sales SELECT count(*), %s * sum(amount) FROM raw.orders", (FACTOR,))
"""

SERVICE = """\
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["GREETING"].encode())
    def log_message(self, *words):
        pass
address = os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])
http.server.HTTPServer(address, Handler).serve_forever()
"""

INSTALLING = (
    *("UV_CACHE_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Variables without which requirements cannot be installed on some machines."""

FILES = {
    "dataops.yaml": PLATFORM.replace("PYTHON", sys.executable),
    "Pulumi.yaml": "name: shop\nruntime: python\nmain: stacks/\n",
    "stacks/__main__.py": "from dataops.stacks import deploy\n\ndeploy()\n",
    "requirements.txt": "# nothing: the steps run with the interpreter of the tests\n",
    "pipelines/extract.py": EXTRACT,
    "pipelines/load.py": LOAD,
    "pipelines/marts.py": MARTS,
    "services/sales_api.py": SERVICE,
    ".gitignore": "__pycache__/\n.dataops/\n",
}


@dataclass(frozen=True)
class ScratchPlatform:
    """The platform's repository, and a home that no other test uses; `engine` is another than the usual one."""

    folder: Path
    home: Path
    engine: str = ""

    def variables(self, **more: str) -> dict[str, str]:
        """The variables that `dataops` is run with."""
        kept = ("PATH", "HOME", "LANG", "PYTHONDONTWRITEBYTECODE", *INSTALLING)
        own = {"DATAOPS_HOME": str(self.home), "PULUMI_HOME": str(self.home / "pulumi"), "COLUMNS": "120"}
        own |= {"DOCKER_HOST": f"unix://{self.engine}"} if self.engine else {}
        return {**{name: os.environ[name] for name in kept if name in os.environ}, **own, **more}

    def run(self, *words: str, cwd: Path | None = None, prefix: Sequence[str] = (), **variables: str) -> Outcome:
        """Runs `dataops` with the words; `prefix` is a command that runs it."""
        done = subprocess.run(
            [*prefix, str(SCRIPT), *words],
            cwd=cwd or self.folder, env=self.variables(**variables), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    def do(self, *words: str, **options: Any) -> Outcome:
        """Runs `dataops` with the words, which has to end well."""
        outcome = self.run(*words, **options)
        assert outcome.status == 0, f"dataops {' '.join(words)}\n{outcome.stdout}\n{outcome.stderr}"
        return outcome

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Starts `dataops` in a process group of its own and returns at once; the caller ends it."""
        return subprocess.Popen(
            [str(SCRIPT), *words],
            cwd=self.folder, env=self.variables(**variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def branch(self, name: str, files: dict[str, str] | None = None) -> str:
        """Makes a branch from main, with changes or without, and leaves main checked out."""
        git(self.folder, "switch", "--quiet", "-c", name, "main")
        made = commit(self.folder, files, "Change") if files else git(self.folder, "rev-parse", "HEAD")
        git(self.folder, "switch", "--quiet", "main")
        return made

    def produce(self, *options: str) -> None:
        """Deploys production, with further options, runs its pipeline and takes a snapshot."""
        self.do("env", "deploy", "production", "--yes", *options)
        self.do("pipeline", "run", "sales", "--env", "production")
        self.do("snapshot", "capture", "--env", "production")

    def roots(self) -> list[Path]:
        """The folders of all environments there are."""
        return sorted(self.home.glob("platforms/*/environments/*"))


@contextmanager
def scratch_platform(
    files: dict[str, str] | None = None, below: Path = Path("/tmp"), repo: str = "repo", home: str = "home"
) -> Iterator[ScratchPlatform]:
    """A platform in a place that every user may enter, with a short path; nothing of it is left at the end."""
    place = Path(tempfile.mkdtemp(prefix="dataops-story-", dir=below))
    place.chmod(0o755)
    platform = ScratchPlatform(repository(place / repo, {**FILES, **(files or {})}), place / home)
    try:
        yield platform
    finally:
        end_processes(place)
        for root in platform.roots():
            remove_files(root)
        shutil.rmtree(place, ignore_errors=True)
