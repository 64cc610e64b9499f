"""The state in a bucket: where it lies, what goes wrong with servers, and what a crash leaves."""

from __future__ import annotations

import builtins
import json
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from dataops.infra.errors import (
    AuthenticationError,
    ConfigurationError,
    DataopsError,
    DeadlineError,
    LockedError,
    NotFoundError,
    VerificationError,
)
from dataops.infra.state.backend import open_backend
from dataops.infra.state.holder import lock_content
from dataops.infra.state.lock import lock_folder, lock_stack
from dataops.infra.state.s3_client import translating
from dataops.infra.state.s3_location import S3Location
from dataops.infra.state.s3_storage import S3Storage
from dataops.infra.state.stack_backend import StackBackend
from dataops.infra.state.timestamps import time_to_json
from support.s3_server import CREDENTIALS, S3Server
from support.stacks import REF, done, stack_secrets, thing

STACK = ".pulumi/stacks/shop/dev.json"


def storage_at(s3: S3Server, bucket: str) -> S3Storage:
    return S3Storage(S3Location.parse(s3.url(bucket)))


def made(s3: S3Server) -> tuple[StackBackend, S3Storage, str]:
    bucket = s3.bucket()
    storage = storage_at(s3, bucket)
    backend = StackBackend(storage)
    backend.create(REF, stack_secrets())
    return backend, storage, bucket


def keys(s3: S3Server, bucket: str, beginning: str = "") -> list[str]:
    return [key for key in s3.objects(bucket) if key.startswith(beginning)]


