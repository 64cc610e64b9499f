"""`dataops stack recover` on a damaged checkpoint, and stacks in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.console import SameProcess, project

EXPORT = """{"version": 3, "deployment": {"manifest": {"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""},
"resources": [{"urn": "urn:pulumi:dev::shop::a:b:C::x", "type": "a:b:C", "custom": false}]}}"""


@pytest.fixture
def console(tmp_path: Path) -> SameProcess:
    made = project(tmp_path / "project", kind=SameProcess)
    assert isinstance(made, SameProcess)
    made.stack("init", "dev")
    made.stack("import", "--file", str(made.write("export.json", EXPORT)))
    return made


def test_a_damaged_checkpoint_is_told_its_copies_are_listed_and_the_newest_is_put_back(console: SameProcess) -> None:
    (path,) = console.state.glob(".pulumi/stacks/shop/dev.json")
    # Another import, so that the backup holds the first one.
    console.stack("import", "--file", str(console.folder / "export.json"))
    path.write_bytes(b"\0" * 100)
    refused = console.run("stack", "export", "--stack", "dev")
    assert refused.status == 11
    assert "checkpoint is damaged" in refused.stderr and "dataops stack recover" in refused.stderr
    listed = console.stack("recover", "--stack", "dev")
    assert "dev.json.bak" in listed.stdout and "--restore" in listed.stderr
    assert path.read_bytes() == b"\0" * 100
    restored = console.stack("recover", "--stack", "dev", "--restore")
    assert "damaged file is kept in" in restored.stderr
    assert len(console.stack("export", "--stack", "dev").json["deployment"]["resources"]) == 1
    (aside,) = path.parent.glob("*.damaged")
    assert aside.read_bytes() == b"\0" * 100


def test_a_url_that_names_no_place_for_state_is_refused_before_anything_else(console: SameProcess) -> None:
    for url, said in (
        ("gs://bucket", "state cannot be kept at gs://"),
        ("s3://bucket?bogus=1", "unknown parameter 'bogus'"),
        ("s3://key:hush@bucket", "credentials do not belong"),
    ):
        refused = console.run("stack", "ls", variables={"PULUMI_BACKEND_URL": url})
        assert refused.status == 2 and said in refused.stderr and "hush" not in refused.stderr
