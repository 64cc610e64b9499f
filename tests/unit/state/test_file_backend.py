"""The layout on disk, and storage that fails."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path

import pytest
import zstandard

from dataops.infra.errors import ConfigurationError, DataopsError, VerificationError
from dataops.infra.state.backend import StackReference, open_backend
from dataops.infra.state.file_backend import FileBackend
from dataops.infra.state.file_storage import FileStorage, storage_error
from support.stacks import REF, done, stack_secrets, thing


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    made = FileBackend(tmp_path)
    made.create(REF, stack_secrets())
    return made


def update(backend: FileBackend, *names: str) -> None:
    with backend.begin(REF, "update", stack_secrets()) as session:
        for number, name in enumerate(names, start=1):
            session.append(done(number, thing(name)))
        session.finish("succeeded", {"create": len(names)})


def files(root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


def test_files_lie_where_pulumi_looks_for_them(backend: FileBackend, tmp_path: Path) -> None:
    assert files(tmp_path) == {".pulumi/meta.yaml", ".pulumi/stacks/shop/dev.json"}
    assert (tmp_path / ".pulumi/meta.yaml").read_text() == "version: 1\n"
    update(backend, "a")
    backend.set_tags(REF, {"owner": "ada"})
    found = files(tmp_path)
    assert {".pulumi/stacks/shop/dev.json.bak", ".pulumi/stacks/shop/dev.pulumi-tags"} < found
    history = sorted(name for name in found if "/history/" in name)
    assert [Path(name).name.split(".", 1)[1] for name in history] == ["checkpoint.json", "history.json"]
    assert all(name.startswith(".pulumi/history/shop/dev/dev-1") for name in history)
    assert not [name for name in found if "journal" in name or "locks" in name or "tmp" in name]
    with backend.begin(REF, "update", stack_secrets()):
        (lock,) = {name for name in files(tmp_path) if "/locks/" in name}
        assert lock.startswith(".pulumi/locks/organization/shop/dev/") and lock.endswith(".json")


def test_the_checkpoint_is_pulumis(backend: FileBackend, tmp_path: Path) -> None:
    before = (tmp_path / ".pulumi/stacks/shop/dev.json").read_bytes()
    update(backend, "a")
    data = (tmp_path / ".pulumi/stacks/shop/dev.json").read_bytes()
    document = json.loads(data)
    assert data.startswith(b'{"version":3,"checkpoint":{"stack":"organization/shop/dev","latest":{"manifest":{"time":"')
    latest = document["checkpoint"]["latest"]
    assert list(latest) == ["manifest", "secrets_providers", "resources", "metadata"]
    assert latest["secrets_providers"] == stack_secrets().provider
    assert (tmp_path / ".pulumi/stacks/shop/dev.json.bak").read_bytes() == before
    (copy,) = (tmp_path / ".pulumi/history/shop/dev").glob("*.checkpoint.json")
    assert copy.read_bytes() == data


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_compressed_checkpoints_are_read_and_become_plain(
    backend: FileBackend, tmp_path: Path, suffix: str, pack: object
) -> None:
    update(backend, "a")
    path = tmp_path / ".pulumi/stacks/shop/dev.json"
    assert callable(pack)
    path.with_name(f"dev.json{suffix}").write_bytes(pack(path.read_bytes()))
    path.unlink()
    assert [stack.resource_count for stack in backend.stacks()] == [1]
    update(backend, "b")
    assert path.exists() and not path.with_name(f"dev.json{suffix}").exists()
    assert len(backend.load(REF, stack_secrets()).resources) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version":3}', b'{"version":3,"checkpoint":{"latest":[]}}'])
def test_a_damaged_checkpoint_is_told_and_does_not_hide_other_stacks(
    backend: FileBackend, tmp_path: Path, content: bytes
) -> None:
    backend.create(StackReference("shop", "other"))
    (tmp_path / ".pulumi/stacks/shop/dev.json").write_bytes(content)
    with pytest.raises(VerificationError, match="damaged"):
        backend.load(REF, stack_secrets())
    assert [(s.reference.stack, s.resource_count) for s in backend.stacks()] == [("dev", None), ("other", 0)]


def test_a_newer_checkpoint_is_refused(backend: FileBackend, tmp_path: Path) -> None:
    (tmp_path / ".pulumi/stacks/shop/dev.json").write_text('{"version":5,"checkpoint":{}}')
    with pytest.raises(VerificationError, match="version 5"):
        backend.load(REF, stack_secrets())


def test_a_layout_without_projects_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".pulumi/stacks").mkdir(parents=True)
    (tmp_path / ".pulumi/stacks/dev.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="without projects"):
        FileBackend(tmp_path)


def test_urls_name_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_backend(f"file://{tmp_path}/my%20state").url == f"file://{tmp_path}/my state"
    assert open_backend("~/state").url == open_backend("file://~/state").url == f"file://{tmp_path}/state"
    assert not (tmp_path / "state").exists()
    with pytest.raises(ConfigurationError, match="gs"):
        open_backend("gs://bucket")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="not a folder"):
        open_backend(f"file://{tmp_path}/file")


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 101])
def test_names_that_are_no_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        StackReference("shop", name)


def test_references_are_read_in_all_their_forms() -> None:
    for text in ("dev", "organization/dev", "organization/shop/dev"):
        assert StackReference.parse(text, "shop") == REF
    assert StackReference.parse("organization/other/dev", "shop").project == "other"
    for wrong in ("acme/dev", "a/b/c/d", "acme/shop/dev"):
        with pytest.raises(ConfigurationError):
            StackReference.parse(wrong, "shop")
    with pytest.raises(ConfigurationError, match="which project"):
        StackReference.parse("dev", None)


def test_a_folder_that_may_not_be_written_is_told(backend: FileBackend, tmp_path: Path) -> None:
    update(backend, "a")
    home = [tmp_path, *tmp_path.parents]
    locks = tmp_path / ".pulumi/locks/organization/shop/dev"
    modes = {path: path.stat().st_mode for path in [*home, locks] if path.owner() != "nobody"}
    root = os.geteuid() == 0
    try:
        if root:
            # Root may write everywhere: be somebody else for a moment, who may at least look.
            for path in home[:3]:
                path.chmod(0o755)
            os.seteuid(65534)
        else:
            locks.chmod(0o555)
        with pytest.raises(ConfigurationError, match="not permitted"):
            backend.begin(REF, "update", stack_secrets())
    finally:
        if root:
            os.seteuid(0)
        for path in [*home[:3], locks]:
            path.chmod(modes[path])
    assert len(backend.load(REF, stack_secrets()).resources) == 1


class FullStorage(FileStorage):
    """Becomes full at will."""

    full = False

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        if self.full and "/stacks/" in name:
            raise storage_error(OSError(errno.ENOSPC, "No space left on device"), "the state cannot be written", name)
        super().write(name, data, durable)


def test_a_full_disk_at_the_end_loses_nothing_and_keeps_others_away(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    storage = FullStorage(tmp_path)
    backend._storage = storage
    backend.create(REF, stack_secrets())
    session = backend.begin(REF, "update", stack_secrets())
    session.append(done(1, thing("a")))
    storage.full = True
    with pytest.raises(DataopsError, match="disk is full"):
        session.finish("succeeded", {"create": 1})
    # The pulumi CLI does not know our journal: the lock tells it to keep away until it is folded.
    assert backend.lock_holder(REF) is not None
    assert [r.id for r in backend.load(REF, stack_secrets()).resources] == ["id-a"]
    storage.full = False
    backend.cancel(REF)
    update(backend, "b")
    assert [r.id for r in backend.load(REF, stack_secrets()).resources] == ["id-b", "id-a"]