def test_a_url_says_all_that_the_pulumi_cli_understands() -> None:
    said = S3Location.parse(
        "s3://team/a%20b/c?region=eu-west-1&profile=ci&awssdk=v2&ssetype=aws:kms&kmskeyid=k&accelerate=false"
    )
    assert (said.bucket, said.prefix, said.region, said.profile) == ("team", "a b/c/", "eu-west-1", "ci")
    assert (said.accelerate, said.path_style) == (False, False)
    assert said.encrypting == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}
    own = S3Location.parse("s3://team?endpoint=minio:9000&disableSSL=true&s3ForcePathStyle=true")
    assert (own.endpoint, own.path_style, own.prefix) == ("http://minio:9000", True, "")
    assert own.encrypting == {}
    assert own.request_checksums == "when_required"
    assert S3Location.parse("s3://team?endpoint=minio:9000&use_path_style=1").endpoint == "https://minio:9000"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "name a bucket"),
        ("s3://AKIAEXAMPLE:wJalrXUtnFEMI@team", "credentials do not belong"),
        ("s3://team?bogus=1", "unknown parameter 'bogus'"),
        ("s3://team?s3ForcePathStyle=perhaps", "must be true or false"),
        ("s3://team?role=arn:aws:iam::1:role/x", "`role` is not supported"),
        ("s3://team?region", "cannot be read"),
    ],
)
def test_a_url_that_is_wrong_is_told_without_a_key(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        open_backend(url)
    assert "wJalrXUtnFEMI" not in f"{refused.value} {refused.value.hint} {refused.value.details}"


def test_objects_lie_where_pulumi_looks_for_them(s3: S3Server) -> None:
    bucket = s3.bucket()
    backend = open_backend(s3.url(bucket, "/team/a"), {"PULUMI_DIY_BACKEND_GZIP": "true"})
    backend.create(REF, stack_secrets())
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a")))
        (lock,) = keys(s3, bucket, "team/a/.pulumi/locks/organization/shop/dev/")
        assert lock.endswith(".json")
        assert keys(s3, bucket, f"team/a/{STACK}.journal") == [f"team/a/{STACK}.journal/00000000"]
        assert [stack.reference for stack in backend.stacks()] == [REF]
        update.finish("succeeded", {"create": 1})
    backend.set_tags(REF, {"owner": "ada"})
    found = s3.objects(bucket)
    history = {f"team/a/.pulumi/history/shop/dev/dev.{kind}.json.gz" for kind in ("checkpoint", "history")}
    assert {key if "history" not in key else _without_stamp(key) for key in found} == history | {
        "team/a/.pulumi/meta.yaml",
        f"team/a/{STACK}.gz",
        f"team/a/{STACK}.gz.bak",
        "team/a/.pulumi/stacks/shop/dev.pulumi-tags",
    }
    assert found[f"team/a/{STACK}.gz"].startswith(b"\x1f\x8b")


def _without_stamp(key: str) -> str:
    before, _, after = key.rpartition("dev-")
    return f"{before}dev.{after.partition('.')[2]}"


def test_a_missing_bucket_and_missing_credentials_are_told(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no bucket 'nowhere'") as missing:
        open_backend(s3.url("nowhere"))
    assert missing.value.hint == "aws s3 mb s3://nowhere"
    with pytest.raises(ConfigurationError, match="profile"):
        open_backend(s3.url("team", profile="nobody"))
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(AuthenticationError, match="no credentials") as refused:
        open_backend(s3.url("team"))
    assert "AWS_PROFILE" in (refused.value.hint or "")


def test_a_server_that_is_not_there_is_told(s3: S3Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DeadlineError, match="cannot be reached"):
        open_backend(f"s3://team?region=us-east-1&endpoint=http://127.0.0.1:{port}&s3ForcePathStyle=true")


@pytest.mark.parametrize(
    ("code", "error", "hint"),
    [
        ("AccessDenied", AuthenticationError, "s3:PutObject"),
        ("InvalidAccessKeyId", AuthenticationError, "aws sts"),
        ("ExpiredToken", AuthenticationError, "renew"),
        ("RequestTimeTooSkewed", AuthenticationError, "clock"),
        ("PermanentRedirect", ConfigurationError, "region="),
        ("SlowDown", DeadlineError, "in a while"),
        ("NotImplemented", ConfigurationError, "newer version"),
        ("Teapot", DataopsError, "bucket"),
    ],
)
def test_what_s3_refuses_is_said_in_words_and_never_with_a_key(code: str, error: type[DataopsError], hint: str) -> None:
    key = CREDENTIALS["AWS_ACCESS_KEY_ID"]
    answer: Any = {"Error": {"Code": code, "Message": f"{key} may not"}, "ResponseMetadata": {}}
    with pytest.raises(error) as refused, translating(S3Location("s3://team", "team")):
        raise ClientError(answer, "PutObject")
    assert type(refused.value) is error
    assert hint in (refused.value.hint or "")
    assert key not in f"{refused.value} {refused.value.details}"


def test_without_boto3_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore")]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "boto3":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="boto3") as refused:
        open_backend("s3://team")
    assert refused.value.hint == "pip install 'dataops[aws]'"


def test_only_what_was_seen_is_replaced(s3: S3Server) -> None:
    storage, other = (storage_at(s3, bucket) for bucket in [s3.bucket()] * 2)
    assert storage.replace("a", b"1", None)
    assert not other.replace("a", b"2", None)
    assert other.replace("a", b"2", b"1")
    assert not storage.replace("a", b"3", b"1")
    assert storage.replace("a", b"3", b"2")
    assert other.read("a") == b"3"
    # What a request that was repeated finds is its own work.
    assert storage.replace("b", b"same", None) and other.replace("b", b"same", None)


def test_of_several_who_lock_at_once_at_most_one_succeeds(s3: S3Server) -> None:
    bucket = s3.bucket()
    held, refused = [], []
    gate = threading.Barrier(4)

    def contend() -> None:
        storage = storage_at(s3, bucket)
        storage.names("")
        gate.wait()
        try:
            held.append(lock_stack(storage, REF))
        except LockedError:
            refused.append(1)

    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) <= 1 and len(held) + len(refused) == 4
    for lease in held:
        lease.release()
    assert keys(s3, bucket) == []


def elsewhere(seconds: float) -> dict[str, Any]:
    beat = time_to_json(datetime.fromtimestamp(time.time() - seconds, UTC))
    return lock_content(time.time()) | {"hostname": "elsewhere", "username": "ada", "heartbeat": beat}


def test_a_holder_on_another_host_is_believed_until_its_heartbeat_expires(s3: S3Server) -> None:
    backend, storage, bucket = made(s3)
    path = f"{lock_folder(REF)}/0a5d3a1e-0000-4000-8000-000000000000.json"
    storage.write(path, json.dumps(elsewhere(30)).encode())
    with pytest.raises(LockedError, match=r"ada@elsewhere \(pid \d+\)"):
        backend.begin(REF, "update", stack_secrets())
    storage.write(path, json.dumps(elsewhere(75)).encode())
    with backend.begin(REF, "update", stack_secrets()) as update:
        assert "ada@elsewhere" in update.notes[0] and "taken over" in update.notes[0]
        update.finish("succeeded", {})
    assert "ada@elsewhere" in backend.history(REF)[0].environment["dataops.takeover"]
    assert keys(s3, bucket, ".pulumi/locks") == []


def test_a_slow_holder_and_whoever_takes_over_cannot_both_have_the_lock(s3: S3Server) -> None:
    bucket = s3.bucket()
    storage = storage_at(s3, bucket)
    lease = lock_stack(storage, REF)
    (path,) = (f"{lock_folder(REF)}/{name}" for name in storage.names(lock_folder(REF)))
    stale = json.loads(storage.read(path) or b"") | {"hostname": "elsewhere"}
    stale["heartbeat"] = time_to_json(datetime.fromtimestamp(time.time() - 90, UTC))
    storage.write(path, json.dumps(stale).encode())
    following = lock_stack(storage_at(s3, bucket), REF)
    # The first wakes up and finds that its renewal is not the answer to what it had written.
    lease._renew()
    with pytest.raises(LockedError, match="broken"):
        lease.check()
    following.check(thoroughly=True)
    lease.release()
    following.check(thoroughly=True)
    following.release()


def interrupted(s3: S3Server, count: int) -> tuple[StackBackend, S3Storage, str]:
    """A stack whose update vanished after so many entries, each in a batch of its own."""
    backend, storage, bucket = made(s3)
    update = backend.begin(REF, "update", stack_secrets())
    for number in range(1, count + 1):
        update.append(done(number, thing(f"r{number}")))
    with storage.exclusive(""):
        for name in storage.names(lock_folder(REF)):
            storage.delete(f"{lock_folder(REF)}/{name}")
    return backend, storage, bucket


def test_a_leftover_journal_is_folded_by_another_machine(s3: S3Server) -> None:
    _, _, bucket = interrupted(s3, 3)
    other = StackBackend(storage_at(s3, bucket))
    with other.begin(REF, "update", stack_secrets()) as update:
        assert [r.id for r in update.base.resources] == ["id-r1", "id-r2", "id-r3"]
        assert "3 entries" in update.notes[0]
    assert keys(s3, bucket, f"{STACK}.journal") == []


@pytest.mark.parametrize("gone", ["00000000", "00000001"])
def test_a_journal_without_one_of_its_batches_is_neither_replayed_nor_dropped(s3: S3Server, gone: str) -> None:
    backend, storage, bucket = interrupted(s3, 3)
    storage.delete(f"{STACK}.journal/{gone}")
    with pytest.raises(VerificationError, match="batch .* is missing"):
        backend.begin(REF, "update", stack_secrets())
    assert len(keys(s3, bucket, f"{STACK}.journal/")) == 2
    (lost,) = backend.lost_journals(REF)
    assert len(lost.resources) == 2
    backend.set_aside(REF)
    backend.begin(REF, "update", stack_secrets()).finish("succeeded", {})
    assert len(backend.lost_journals(REF)[0].resources) == 2
    assert [stack.reference for stack in backend.stacks()] == [REF]


def test_a_batch_that_is_not_the_one_that_was_written_is_noticed(s3: S3Server) -> None:
    backend, storage, _ = interrupted(s3, 3)
    data = storage.read(f"{STACK}.journal/00000001") or b""
    storage.write(f"{STACK}.journal/00000001", data.replace(b"id-r2", b"id-xx"))
    with pytest.raises(VerificationError, match="batch 2"):
        backend.begin(REF, "update", stack_secrets())


def test_a_removal_that_was_cut_off_is_not_taken_for_a_lost_journal(s3: S3Server) -> None:
    backend, storage, bucket = made(s3)
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("a")))
    kept: dict[str, bytes] = {}
    delete = storage.delete_log
    storage.delete_log = lambda name: kept.update(s3.objects(bucket)) or delete(name)  # type: ignore[method-assign]
    update.finish("succeeded", {})
    batches = sorted(key for key in kept if ".journal/" in key)
    for left in (batches, batches[-1:]):
        for key in left:
            storage.write(key, kept[key])
        assert [r.id for r in backend.load(REF, stack_secrets()).resources] == ["id-a"]
        assert backend.lost_journals(REF) == []
        assert keys(s3, bucket, f"{STACK}.journal") == []


