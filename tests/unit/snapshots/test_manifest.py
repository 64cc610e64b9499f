"""Manifests and keys: what is torn, tampered with or signed by somebody else is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataops.infra.errors import AuthenticationError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots import keys
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.manifest import Unsearched, seal, unseal
from dataops.snapshots.store import list_snapshots, load_manifest, newest
from support.small_production import Production, Restored
from support.stored_snapshots import check, chunk_files

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(restored: Restored, tmp_path: Path) -> tuple[PlatformLayout, str]:
    """A copy of a snapshot with its keys, to be spoiled."""
    layout = PlatformLayout(tmp_path, "copy-00000000")
    original = restored.production.layout
    shutil.copytree(original.keys, layout.keys)
    snapshot = restored.manifest.id
    shutil.copytree(original.snapshots, layout.snapshots)
    for other in layout.snapshots.glob("2*"):
        if other.name != snapshot:
            shutil.rmtree(other)
    assert load_manifest(layout, snapshot) == restored.manifest
    check(layout, restored.manifest)
    return layout, snapshot


def test_a_torn_manifest_is_refused(copied: tuple[PlatformLayout, str]) -> None:
    layout, snapshot = copied
    path = layout.snapshots / snapshot / "manifest.json"
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 997):
        path.write_bytes(whole[:length])
        with pytest.raises(VerificationError, match="torn"):
            load_manifest(layout, snapshot)


def test_a_manifest_that_was_changed_is_refused(copied: tuple[PlatformLayout, str]) -> None:
    layout, snapshot = copied
    path = layout.snapshots / snapshot / "manifest.json"
    document = json.loads(path.read_bytes())
    document["manifest"]["tables"]["raw.passengers"]["rows"] += 1
    path.write_text(json.dumps(document))
    with pytest.raises(VerificationError, match="signature"):
        load_manifest(layout, snapshot)
    with pytest.raises(VerificationError, match="signature"):
        newest(layout)
    with pytest.raises(VerificationError, match="signature"):
        list_snapshots(layout)


def test_a_manifest_signed_by_another_key_is_refused(
    copied: tuple[PlatformLayout, str], production: Production
) -> None:
    layout, snapshot = copied
    shutil.rmtree(layout.keys)
    keys.signing_key(layout.keys)
    with pytest.raises(VerificationError, match="another key"):
        load_manifest(layout, snapshot)


def test_a_snapshot_under_another_name_is_refused(copied: tuple[PlatformLayout, str]) -> None:
    layout, snapshot = copied
    other = "20200101T000000Z-000000000000"
    (layout.snapshots / snapshot).rename(layout.snapshots / other)
    with pytest.raises(VerificationError, match="is that of the snapshot"):
        load_manifest(layout, other)


def test_a_chunk_that_was_changed_or_lost_is_refused_and_nothing_is_restored_from_it(
    copied: tuple[PlatformLayout, str],
) -> None:
    layout, snapshot = copied
    manifest = load_manifest(layout, snapshot)
    for label, told in (("raw.bookings", "recorded content"), ("raw.passengers", "another size than recorded")):
        (path, *_) = chunk_files(layout, manifest, f"tables/{label}")
        whole = path.read_bytes()
        path.write_bytes(whole.swapcase() if label == "raw.bookings" else whole[: len(whole) // 2])
        with pytest.raises(VerificationError, match="recorded content"):
            check(layout, manifest)
        with pytest.raises(VerificationError, match=told):
            ensure_golden(manifest, layout)
        assert list(layout.golden.glob("[!.]*")) == list(layout.golden.glob(".partial*")) == []
        path.write_bytes(whole)
    (gone,) = chunk_files(layout, manifest, "schema/post-data")
    gone.unlink()
    with pytest.raises(VerificationError, match="missing"):
        check(layout, manifest)


def test_a_snapshot_that_does_not_exist_is_not_found(copied: tuple[PlatformLayout, str], tmp_path: Path) -> None:
    layout, _ = copied
    for name in ("nonsense", "../x", "20200101T000000Z-000000000000"):
        with pytest.raises(NotFoundError):
            load_manifest(layout, name)
    with pytest.raises(NotFoundError, match="no snapshot yet"):
        newest(PlatformLayout(tmp_path, "empty-00000000"))
    assert list_snapshots(PlatformLayout(tmp_path, "empty-00000000")) == []


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    masking, signing = keys.masking_key(directory), keys.signing_key(directory)
    with pytest.raises(AuthenticationError, match="store key is not on this machine"):
        keys.store_key(directory)
    opening = keys.store_key(directory, make=True)
    assert keys.store_key(directory) == opening != masking == keys.masking_key(directory)
    assert keys.signing_key(directory).private_bytes_raw() == signing.private_bytes_raw()
    assert keys.public_key(directory).public_bytes_raw() == signing.public_key().public_bytes_raw()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == {
        "masking.key": 0o600,
        "signing.key": 0o600,
        "signing.pub": 0o600,
        "store.key": 0o600,
    }


def test_a_key_that_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    keys.masking_key(tmp_path)
    (tmp_path / "masking.key").chmod(0o640)
    with pytest.raises(AuthenticationError, match="open to other users"):
        keys.masking_key(tmp_path)
    (tmp_path / "masking.key").chmod(0o600)
    (tmp_path / "masking.key").write_text("ab")
    (tmp_path / "signing.key").touch(0o600)
    (tmp_path / "signing.pub").touch(0o600)
    (tmp_path / "store.key").touch(0o600)
    for load in (keys.masking_key, keys.signing_key, keys.public_key, keys.store_key):
        with pytest.raises(AuthenticationError, match="damaged"):
            load(tmp_path)


def test_what_was_not_searched_is_signed_and_changes_no_id_of_snapshots_without(restored: Restored) -> None:
    manifest = restored.manifest
    assert manifest.unsearched == () and b"unsearched" not in manifest.canonical()
    partly = replace(manifest, unsearched=(Unsearched("lake:x.lz4", "it is lz4"),)).named()
    assert partly.id != manifest.id
    key = Ed25519PrivateKey.generate()
    assert unseal(seal(partly, key), key.public_key(), where="here") == partly
