"""A command that is started without standard streams has some all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from dataops.cli.streams import open_missing
open_missing()
sys.stdout.write("out"), sys.stderr.write("err"), sys.stdin.read()
sys.stdout.flush(), sys.stderr.flush(), sys.stdin.isatty()
assert os.open("/dev/null", os.O_RDONLY) > 2
assert all(os.get_inheritable(number) for number in range(3))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-", ""])
def test_closed_streams_are_replaced_by_empty_ones(closed: str) -> None:
    command = ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, PROGRAM]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if ">&-" in closed.replace("2>&-", "") else "out")
    assert done.stderr == ("" if "2>&-" in closed else "err")