def test_what_is_written_after_the_lock_was_broken_is_refused_and_kept_to_look_at(s3: S3Server) -> None:
    backend, _, _ = made(s3)
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("a")))
    backend.cancel(REF)
    backend.begin(REF, "update", stack_secrets()).finish("succeeded", {})
    with pytest.raises(LockedError):
        update.append(done(2, thing("late")))
    (lost,) = backend.lost_journals(REF)
    assert [id_ for _, _, id_ in lost.resources] == ["id-late"]
    backend.begin(REF, "update", stack_secrets()).finish("succeeded", {})


def test_a_state_that_somebody_else_changed_meanwhile_is_not_overwritten(s3: S3Server) -> None:
    backend, storage, bucket = made(s3)
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("a")))
    stranger = (storage.read(STACK) or b"") + b"\n"
    storage_at(s3, bucket).write(STACK, stranger)
    with pytest.raises(LockedError, match="changed by somebody else"):
        update.finish("succeeded", {})
    assert storage.read(STACK) == stranger
    backend.cancel(REF)
    assert [id_ for _, _, id_ in backend.lost_journals(REF)[0].resources] == ["id-a"]


def test_a_connection_that_is_lost_in_the_middle_loses_nothing_that_was_acknowledged(s3: S3Server) -> None:
    backend, storage, bucket = made(s3)
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("a")))
    calls = storage.client.meta.events

    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://s3")

    calls.register("before-send.s3", unreachable)
    with pytest.raises(DeadlineError, match="cannot be reached"):
        update.append(done(2, thing("b")))
    with pytest.raises(DeadlineError):
        update.finish("succeeded", {})
    calls.unregister("before-send.s3", unreachable)
    assert backend.lock_holder(REF) is not None
    backend.cancel(REF)
    assert [r.id for r in StackBackend(storage_at(s3, bucket)).load(REF, stack_secrets()).resources] == ["id-a"]
