"""The journal: torn tails, corruption, shared fsyncs, and killed writers."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import DataopsError, VerificationError
from dataops.infra.resources.values import Secret
from dataops.infra.state.backend import open_backend
from dataops.infra.state.checkpoint import Checkpoint, read_checkpoint
from dataops.infra.state.file_backend import FileBackend
from dataops.infra.state.file_storage import FileLog, FileStorage
from dataops.infra.state.journal_log import JournalWriter, journal_bytes, read_journal, record_line
from dataops.infra.state.leftover import find_leftover
from dataops.infra.state.memory import MemoryStorage
from support.stacks import PASSPHRASE, REF, begun, done, stack_secrets, thing, urn

RECORDS: list[Mapping[str, Any]] = [
    {"kind": "success", "operation": n, "state": {"urn": f"u{n}", "é": "\n\r\u2028"}} for n in range(1, 6)
]
HEADER = {"version": 1, "base": "sha256:0", "kind": "update"}


def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "state/.pulumi/stacks/shop/dev.json.journal"


def started_update(tmp_path: Path, count: int) -> FileBackend:
    """A backend whose last update vanished after it had recorded `count` resources."""
    backend = FileBackend(tmp_path / "state")
    backend.create(REF, stack_secrets())
    update = backend.begin(REF, "update", stack_secrets())
    for number in range(count):
        update.append(done(number + 1, thing(f"r{number}")))
    # Its process is gone: neither the fold nor the release happened. The lock of a live process would keep others away.
    backend.cancel(REF)
    return FileBackend(tmp_path / "state")


def test_a_journal_reads_as_it_was_written() -> None:
    found = read_journal(journal_bytes(HEADER, RECORDS), "here")
    assert found.header == HEADER
    assert list(found.entries) == RECORDS
    assert (found.torn, found.folded) == (0, "")


def test_a_journal_torn_at_any_byte_gives_every_whole_record_and_no_other() -> None:
    data = journal_bytes(HEADER, RECORDS)
    for cut in range(len(data)):
        torn = data[:cut]
        whole = torn.count(b"\n")
        found = read_journal(torn, "here")
        assert list(found.entries) == RECORDS[: max(0, whole - 1)]
        assert bool(found.header) == (whole > 0)
        assert found.torn == cut - (torn.rfind(b"\n") + 1)


def test_a_tail_of_zeros_is_cut_off() -> None:
    data = journal_bytes(HEADER, RECORDS)
    assert list(read_journal(data + b"\0" * 4096, "here").entries) == RECORDS


def test_damage_before_the_tail_is_corruption_at_every_byte() -> None:
    data = journal_bytes(HEADER, RECORDS)
    # Damage to the last newline but one joins two records: nothing whole follows that could tell it from a tail.
    last = data.rfind(b"\n", 0, -1)
    for place in range(last):
        damaged = data[:place] + bytes([data[place] ^ 0x21]) + data[place + 1 :]
        with pytest.raises(VerificationError, match="damaged"):
            read_journal(damaged, "here")


def test_what_was_never_acknowledged_may_be_missing_in_the_middle() -> None:
    storage = MemoryStorage()
    writer = JournalWriter(lambda: storage.create_log("j"), {"base": ""})
    writer.sync(writer.add(RECORDS[0]))
    for record in RECORDS[1:4]:
        last = writer.add(record)
    writer.sync(last)
    lines = storage.pieces["j"].splitlines(keepends=True)
    # These three went to the disk together: it may have kept the third and not the second.
    hole = b"".join(lines[:3]) + b"\0" * len(lines[3]) + lines[4]
    assert list(read_journal(hole, "here").entries) == RECORDS[:2]


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(VerificationError, match="format 2"):
        read_journal(journal_bytes({**HEADER, "version": 2}, []), "here")


class CountingLog:
    """Counts what reaches it and lets writers pile up meanwhile."""

    def __init__(self) -> None:
        self.data = b""
        self.calls = 0
        self.gate = threading.Event()

    def append(self, data: bytes) -> None:
        self.gate.wait(60)
        self.data += data
        self.calls += 1

    def close(self) -> None:
        pass


def test_writers_that_wait_together_share_an_fsync() -> None:
    log = CountingLog()
    writer = JournalWriter(lambda: log, {})
    numbers = [writer.add({"n": n}) for n in range(50)]
    threads = [threading.Thread(target=writer.sync, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    log.gate.set()
    for thread in threads:
        thread.join()
    assert log.calls == 1
    assert [entry["n"] for entry in read_journal(log.data, "here").entries] == list(range(50))


def test_one_who_is_interrupted_while_waiting_leaves_the_turn_to_the_others() -> None:
    log = CountingLog()
    writer = JournalWriter(lambda: log, {})
    threads = [threading.Thread(target=lambda: writer.sync(writer.add({"n": 0})))]
    threads[0].start()
    wait_until(lambda: writer._writing)

    def interrupt() -> None:
        wait_until(lambda: len(writer._waiters) == 1)
        threads.append(threading.Thread(target=lambda: writer.sync(writer.add({"n": 2}))))
        threads[-1].start()
        wait_until(lambda: len(writer._waiters) == 2)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threads.append(threading.Thread(target=interrupt))
    threads[1].start()
    with pytest.raises(KeyboardInterrupt):
        writer.sync(writer.add({"n": 1}))
    log.gate.set()
    for thread in threads:
        thread.join()
    assert [entry["n"] for entry in read_journal(log.data, "here").entries] == [0, 1, 2]


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    writer = JournalWriter(lambda: FileLog(tmp_path / "j"), {})

    def work(worker: int) -> None:
        for n in range(25):
            number = writer.add({"n": worker * 100 + n})
            writer.sync(number)
            assert b'{"n":%d}\n' % (worker * 100 + n) in (tmp_path / "j").read_bytes()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    found = [entry["n"] for entry in read_journal((tmp_path / "j").read_bytes(), "here").entries]
    assert len(found) == 200 and len(set(found)) == 200


def test_a_full_disk_is_told_and_ends_the_journal(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "j")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._file)
    os.close(full)
    writer = JournalWriter(lambda: log, {})
    for _ in range(2):
        with pytest.raises(DataopsError, match="disk is full"):
            writer.sync(writer.add({"n": 1}))
    writer.close()


def test_an_update_without_durable_entries_leaves_no_journal(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path / "state")
    backend.create(REF, stack_secrets())
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(done(1, thing("a"), durable=False))
        assert not journal_path(tmp_path).exists()
        update.append(done(2, thing("b")))
        assert journal_path(tmp_path).exists()
        update.finish("succeeded", {})
    assert not journal_path(tmp_path).exists()
    assert len(backend.load(REF, stack_secrets()).resources) == 2


def test_a_leftover_journal_torn_anywhere_is_folded_up_to_there(tmp_path: Path) -> None:
    backend = started_update(tmp_path, 4)
    path = journal_path(tmp_path)
    data, checkpoint = path.read_bytes(), path.with_suffix("").read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == 10]
    for cut in sorted({*ends, *(end - 1 for end in ends), *(end + 7 for end in ends[:-1]), 0, 5}):
        path.with_suffix("").write_bytes(checkpoint)
        path.write_bytes(data[:cut])
        whole = max(0, data[:cut].count(b"\n") - 1)
        assert len(backend.load(REF, stack_secrets()).resources) == whole
        assert not path.exists()
        written = json.loads(path.with_suffix("").read_bytes())
        assert len(written["checkpoint"]["latest"].get("resources", ())) == whole


def test_a_fold_is_told_and_recorded_in_the_history(tmp_path: Path) -> None:
    backend = started_update(tmp_path, 2)
    with journal_path(tmp_path).open("ab") as file:
        file.write(b"0123 half a rec")
    with backend.begin(REF, "update", stack_secrets()) as update:
        assert "2 entries" in update.notes[0]
        assert "15 bytes" in update.notes[1]
    (record,) = backend.history(REF)
    assert (record.result, record.message) == ("failed", "interrupted")


def test_a_crash_between_fold_and_removal_is_not_taken_for_a_lost_journal(tmp_path: Path) -> None:
    backend = started_update(tmp_path, 2)
    path = journal_path(tmp_path)
    update = backend.begin(REF, "update", stack_secrets())
    update.append(done(1, thing("late")))
    copy = path.with_name("copy")
    os.link(path, copy)
    update.finish("succeeded", {})
    copy.rename(path)
    assert len(backend.load(REF, stack_secrets()).resources) == 3
    assert backend.lost_journals(REF) == []
    assert not path.exists()


def test_a_journal_of_another_checkpoint_is_neither_replayed_nor_dropped(tmp_path: Path) -> None:
    backend = started_update(tmp_path, 2)
    path = journal_path(tmp_path)
    checkpoint = path.with_suffix("")
    checkpoint.write_bytes(checkpoint.read_bytes() + b"\n")
    kept = path.read_bytes()

    assert backend.load(REF, stack_secrets()).resources == []
    with pytest.raises(VerificationError, match="not in its state") as refused:
        backend.begin(REF, "update", stack_secrets())
    assert "dataops stack recover --stack dev" in (refused.value.hint or "")
    with pytest.raises(VerificationError, match="not in its state"):
        backend.settle(REF)
    with backend.begin(REF, "preview", stack_secrets()) as preview:
        (note,) = preview.notes
    assert "an update would be refused" in note and "dataops stack recover --stack dev" in note
    assert path.read_bytes() == kept
    assert backend.lock_holder(REF) is None
    (lost,) = backend.lost_journals(REF)
    assert [(u, id_) for _, u, id_ in lost.resources] == [(urn("r0"), "id-r0"), (urn("r1"), "id-r1")]
    assert lost.kind == "update"

    backend.set_aside(REF)
    backend.settle(REF)
    assert backend.begin(REF, "preview", stack_secrets()).notes == ()
    backend.begin(REF, "update", stack_secrets()).finish("succeeded", {})
    (lost,) = backend.lost_journals(REF)
    assert Path(lost.path).read_bytes() == kept
    assert [stack.reference for stack in backend.stacks()] == [REF]


def test_a_damaged_journal_is_kept_and_listed(tmp_path: Path) -> None:
    backend = started_update(tmp_path, 3)
    path = journal_path(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"\n", data.index(b"\n") + 1) - 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerificationError, match="damaged"):
        backend.begin(REF, "update", stack_secrets())
    assert path.read_bytes() == data
    assert len(backend.lost_journals(REF)) == 1


WRITER = """
import os
import sys
from pathlib import Path
from threading import Thread
from support.stacks import PASSPHRASE, REF, begun, done, stack_secrets, thing
from dataops.infra.state.backend import open_backend
from dataops.infra.state.passphrase import PassphraseSecrets

