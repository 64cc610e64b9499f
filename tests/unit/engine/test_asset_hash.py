"""The hashes of assets and archives are those that Pulumi's engine recorded for the same content."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.providers.asset_hash import with_hashes
from dataops.infra.resources.values import Archive, Asset, Secret

INNER = Archive({"assets": {"g": Asset({"text": "y"})}})
OUTER = Archive({"assets": {"f": Asset({"text": "x"}), "d": INNER}})


def test_hashes_are_those_that_were_recorded() -> None:
    found = with_hashes({"a": [OUTER]}, Path())["a"][0].fields
    assert found["hash"] == "c62b865ddff875ee7925173213275c2ac293faed59e6870b8c4aa14d7121a7bc"
    assert found["assets"]["d"].fields["hash"] == "11319d71bc655d2b71f27cd7462144191072970423203194ce0a40653615f85c"
    assert found["assets"]["f"].fields["hash"].startswith("2d711642b726b044")


def test_a_folder_hashes_like_the_same_files_given_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi" / "state").write_text("not mine")
    (tmp_path / "f").write_text("x")
    (tmp_path / "d" / "g").write_text("y")
    folder = with_hashes(Archive({"path": str(tmp_path)}), Path())
    assert folder.fields["hash"] == with_hashes(OUTER, Path()).fields["hash"]


def test_a_secret_asset_stays_secret_and_a_known_hash_stays_known() -> None:
    assert with_hashes(Secret(Asset({"text": "x"})), Path()).value.fields["hash"].startswith("2d711642")
    known = Asset({"text": "x", "hash": "known"})
    assert with_hashes(known, Path()) is known


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="nowhere.txt"):
        with_hashes(Asset({"path": "nowhere.txt"}), tmp_path)
    (tmp_path / "odd.bin").touch()
    with pytest.raises(ResourceError, match="neither a folder nor"):
        with_hashes(Archive({"path": "odd.bin"}), tmp_path)
