"""What every backend must do, run against files, compressed files, memory and S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import (
    AuthenticationError,
    ConfigurationError,
    InternalError,
    LockedError,
    NotFoundError,
    PolicyError,
)
from dataops.infra.resources.values import Secret
from dataops.infra.state.backend import Backend, StackReference, open_backend
from dataops.infra.state.config_value import ConfigValue
from dataops.infra.state.journal import EntryKind, JournalEntry
from dataops.infra.state.memory import MemoryBackend
from dataops.infra.state.passphrase import PassphraseSecrets
from support.s3_server import S3Server
from support.stacks import PASSPHRASE, REF, begun, done, stack_secrets, thing, urn


@pytest.fixture(params=["file", "gzip", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    kind = request.param
    environment = {"PULUMI_DIY_BACKEND_GZIP": "true"} if kind == "gzip" else {}
    if kind == "memory":
        made: Backend = MemoryBackend()
    elif kind == "s3":
        server: S3Server = request.getfixturevalue("s3")
        made = open_backend(server.url(server.bucket(), "/team/state"), environment)
    else:
        made = open_backend(f"file://{tmp_path}/state", environment)
    made.create(REF, stack_secrets())
    return made


def put(backend: Backend, *names: str) -> None:
    with backend.begin(REF, "update", stack_secrets()) as update:
        for number, name in enumerate(names, start=1):
            update.append(done(number, thing(name)))
        update.finish("succeeded", {"create": len(names)})


def names(backend: Backend) -> list[str]:
    return [resource.id for resource in backend.load(REF, stack_secrets()).resources]


def test_a_new_stack_is_empty_and_listed(backend: Backend) -> None:
    assert backend.exists(REF)
    assert backend.load(REF, stack_secrets()).resources == []
    (only,) = backend.stacks()
    assert (only.reference, only.resource_count, only.locked) == (REF, 0, False)
    assert backend.stacks("another") == []


def test_a_stack_cannot_be_made_twice(backend: Backend) -> None:
    with pytest.raises(ConfigurationError, match="exists already"):
        backend.create(REF)


def test_a_stack_that_is_not_there_is_named(backend: Backend) -> None:
    missing = StackReference("shop", "nowhere")
    for use in (
        lambda: backend.load(missing, stack_secrets()),
        lambda: backend.begin(missing, "update", stack_secrets()),
        lambda: backend.export(missing),
        lambda: backend.history(missing),
        lambda: backend.remove(missing),
        lambda: backend.cancel(missing),
        lambda: backend.tags(missing),
    ):
        with pytest.raises(NotFoundError, match="nowhere"):
            use()
    assert backend.lock_holder(missing) is None


def test_what_an_update_records_is_there_afterwards(backend: Backend) -> None:
    put(backend, "a", "b")
    assert names(backend) == ["id-a", "id-b"]


def test_an_update_tells_what_it_has_so_far(backend: Backend) -> None:
    put(backend, "a")
    with backend.begin(REF, "update", stack_secrets()) as update:
        assert [r.id for r in update.base.resources] == ["id-a"]
        update.append(begun(1, thing("b")))
        assert [p.kind for p in update.deployment().pending_operations] == ["creating"]
        update.append(done(1, thing("b", outputs={"token": Secret("hush")})))
        assert [r.id for r in update.deployment().resources] == ["id-b", "id-a"]
        assert update.deployment().pending_operations == []
        assert update.deployment().resources[0].outputs == {"token": Secret("hush")}
        update.finish("succeeded", {})


def test_another_reader_sees_an_update_in_progress(backend: Backend) -> None:
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a")))
        assert names(backend) == ["id-a"]
        assert backend.lock_holder(REF) is not None
        update.finish("succeeded", {})
    assert backend.lock_holder(REF) is None


def test_leaving_early_keeps_what_was_recorded_and_frees_the_lock(backend: Backend) -> None:
    with pytest.raises(KeyboardInterrupt), backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a")))
        update.append(begun(2, thing("b")))
        raise KeyboardInterrupt
    deployment = backend.load(REF, stack_secrets())
    assert [r.id for r in deployment.resources] == ["id-a"]
    assert [(p.resource.urn, p.kind) for p in deployment.pending_operations] == [(urn("b"), "creating")]
    assert backend.lock_holder(REF) is None


def test_a_preview_takes_no_lock_and_leaves_no_trace(backend: Backend) -> None:
    with backend.begin(REF, "update", stack_secrets()) as update:
        with backend.begin(REF, "preview", stack_secrets()) as preview:
            preview.append(done(1, thing("imagined")))
            assert len(preview.deployment().resources) == 1
            assert preview.finish("succeeded", {"create": 1}) == 0
        update.finish("succeeded", {})
    assert names(backend) == []
    assert len(backend.history(REF)) == 1


def test_a_second_update_is_refused_while_one_runs(backend: Backend) -> None:
    with backend.begin(REF, "update", stack_secrets()):
        with pytest.raises(LockedError, match="locked by .*pid") as refused:
            backend.begin(REF, "update", stack_secrets())
        assert "dataops stack cancel dev" in (refused.value.hint or "")
        with pytest.raises(LockedError):
            backend.import_(REF, backend.export(REF), stack_secrets())
        with pytest.raises(LockedError):
            backend.remove(REF)
    backend.begin(REF, "update", stack_secrets()).finish("succeeded", {})


def test_an_update_cannot_be_finished_twice_or_used_afterwards(backend: Backend) -> None:
    update = backend.begin(REF, "update", stack_secrets())
    update.finish("succeeded", {})
    with pytest.raises(InternalError):
        update.finish("succeeded", {})
    with pytest.raises(InternalError):
        update.append(done(1, thing("late")))


def test_the_history_is_newest_first_and_keeps_secrets_sealed(backend: Backend) -> None:
    put(backend, "a")
    with backend.begin(REF, "destroy", stack_secrets()) as update:
        update.append(JournalEntry(EntryKind.SUCCESS, 1, "delete", removes_base=0))
        rooms = {"hush": {"secure": stack_secrets().encrypt("deep")}, "inner": [5]}
        config = {
            "shop:token": Secret("hunter2"),
            "shop:size": "3",
            "shop:rooms": ConfigValue(rooms).text(stack_secrets()),
        }
        version = update.finish("failed", {"delete": 1}, message="tidy", environment={"git.head": "abc"}, config=config)
    assert version == 2
    newest, oldest = backend.history(REF)
    assert (newest.kind, newest.result, newest.version, newest.message) == ("destroy", "failed", 2, "tidy")
    assert (newest.resource_changes, newest.environment) == ({"delete": 1}, {"git.head": "abc"})
    assert newest.config["shop:size"] == "3"
    # An object is recorded as one, with what is secret in it encrypted in its place.
    assert newest.config["shop:rooms"] == rooms
    assert stack_secrets().decrypt(newest.config["shop:token"]["secure"]) == "hunter2"
    assert (oldest.kind, oldest.result, oldest.version) == ("update", "succeeded", 1)


def test_the_deployment_after_an_earlier_update_can_be_exported(backend: Backend) -> None:
    put(backend, "a")
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("b")))
        update.finish("succeeded", {})
    assert [r["id"] for r in backend.export(REF, version=1)["deployment"]["resources"]] == ["id-a"]
    assert len(backend.export(REF, version=2)["deployment"]["resources"]) == 2
    with pytest.raises(NotFoundError, match="no update 3"):
        backend.export(REF, version=3)


def test_an_export_can_be_imported_again(backend: Backend) -> None:
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a", inputs={"token": Secret("hush")}, extra={"taint": True, "odd": [1]})))
        update.finish("succeeded", {})
    sealed, shown = backend.export(REF), backend.export(REF, stack_secrets())
    assert "hush" not in str(sealed) and "hush" in str(shown)
    assert (sealed["version"], sealed["features"]) == (4, ["taint"])
    for document in (sealed, shown):
        backend.import_(REF, document, stack_secrets())
        (found,) = backend.load(REF, stack_secrets()).resources
        assert found.inputs == {"token": Secret("hush")}
        assert found.extra == {"taint": True, "odd": [1]}
        assert "hush" not in str(backend.export(REF))


def test_an_import_of_something_else_is_refused(backend: Backend) -> None:
    for document in ({}, {"version": 3}, {"version": 9, "deployment": {}}, {"version": 3, "deployment": []}):
        with pytest.raises(ConfigurationError):
            backend.import_(REF, document, stack_secrets())
    stranger = {"urn": "urn:pulumi:prod::shop::a:b:C::x", "type": "a:b:C", "custom": False}
    document = {"version": 3, "deployment": {"manifest": {}, "resources": [stranger]}}
    with pytest.raises(ConfigurationError, match="another stack"):
        backend.import_(REF, document, stack_secrets())
    backend.import_(REF, document, stack_secrets(), force=True)
    assert len(backend.load(REF, stack_secrets()).resources) == 1


def test_a_wrong_passphrase_is_told_before_anything_is_locked(backend: Backend) -> None:
    wrong = PassphraseSecrets("not it", stack_secrets().salt)
    for kind in ("update", "preview"):
        with pytest.raises(AuthenticationError, match="passphrase"):
            backend.begin(REF, kind, wrong)
    assert backend.lock_holder(REF) is None


def test_another_salt_encrypts_everything_anew(backend: Backend) -> None:
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a", outputs={"token": Secret("hush")})))
        update.finish("succeeded", {})
    other = PassphraseSecrets.new(PASSPHRASE)
    with backend.begin(REF, "update", other) as update:
        update.append(begun(1, thing("b")))
        update.append(done(1, thing("b")))
        update.finish("succeeded", {})
    exported = backend.export(REF)["deployment"]
    assert exported["secrets_providers"] == other.provider
    sealed = next(r for r in exported["resources"] if r["id"] == "id-a")["outputs"]["token"]["ciphertext"]
    assert other.decrypt(sealed) == '"hush"'
    assert backend.load(REF, stack_secrets()).resources[1].outputs == {"token": Secret("hush")}


def test_secrets_that_did_not_change_keep_their_ciphertext(backend: Backend) -> None:
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a", inputs={"token": Secret("hush")}, outputs={"token": Secret("hush")})))
        update.finish("succeeded", {})
    before = backend.export(REF)["deployment"]["resources"]
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, update.base.resources[0], removes_base=0))
        update.finish("succeeded", {})
    assert backend.export(REF)["deployment"]["resources"] == before


def test_only_a_stack_without_resources_can_be_removed(backend: Backend) -> None:
    put(backend, "a")
    with pytest.raises(PolicyError, match="still has 1"):
        backend.remove(REF)
    backend.remove(REF, force=True)
    assert not backend.exists(REF)
    assert backend.stacks() == []
    backend.create(REF, stack_secrets())
    assert backend.history(REF) == []


def test_tags_are_kept(backend: Backend) -> None:
    assert backend.tags(REF) == {}
    backend.set_tags(REF, {"owner": "ada"})
    assert backend.tags(REF) == {"owner": "ada"}
    assert [stack.reference for stack in backend.stacks()] == [REF]
    backend.set_tags(REF, {})
    assert backend.tags(REF) == {}


def test_cancel_breaks_the_lock_and_the_holder_finds_out(backend: Backend) -> None:
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("a")))
    (broken,) = backend.cancel(REF)
    assert broken.alive
    with pytest.raises(LockedError, match="broken"):
        update.finish("succeeded", {})
    # What it had recorded is not lost: the next update starts from it.
    with backend.begin(REF, "update", stack_secrets()) as following:
        assert [r.id for r in following.base.resources] == ["id-a"]
        assert "interrupted" in following.notes[0]


def test_an_entry_after_the_journal_was_folded_elsewhere_is_not_acknowledged(backend: Backend) -> None:
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("a")))
    backend.cancel(REF)
    backend.begin(REF, "update", stack_secrets()).finish("succeeded", {})
    with pytest.raises(LockedError):
        update.append(done(2, thing("b")))
    with pytest.raises(LockedError):
        update.finish("succeeded", {})


def test_rebase_makes_a_refresh_the_new_base(backend: Backend) -> None:
    put(backend, "a", "b")
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(JournalEntry(EntryKind.REFRESH, 1, "refresh", removes_base=0))
        base = update.rebase()
        assert [r.id for r in base.resources] == ["id-b"]
        update.append(done(2, thing("b", id="new"), removes_base=0))
        update.finish("succeeded", {})
    assert names(backend) == ["new"]
