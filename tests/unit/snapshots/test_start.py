"""A process that captures has begun before there is something for it to do."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_starts_without_what_only_planning_needs() -> None:
    program = "import sys; import dataops.snapshots.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"pydantic", "ruamel.yaml", "psycopg", "boto3"}.isdisjoint(done.stdout.split())
