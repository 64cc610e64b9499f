"""Passwords: in files of their owners alone, in no process list, in nothing that commands print."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow


class ProcessList:
    """Every command line that any process had while it was watched, and every variable that others could read."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.samples = 0

    def look(self) -> None:
        """Reads the list once, as fast as /proc gives it."""
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    with open(f"/proc/{entry.name}/cmdline", "rb") as file:
                        self.seen.add(file.read().decode(errors="replace"))
                    mode = os.stat(f"/proc/{entry.name}/environ").st_mode
                    if mode & (stat.S_IRGRP | stat.S_IROTH):
                        with open(f"/proc/{entry.name}/environ", "rb") as file:
                            self.seen.add(file.read().decode(errors="replace"))
                except OSError:
                    continue
        self.samples += 1

    def holds(self, text: str) -> bool:
        """Whether a text was in the list at any time."""
        return any(text in line for line in self.seen)

    @contextmanager
    def watched(self) -> Iterator[ProcessList]:
        """Watches while the block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.01):
                self.look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()


def test_the_watch_sees_a_secret_that_is_an_argument() -> None:
    with ProcessList().watched() as watch:
        subprocess.run(["sh", "-c", "sleep 0.3; exit 0 # hunter2-hunter2"], check=True)
    assert watch.samples > 3 and watch.holds("hunter2-hunter2")


def test_passwords_are_in_files_of_their_owner_alone_and_in_no_process_list(shop: ScratchPlatform) -> None:
    shop.branch("feature/quiet")
    with ProcessList().watched() as watch:
        made = shop.do("env", "up", "--branch", "feature/quiet", "-o", "json")
        shop.do("pipeline", "run", "sales", "--env", "feature-quiet")
        shop.do("env", "connect", "feature-quiet", "--show-password")
    root = Path(shop.do("env", "status", "feature-quiet", "-o", "json").json["root"])
    passwords = passwords_of(root, shop)
    assert len(passwords) >= 2 and all(len(password) > 20 for password in passwords)
    assert watch.samples > 20 and watch.holds("feature-quiet")
    assert [password[:2] for password in passwords if watch.holds(password)] == []
    assert [password[:2] for password in passwords if password in made.stdout + made.stderr] == []

    secrets = [password.encode() for password in passwords]
    holding = [path for path in root.rglob("*") if path.is_file() and holds(path, secrets)]
    assert root / "environment.env" in holding
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in holding if path.stat().st_mode & 0o077} == {}
    assert stat.S_IMODE((shop.folder / ".dataops" / "passphrase").stat().st_mode) == 0o600
    shop.do("env", "down", "feature-quiet", "--yes")


def passwords_of(root: Path, shop: ScratchPlatform) -> list[str]:
    """The passwords that an environment's variables and its developer's login hold, read after the fact."""
    name = root.name
    shown = shop.do("env", "connect", name, "--show-password", "-o", "json").json["password"]
    lines = (root / "environment.env").read_text().splitlines()
    own = next(line for line in lines if line.startswith("PGPASSWORD=")).partition("=")[2].strip("'\"")
    return [shown, own]


def holds(path: Path, secrets: list[bytes]) -> bool:
    try:
        text = path.read_bytes()
    except FileNotFoundError:  # a running server renames and removes files of its own
        return False
    return any(secret in text for secret in secrets)
