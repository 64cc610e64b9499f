"""One seed for every sample of a fault run, told at the end so that the same sample can be run again."""

from __future__ import annotations

import os
import random

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the seed before anything reads it; processes that run tests side by side inherit it."""
    os.environ.setdefault("DATAOPS_SEED", str(random.randrange(1_000_000)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tells the seed."""
    terminalreporter.write_line(f"fault runs were sampled with DATAOPS_SEED={os.environ['DATAOPS_SEED']}")
