"""An update whose process is killed at any request to S3, before it is sent or before its answer is read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from dataops.infra.state.backend import open_backend
from support.s3_server import S3Server
from support.stacks import PASSPHRASE, REF, stack_secrets

VICTIM = """
import os, signal, sys
from support.stacks import REF, begun, done, thing
from dataops.infra.state.passphrase import PassphraseSecrets
from dataops.infra.state.s3_location import S3Location
from dataops.infra.state.s3_storage import S3Storage
from dataops.infra.state.stack_backend import StackBackend

url, salt, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
storage = S3Storage(S3Location.parse(url))
backend = StackBackend(storage)
left = at

def moment(name):
    def strike(**said):
        global left
        left -= 1
        if left == 0:
            print(f"killed {name} {said['event_name'].rpartition('.')[2]}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    return strike

# An answer is told of before it is read: by then S3 has done what it was asked.
storage.client.meta.events.register("before-send.s3", moment("before"))
storage.client.meta.events.register("response-received.s3", moment("after"))
update = backend.begin(REF, "update", PassphraseSecrets(os.environ["PULUMI_CONFIG_PASSPHRASE"], salt))
for number in (1, 2):
    update.append(begun(number, thing(f"r{number}")))
    print(f"doing r{number}", flush=True)
    update.append(done(number, thing(f"r{number}")))
    print(f"done r{number}", flush=True)
update.finish("succeeded", {"create": 2})
print("finished", flush=True)
"""


class End(NamedTuple):
    """How a victim ended: at which moment, and what it had said until then."""

    killed: str
    said: list[str]


def run(url: str, at: int) -> End:
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, url, stack_secrets().salt, str(at)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE},
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    lines = done.stdout.splitlines()
    killed = next((line for line in lines if line.startswith("killed")), "")
    return End(killed, [line for line in lines if not line.startswith("killed")])


def look(url: str, end: End) -> None:
    """What another process finds, and that it can go on."""
    backend = open_backend(url)
    with backend.begin(REF, "update", stack_secrets()) as update:
        found = {resource.id for resource in update.base.resources}
        acknowledged = {f"id-{line.removeprefix('done ')}" for line in end.said if line.startswith("done")}
        assert acknowledged <= found, (end, found)
        pending = {operation.resource.id for operation in update.base.pending_operations}
        begun = {f"id-{line.removeprefix('doing ')}" for line in end.said if line.startswith("doing")}
        # What was begun and acknowledged as begun is either done or shown as pending.
        assert begun <= found | pending, (end, found, pending)
        update.finish("succeeded", {})
    assert backend.lost_journals(REF) == []
    assert backend.lock_holder(REF) is None
    assert len([r for r in backend.history(REF) if r.message == ""]) >= 1


WHOLE = 56
"""Moments of the update above; one that is numbered higher kills nothing, which the torture run relies on."""


def try_all(s3: S3Server, moments: Iterable[int]) -> dict[str, int]:
    killed: dict[str, int] = {}
    for at in moments:
        url = s3.url(s3.bucket())
        open_backend(url).create(REF, stack_secrets())
        end = run(url, at)
        look(url, end)
        if end.killed:
            killed[end.killed] = killed.get(end.killed, 0) + 1
        else:
            assert end.said[-1] == "finished" and at > 20
    return killed


def tell(killed: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\nkills per moment of an update in S3:", ", ".join(f"{m} {n}" for m, n in sorted(killed.items())))


@pytest.mark.slow
def test_an_update_may_be_killed_at_some_requests(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    sample = random.Random(int(os.environ["DATAOPS_SEED"])).sample(range(1, WHOLE), 4)
    killed = try_all(s3, sorted(sample))
    assert killed
    tell(killed, capsys)


@pytest.mark.torture
def test_an_update_may_be_killed_at_every_request(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    killed = try_all(s3, range(1, WHOLE + 8))
    assert 40 < sum(killed.values()) < WHOLE + 8
    tell(killed, capsys)
