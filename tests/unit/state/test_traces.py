"""No secret is in anything that is written; the search for it, in every form, is shown to find what is there."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dataops.infra.resources.values import Secret
from dataops.infra.state.backend import open_backend
from support.s3_server import CREDENTIALS, S3Server
from support.stacks import PASSPHRASE, REF, begun, done, stack_secrets, thing
from support.traces import holders

NEEDLE, CONTROL = 's3cr3t "Nädel" + 1', 'not-s3cr3t "Kontrolle" + 1'

PLANTED = {
    "raw": NEEDLE.encode(),
    "json": json.dumps({"a": NEEDLE}).encode(),
    "json in json": json.dumps({"a": json.dumps({"b": NEEDLE})}).encode(),
    **{f"base64 after {n}": base64.b64encode(b"x" * n + NEEDLE.encode() + b"yz") for n in range(4)},
    "urlsafe": base64.urlsafe_b64encode(b"\xff" + NEEDLE.encode()),
    "gzip": gzip.compress(b"before " + NEEDLE.encode()),
    "gzip behind a header": b"header\n" + gzip.compress(json.dumps(NEEDLE).encode()),
    "zstandard": zstandard.compress(NEEDLE.encode()),
    "gzip in base64": b'{"a":"' + base64.b64encode(gzip.compress(NEEDLE.encode(), mtime=0)) + b'"}',
    "hexadecimal": NEEDLE.encode().hex().encode(),
}


def test_the_search_finds_a_value_in_every_form_and_no_other() -> None:
    assert holders(PLANTED, NEEDLE) == set(PLANTED)
    assert holders(PLANTED, CONTROL) == set()


@pytest.mark.parametrize("kind", ["file", "gzip", pytest.param("s3", marks=pytest.mark.slow)])
def test_no_secret_is_in_any_byte_of_a_state(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if kind == "s3":
        server: S3Server = request.getfixturevalue("s3")
        bucket = server.bucket()
        url = server.url(bucket)
    else:
        url = f"file://{tmp_path}/state"

    def written() -> dict[str, bytes]:
        if kind == "s3":
            return server.objects(bucket)
        return {str(file): file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()}

    def kinds_with(text: str) -> set[str]:
        parts = ("journal", "history.json", "checkpoint.json", "locks", "tags", "json")
        return {next(part for part in parts if part in name) for name in holders(written(), text)}

    backend = open_backend(url, {"PULUMI_DIY_BACKEND_GZIP": "true"} if kind == "gzip" else {})
    backend.create(REF, stack_secrets())
    inputs: dict[str, Any] = {"deep": [{"token": Secret(NEEDLE)}, Secret({"more": [NEEDLE]})]}
    state = thing("a", inputs=inputs, outputs={"open": CONTROL, "shut": Secret(NEEDLE)})
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(begun(1, state))
        update.append(done(1, state))
        assert kinds_with(CONTROL) == {"journal"}
        assert kinds_with(NEEDLE) == kinds_with(PASSPHRASE) == set()
        assert any("locks" in name for name in written())
        update.finish("succeeded", {}, config={"shop:token": Secret(NEEDLE), "shop:open": CONTROL}, message="m")
    # What a killed update leaves, and what another one makes of it.
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("b", outputs={"shut": Secret(NEEDLE), "open": CONTROL})))
    backend.cancel(REF)
    assert kinds_with(NEEDLE) == set()
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.finish("succeeded", {})
    assert kinds_with(CONTROL) == {"history.json", "checkpoint.json", "json"}
    assert kinds_with(NEEDLE) == kinds_with(PASSPHRASE) == set()
    assert holders(written(), CREDENTIALS["AWS_SECRET_ACCESS_KEY"]) == set()
