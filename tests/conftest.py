"""What every test run has: one seed for every sample of a fault run, and a table of the kills.

The seed is told at the end, so that the same sample can be run again.
"""

from __future__ import annotations

import os
import random
import signal

import pytest
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the seed before anything reads it; processes that run tests side by side inherit it.

    No example of a property test fails for being slow: that tells how busy the machine is, not what is tested. Signals
    that the shell ignores, as it does for what it runs in the background, are not ignored here.
    """
    os.environ.setdefault("DATAOPS_SEED", str(random.randrange(1_000_000)))
    slow = [HealthCheck.too_slow]
    settings.register_profile("dataops", settings(), deadline=None, suppress_health_check=slow)
    settings.load_profile("dataops")
    # a handler is not inherited, unlike being ignored
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, lambda *_: None)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tells the seed, and how many kills hit which phase; tests report theirs with `record_property("kill", …)`."""
    from support import docker_engine
    from support.pools import left_out

    if why := docker_engine.left_out():
        terminalreporter.write_line(f"left out: tests on a Docker Engine; {why}")
    if why := left_out():
        terminalreporter.write_line(f"left out: tests on a pool of XFS and btrfs; {why}")
    elif os.geteuid() != 0:
        terminalreporter.write_line("left out: tests that make and remove a pool as root; they need root")
    terminalreporter.write_line(f"fault runs were sampled with DATAOPS_SEED={os.environ['DATAOPS_SEED']}")
    reports = (report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, []))
    kills = [value for r in reports if r.when == "call" for name, value in r.user_properties if name == "kill"]
    if kills:
        from support.kill_table import KillTable

        table = KillTable()
        for command, victim, phases in kills:
            table.add(command, victim, phases)
        for line in table.lines():
            terminalreporter.write_line(line)
