"""The S3 server of lakes, built or given: what is told when there is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import NotFoundError, ResourceError
from dataops.infra.providers.docker.s3_gateway import build_gateway, content_of, import_gateway
from support.docker_engine import Scene


def go_that_says(folder: Path, version: str) -> None:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)


def test_without_go_the_ways_to_have_the_server_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError, match="no `go` on PATH") as caught:
        build_gateway(tmp_path / "versitygw")
    assert "install Go 1.25" in str(caught.value.hint) and "--s3-gateway FILE" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["go1.19.8", "devel", ""])
def test_a_go_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    go_that_says(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError, match="too old for the S3 server of lakes") as caught:
        build_gateway(tmp_path / "versitygw")
    assert str(tmp_path / "go") in caught.value.what


@pytest.mark.docker
def test_a_server_that_is_given_must_be_a_program_of_linux(here: Scene, tmp_path: Path) -> None:
    given = tmp_path / "versitygw"
    with pytest.raises(NotFoundError, match="cannot be read"):
        import_gateway(here.engine, given, [], lambda _: None)
    given.write_text("#!/bin/sh\n")
    with pytest.raises(ResourceError, match="no program of Linux"):
        import_gateway(here.engine, given, [], lambda _: None)


def test_another_server_makes_another_image(tmp_path: Path) -> None:
    given = tmp_path / "versitygw"
    given.write_bytes(b"\x7fELF one")
    first = content_of(given)
    given.write_bytes(b"\x7fELF two")
    assert len({first, content_of(given), content_of()}) == 3 and content_of() == content_of()
