"""Plugins for tests: folders and programs as the Pulumi CLI installs them."""

from __future__ import annotations

import sys
from pathlib import Path

PLUGIN = Path(__file__).resolve().parents[1] / "programs" / "world_plugin.py"


def install(folder: Path, package: str = "world", program: str = "") -> Path:
    """A plugin's program in a folder; by default that of tests/programs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pulumi-resource-{package}"
    path.write_text(f'#!/bin/sh\n{program or f"exec {sys.executable} {PLUGIN}"} "$@"\n')
    path.chmod(0o755)
    return path