secrets = PassphraseSecrets(os.environ["PULUMI_CONFIG_PASSPHRASE"], sys.argv[2])
update = open_backend(sys.argv[1]).begin(REF, "update", secrets)

def work(worker):
    for n in range(10_000):
        operation = worker * 10_000 + n + 1
        update.append(begun(operation, thing(f"{worker}-{n}")))
        update.append(done(operation, thing(f"{worker}-{n}")))
        sys.stdout.write(f"{worker}-{n}\\n")
        sys.stdout.flush()

for worker in range(4):
    Thread(target=work, args=(worker,), daemon=True).start()
while True:
    sys.stdin.read()
"""


def killed_writer(url: str, after: int) -> set[str]:
    """Kills a writer once it has acknowledged so many entries; gives all that it had acknowledged until it was dead."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    }
    command = [sys.executable, "-c", WRITER, url, stack_secrets().salt]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    return {line.strip() for line in said if line.endswith("\n")}


@pytest.mark.parametrize("after", [1, 40, 150])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, after: int) -> None:
    url = f"file://{tmp_path}/state"
    backend = open_backend(url)
    backend.create(REF, stack_secrets())
    acknowledged = killed_writer(url, after)
    assert len(acknowledged) >= after
    holder = backend.lock_holder(REF)
    assert holder is not None and holder.alive is False

    with backend.begin(REF, "update", stack_secrets()) as update:
        assert {f"id-{name}" for name in acknowledged} <= {r.id for r in update.base.resources}
        assert len(update.base.resources) - len(acknowledged) <= 4
        assert len(update.base.pending_operations) <= 4
        assert "taken over" in update.notes[0] and "interrupted" in update.notes[1]
        update.finish("succeeded", {})
    assert "pid" in backend.history(REF)[0].environment["dataops.takeover"]


