"""The layout on disk, and storage that fails."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from dataops.infra.errors import ConfigurationError, DataopsError, NotFoundError, VerificationError
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


def checkpoint_of(tmp_path: Path) -> Path:
    return tmp_path / ".pulumi/stacks/shop/dev.json"


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_checkpoint_that_was_cut_off_is_put_back_from_its_copy_in_the_history(tmp_path: Path, packed: str) -> None:
    backend = FileBackend(tmp_path, packed)
    backend.create(REF, stack_secrets())
    update(backend, *(f"thing-{n}" for n in range(30)))
    path = checkpoint_of(tmp_path).with_name(f"dev.json{packed}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with backend.begin(REF, "update", stack_secrets()) as session:
        assert "cut off after" in session.notes[0] and "history" in session.notes[0]
        assert len(session.base.resources) == 30
    assert path.read_bytes() == data
    (aside,) = path.parent.glob("*.damaged")
    assert aside.read_bytes() == data[: len(data) * 2 // 3]
    assert [stack.reference for stack in backend.stacks()] == [REF]
    path.write_bytes(data[: len(data) * 2 // 3])
    assert len(backend.load(REF, stack_secrets()).resources) == 30


@pytest.mark.parametrize("left", [b"", b"{", b"\0" * 4096])
def test_a_damaged_checkpoint_that_may_have_been_newer_than_any_copy_is_not_replaced_unasked(
    backend: FileBackend, tmp_path: Path, left: bytes
) -> None:
    update(backend, "a")
    update(backend, "b")
    good = checkpoint_of(tmp_path).read_bytes()
    checkpoint_of(tmp_path).write_bytes(left)
    with pytest.raises(VerificationError, match="checkpoint is damaged") as refused:
        backend.begin(REF, "update", stack_secrets())
    assert "dataops stack recover" in (refused.value.hint or "")
    assert checkpoint_of(tmp_path).read_bytes() == left
    damage = backend.damage(REF)
    assert damage is not None and [copy.resources for copy in damage.copies] == [2, 1, 1]
    with pytest.raises(VerificationError):
        backend.remove(REF)
    done = backend.restore(REF)
    assert checkpoint_of(tmp_path).read_bytes() == good
    assert Path(done.aside).read_bytes() == left
    assert backend.damage(REF) is None
    with pytest.raises(NotFoundError, match="not damaged"):
        backend.restore(REF)
    checkpoint_of(tmp_path).write_bytes(left)
    backend.remove(REF, force=True)
    assert backend.stacks() == []


def test_a_clock_that_was_set_back_changes_neither_order_nor_lock_and_is_told(
    backend: FileBackend, tmp_path: Path
) -> None:
    update(backend, "a")
    history = tmp_path / ".pulumi/history/shop/dev"
    for file in history.iterdir():
        stamp, rest = file.name.removeprefix("dev-").split(".", 1)
        file.rename(history / f"dev-{int(stamp) + 3600 * 10**9}.{rest}")
    with backend.begin(REF, "update", stack_secrets()) as session:
        assert "clock is 36" in session.notes[0] and "behind" in session.notes[0]
        assert session.finish("succeeded", {}, message="second") == 2
    assert [record.message for record in backend.history(REF)] == ["second", ""]
    assert [len(backend.export(REF, version=n)["deployment"]["resources"]) for n in (1, 2)] == [1, 1]


def test_deployments_of_earlier_versions_are_read_and_written_anew(backend: FileBackend, tmp_path: Path) -> None:
    old = {"urn": "urn:pulumi:dev::shop::a:b:C::x", "type": "a:b:C", "custom": True, "id": "i", "defaults": {"p": 1}}
    deployment = {"manifest": {"time": "2018-01-02T03:04:05Z", "magic": "", "version": ""}, "resources": [old]}
    inner = {"stack": "dev", "config": {}, "latest": deployment}
    for document in (inner, {"version": 1, "checkpoint": inner}, {"version": 2, "checkpoint": inner}):
        checkpoint_of(tmp_path).write_text(json.dumps(document))
        assert [r.id for r in backend.load(REF, stack_secrets()).resources] == ["i"]
        update(backend)
        assert json.loads(checkpoint_of(tmp_path).read_bytes())["version"] == 3
    exported = {"version": 1, "deployment": deployment}
    backend.import_(REF, exported, stack_secrets())
    assert "defaults" not in backend.export(REF)["deployment"]["resources"][0]


def test_a_deployment_that_needs_unknown_features_is_refused(backend: FileBackend, tmp_path: Path) -> None:
    document = {"version": 4, "features": ["taint", "byteString"], "checkpoint": {"latest": {}}}
    checkpoint_of(tmp_path).write_text(json.dumps(document))
    with pytest.raises(VerificationError, match="not known here: byteString"):
        backend.load(REF, stack_secrets())


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("version: 0\n", ConfigurationError, "without projects"),
        ("version: 2\n", ConfigurationError, "layout version 2"),
        ("{}\n", VerificationError, "damaged"),
        ("{{{", VerificationError, "damaged"),
    ],
)
def test_only_the_layout_of_version_1_is_opened(tmp_path: Path, text: str, error: type, said: str) -> None:
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi/meta.yaml").write_text(text)
    with pytest.raises(error, match=said):
        FileBackend(tmp_path)
    (tmp_path / ".pulumi/meta.yaml").write_text("# of the team\nversion:   1\n")
    FileBackend(tmp_path).create(REF, stack_secrets())


LIMITED = """
import resource, sys
from support.stacks import REF, begun, done, stack_secrets, thing
from dataops.infra.errors import DataopsError
from dataops.infra.state.backend import open_backend
from dataops.infra.state.passphrase import PassphraseSecrets
from support.stacks import PASSPHRASE

update = open_backend(sys.argv[1]).begin(REF, "update", PassphraseSecrets(PASSPHRASE, sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    for number in range(1, 1000):
        update.append(done(number, thing(f"r{number}")))
        print(number, flush=True)
except DataopsError as error:
    print(error.what, flush=True)
"""


def test_a_journal_that_finds_no_more_room_keeps_what_it_acknowledged(backend: FileBackend, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), stack_secrets().salt],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    ).stdout.splitlines()
    assert said[-1] == "the journal cannot be written: the disk is full"
    acknowledged = int(said[-2])
    assert acknowledged > 10
    with backend.begin(REF, "update", stack_secrets()) as session:
        assert "incomplete" in session.notes[-1]
        assert len(session.base.resources) == acknowledged
