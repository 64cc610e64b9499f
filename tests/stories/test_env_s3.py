"""Environments whose state lies in a bucket: life, another machine, and what must not get into the bucket."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.s3_server import CREDENTIALS, S3Server, s3_server
from support.scratch_git import commit
from support.scratch_platform import PLATFORM, ScratchPlatform, scratch_platform
from support.traces import holders

pytestmark = pytest.mark.slow

PASSPHRASE = "Kein Pferd, keine Batterie: 7/3+4"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def test_an_environment_lives_with_its_state_in_a_bucket(server: S3Server) -> None:
    bucket = server.bucket()
    source = PLATFORM.replace("PYTHON", sys.executable).replace(
        "name: shop\n",
        f'name: shop\nbackend: "{server.url(bucket, "/team")}"\npassphrase: {{variable: SHOP_PASSPHRASE}}\n',
        1,
    )
    with scratch_platform({"dataops.yaml": source}) as shop:
        signed: dict[str, Any] = {**CREDENTIALS}
        given = {**signed, "SHOP_PASSPHRASE": PASSPHRASE}
        shop.do("env", "deploy", "production", "--yes", **given)
        assert not list(shop.folder.rglob(".dataops/state"))
        objects = server.objects(bucket)
        assert "team/.pulumi/stacks/shop/production.json" in objects
        assert not [key for key in objects if "journal" in key or "/locks/" in key]

        # The passphrase and passwords stay out of the bucket; what is no secret shows that the search finds things.
        root = next(path for path in shop.roots() if path.name == "production")
        assert holders(objects, "sales_reader")
        assert holders(objects, PASSPHRASE) == set()
        passwords = [line.partition("=")[2].strip("'\"") for line in secret_lines(root)]
        for password in passwords:
            assert holders(objects, password) == set()

        # Again: nothing changes. The history is in the bucket.
        shop.do("env", "deploy", "production", "--yes", **given)
        history = shop.do("stack", "history", "--stack", "production", "--json", **given).json
        assert [update["result"] for update in history] == ["succeeded", "succeeded"]

        elsewhere = second_machine(shop)
        refused = elsewhere.run("env", "deploy", "production", "--yes", **given)
        assert refused.status == 5, refused.stderr
        assert "was made on" in refused.stderr and str(root) in refused.stderr
        seen = elsewhere.do("stack", "history", "--stack", "production", "--json", **given).json
        assert [update["version"] for update in seen] == [update["version"] for update in history]
        without = elsewhere.run("env", "deploy", "production", "--yes", **signed)
        assert without.status == 3 and "SHOP_PASSPHRASE" in without.stderr
        wrong = elsewhere.run("env", "deploy", "production", "--yes", **signed, SHOP_PASSPHRASE="another")
        assert wrong.status == 3 and "does not open" in wrong.stderr

        shop.do("env", "down", "production", "--yes", "--force", **given)
        assert list(server.objects(bucket)) == ["team/.pulumi/meta.yaml"]


def secret_lines(root: Path) -> list[str]:
    """The lines of the environment's files that hold a password."""
    files = [file for file in root.rglob("*") if file.is_file() and file.stat().st_mode & 0o777 == 0o600]
    lines = [line for file in files for line in file.read_text(errors="ignore").splitlines() if "PASSWORD=" in line]
    return lines


def second_machine(shop: ScratchPlatform) -> ScratchPlatform:
    """A clone of the repository with a home of its own."""
    folder = shop.folder.parent / "clone"
    shutil.copytree(shop.folder, folder)
    commit(folder, {"README.md": "the same\n"}, "Say so")
    return replace(shop, folder=folder, home=shop.home.parent / "second-home")