def test_a_killed_update_leaves_a_pending_operation(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path / "state")
    backend.create(REF, stack_secrets())
    update = backend.begin(REF, "update", stack_secrets())
    update.append(begun(1, thing("a")))
    backend.cancel(REF)
    deployment = backend.load(REF, stack_secrets())
    assert [(p.kind, p.resource.urn) for p in deployment.pending_operations] == [("creating", urn("a"))]
    assert not journal_path(tmp_path).exists()


def test_no_secret_is_in_clear_in_any_file(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path / "state")
    backend.create(REF, stack_secrets())
    needle, control = "s3cr3t-Needle-é", "not-s3cr3t-Control"
    state = thing("a", inputs={"deep": [{"token": Secret(needle)}]}, outputs={"open": control})

    def found(text: str) -> set[str]:
        forms = {text.encode(), json.dumps(text)[1:-1].encode(), text.encode("utf-16-le"), text.encode().hex().encode()}
        for shift in range(3):
            forms.add(base64.b64encode(b"x" * shift + text.encode())[4:-4])
        files = [file for file in (tmp_path / "state").rglob("*") if file.is_file()]
        return {file.name.rpartition(".")[2] for file in files if any(form in file.read_bytes() for form in forms)}

    with backend.begin(REF, "update", stack_secrets()) as update:
        update.append(begun(1, state))
        update.append(done(1, state))
        assert found(control) == {"journal"} and found(needle) == set()
        update.finish("succeeded", {}, config={"shop:token": Secret(needle), "shop:open": control})
    with backend.begin(REF, "update", stack_secrets()) as update:
        update.finish("succeeded", {})
    assert found(control) == {"json", "bak"}
    assert found(needle) == set()


def test_a_crash_right_before_the_checkpoint_is_written_is_folded_once(tmp_path: Path) -> None:
    backend = started_update(tmp_path, 2)
    path = journal_path(tmp_path)
    # The mark of a fold that never came about: the checkpoint that it names does not exist.
    contents = read_journal(path.read_bytes(), "here")
    with path.open("ab") as file:
        file.write(record_line(contents.records, contents.records - 1, {"folded": "sha256:none"}))
    leftover = find_leftover(FileStorage(tmp_path / "state"), ".pulumi/stacks/shop/dev.json", checkpoint(tmp_path))
    leftover.mark(FileStorage(tmp_path / "state"), REF, "")
    assert read_journal(path.read_bytes(), "here").folded != "sha256:none"
    assert len(backend.load(REF, stack_secrets()).resources) == 2
    assert not path.exists() and backend.lost_journals(REF) == []


def checkpoint(tmp_path: Path) -> Checkpoint:
    found = read_checkpoint(FileStorage(tmp_path / "state"), ".pulumi/stacks/shop/dev.json")
    assert found is not None
    return found
