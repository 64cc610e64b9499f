"""A damaged checkpoint: which good copies there are, and how one takes its place."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass

from dataops.infra.errors import NotFoundError, VerificationError
from dataops.infra.state.backend import Damage, GoodCopy, StackReference
from dataops.infra.state.checkpoint import SUFFIXES, find_checkpoint, parse_checkpoint
from dataops.infra.state.history import checkpoint_copies
from dataops.infra.state.storage import Storage

COPIES = 5
"""How many of the newest copies in the history are looked at."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A good copy with its bytes; `suffix` is that of its compression."""

    copy: GoodCopy
    data: bytes
    suffix: str


def find_damage(storage: Storage, ref: StackReference, path: str) -> Damage | None:
    """What is wrong with the checkpoint at `path` and what could replace it; None when it can be read.

    Raises:
        VerificationError: it is whole, but of a version that is not known here.
    """
    found = find_checkpoint(storage, path)
    if found is None:
        return None
    name, data = found
    try:
        parse_checkpoint(data, storage.describe(name))
    except VerificationError as error:
        if "damaged" not in error.what:
            raise
    else:
        return None
    return Damage(storage.describe(name), len(data), tuple(c.copy for c in candidates(storage, ref, path)))


def candidates(storage: Storage, ref: StackReference, path: str) -> list[Candidate]:
    """All good copies, those with the newest deployment first."""
    found = []
    backups = [f"{path}{suffix}.bak" for suffix in SUFFIXES]
    for name in [*checkpoint_copies(storage, ref)[-COPIES:], *backups]:
        if (data := storage.read(name)) is None:
            continue
        try:
            deployment = parse_checkpoint(data, name)
        except VerificationError:
            continue
        moment = str((deployment.get("manifest") or {}).get("time", ""))
        suffix = next((s for s in SUFFIXES[1:] if name.removesuffix(".bak").endswith(s)), "")
        copy = GoodCopy(storage.describe(name), moment, len(deployment.get("resources") or ()))
        found.append(Candidate(copy, data, suffix))
    return sorted(found, key=lambda candidate: candidate.copy.time, reverse=True)


def restore(storage: Storage, ref: StackReference, path: str, chosen: Candidate | None = None) -> Damage:
    """Puts the newest good copy, or the `chosen` one, in the place of a damaged checkpoint, which is kept beside it.

    Only under the stack's lock.

    Raises:
        NotFoundError: the checkpoint is whole, or there is no good copy.
    """
    damage, found = find_damage(storage, ref, path), find_checkpoint(storage, path)
    if damage is None or found is None:
        raise NotFoundError(f"the checkpoint of stack {ref.stack!r} is not damaged", hint="dataops stack history")
    best = chosen or next(iter(candidates(storage, ref, path)), None)
    if best is None:
        raise NotFoundError(
            f"there is no good copy of the checkpoint of stack {ref.stack!r}",
            where=damage.path,
            hint="restore that file from a backup, or import an export: dataops stack import --file FILE",
        )
    name, data = found
    aside = f"{path}.{time.time_ns()}.damaged"
    storage.write(aside, data)
    storage.write(path + best.suffix, best.data)
    if name != path + best.suffix:
        storage.delete(name)
    return Damage(damage.path, damage.size, (best.copy,), storage.describe(aside))


def certain(storage: Storage, ref: StackReference, path: str) -> Candidate | None:
    """The copy of which a damaged checkpoint is certainly the beginning, so that putting it back loses nothing.

    It must have been cut off behind the time of its deployment, which no two deployments of a stack share.
    """
    found = find_checkpoint(storage, path)
    if found is None:
        return None
    for candidate in candidates(storage, ref, path):
        whole = candidate.data.startswith(found[1]) and len(found[1]) < len(candidate.data)
        if whole and candidate.copy.time and candidate.copy.time.encode() in _readable(found[1]):
            return candidate
    return None


def _readable(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return zlib.decompressobj(31).decompress(data)
    except zlib.error:
        return b""
