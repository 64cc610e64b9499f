"""State in a bucket of S3, or of a server that speaks its protocol.

An object is written whole or not at all, and seen by all at once; conditional writes keep two machines from replacing
the same thing. A log is a folder with an object for each batch, `<log>/00000000`, `<log>/00000001` and so on. A batch
begins with the hash of the one before it, and must not exist when it is written: batches of two writers cannot mix.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from dataops.infra.errors import DataopsError, LockedError, VerificationError
from dataops.infra.state.s3_client import code_of, open_client, read_whole, translating
from dataops.infra.state.s3_location import S3Location

CONFLICTS = 5
"""How often a conditional write is tried when S3 cannot decide whose came first."""


class S3Storage:
    """A `Storage` in a bucket. `client` is one of boto3, made when it is first needed."""

    def __init__(self, location: S3Location, client: Any = None) -> None:
        self.url = location.url
        self.location = location
        self._client = client
        self._ahead = 0.0
        # What was read or written last under each name, and the version that S3 gave it.
        self._versions: dict[str, tuple[bytes, str]] = {}

    @property
    def client(self) -> Any:
        """The boto3 client."""
        if self._client is None:
            self._client = open_client(self.location)
        return self._client

    def now(self) -> float:
        return time.time() + self._ahead

    def read(self, name: str) -> bytes | None:
        found = read_whole(self.location, lambda: self._request("get_object", name, missing=True))
        if found is None:
            return None
        data, answer = found
        self._versions[name] = (_hash(data), answer["ETag"])
        return data

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        self._put(name, data)

    def replace(self, name: str, data: bytes, seen: bytes | None, durable: bool = True) -> bool:
        if seen is None:
            return self._put_if(name, data, IfNoneMatch="*")
        known = self._versions.get(name)
        if known is None or known[0] != _hash(seen):
            if self.read(name) != seen:
                return False
            known = self._versions[name]
        return self._put_if(name, data, IfMatch=known[1])

    def delete(self, name: str) -> None:
        self._versions.pop(name, None)
        self._request("delete_object", name)

    def names(self, folder: str, beginning: str = "") -> list[str]:
        base = f"{folder}/" if folder else ""
        found: list[str] = []
        for page in self._pages(f"{base}{beginning}", delimiter="/"):
            keys = [item["Key"] for item in page.get("Contents", ())]
            keys += [item["Prefix"] for item in page.get("CommonPrefixes", ())]
            found += [key.removeprefix(self.location.prefix + base) for key in keys]
        return sorted(name for name in found if name)

    def modified(self, name: str) -> float:
        found = self._request("head_object", name, missing=True)
        return 0.0 if found is None else float(found["LastModified"].timestamp())

    def create_log(self, name: str) -> S3Log:
        return S3Log(self, name, 0, b"")

    def read_log(self, name: str, strict: bool = True) -> bytes | None:
        batches = self._batches(name)
        if not batches:
            return None
        found, before = b"", b""
        for number, batch in enumerate(batches):
            data = self.read(f"{name}/{batch}") or b""
            chained, _, records = data.partition(b"\n")
            if strict and (batch != _batch(number) or chained.decode() != _hash(before).hex()):
                if number == 0 and len(batches) == 1 and b' {"folded":' in records:
                    # The last to be removed of a journal that has been folded.
                    return b""
                raise VerificationError(
                    f"batch {number} of the journal is missing or is not the one that was written",
                    where=self.describe(name),
                    hint="see what is left of it with `dataops stack recover`",
                )
            found, before = found + records, data
        return found

    def extend_log(self, name: str, keep: int, data: bytes) -> None:
        batches = self._batches(name)
        before = self.read(f"{name}/{batches[-1]}") if batches else b""
        # A batch is whole or not there: there is nothing to drop.
        S3Log(self, name, len(batches), before or b"").append(data)

    def move_log(self, name: str, to: str) -> None:
        for batch in self._batches(name):
            source = {"Bucket": self.location.bucket, "Key": self._key(f"{name}/{batch}")}
            self._request("copy_object", f"{to}/{batch}", CopySource=source, **self.location.encrypting)
        self.delete_log(name)

    def delete_log(self, name: str) -> None:
        batches = self._batches(name)
        # The last one says that all of them have been folded, so it goes last.
        for some in (batches[:-1][at : at + 1000] for at in range(0, len(batches) - 1, 1000)):
            keys = [{"Key": self._key(f"{name}/{batch}")} for batch in some]
            with translating(self.location):
                answer = self.client.delete_objects(
                    Bucket=self.location.bucket, Delete={"Objects": keys, "Quiet": True}
                )
            if answer.get("Errors"):
                raise DataopsError(
                    f"the journal cannot be removed ({answer['Errors'][0].get('Code')})", where=self.describe(name)
                )
        for batch in batches[-1:]:
            self.delete(f"{name}/{batch}")

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        # Between machines only conditional writes count, and they are enough within one.
        yield

    def describe(self, name: str) -> str:
        return f"s3://{self.location.bucket}/{self._key(name)}"

    def version(self, name: str) -> str:
        """What changes whenever an object is written; "" when there is none."""
        found = self._request("head_object", name, missing=True)
        return "" if found is None else str(found["ETag"])

    def _batches(self, log: str) -> list[str]:
        return [name for name in self.names(log) if name.isdigit()]

    def _put_if(self, name: str, data: bytes, **condition: str) -> bool:
        from botocore.exceptions import ClientError

        for attempt in range(CONFLICTS):
            try:
                self._put(name, data, **condition)
                return True
            except ClientError as error:
                if code_of(error) == "ConditionalRequestConflict":
                    time.sleep(0.1 * 2**attempt)
                    continue
                # The first of two tries of the same request may have succeeded without our hearing of it.
                return self.read(name) == data
        return False

    def _put(self, name: str, data: bytes, **condition: Any) -> None:
        answer = self._request("put_object", name, Body=data, **self.location.encrypting, **condition)
        self._versions[name] = (_hash(data), answer["ETag"])

    def _request(self, operation: str, name: str, missing: bool = False, **given: Any) -> Any:
        """Calls S3 about one object; gives None for one that does not exist, if it may be `missing`."""
        from botocore.exceptions import ClientError

        with translating(self.location):
            try:
                answer = getattr(self.client, operation)(Bucket=self.location.bucket, Key=self._key(name), **given)
            except ClientError as error:
                if missing and code_of(error) in ("NoSuchKey", "404"):
                    return None
                raise
        self._heed(answer)
        return answer

    def _pages(self, prefix: str, delimiter: str) -> Iterator[Any]:
        with translating(self.location):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.location.bucket, Prefix=self.location.prefix + prefix, Delimiter=delimiter
            )
            for page in pages:
                self._heed(page)
                yield page

    def _heed(self, answer: Any) -> None:
        """Learns how far the server's clock is ahead of ours; it says whole seconds."""
        said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if said:
            ahead = parsedate_to_datetime(said).timestamp() - time.time()
            self._ahead = 0.0 if -1.5 < ahead < 0.5 else ahead

    def _key(self, name: str) -> str:
        return self.location.prefix + name


class S3Log:
    """A `Log` of an `S3Storage`: each append is an object of its own, which names the hash of the one before."""

    def __init__(self, storage: S3Storage, name: str, number: int, before: bytes) -> None:
        self._storage = storage
        self._name = name
        self._number = number
        self._before = before
        self._first = "" if number == 0 else storage.version(f"{name}/{_batch(0)}")

    def append(self, data: bytes) -> None:
        batch, name = _hash(self._before).hex().encode() + b"\n" + data, _batch(self._number)
        if not self._storage.replace(f"{self._name}/{name}", batch, None):
            raise self._taken_away()
        first = self._storage.version(f"{self._name}/{_batch(0)}")
        if self._number and first != self._first:
            # Whoever broke the lock has folded the rest. This goes where what is lost is listed, out of others' way.
            self._storage.write(f"{self._name}.{time.time_ns()}.lost/{name}", batch)
            self._storage.delete(f"{self._name}/{name}")
            raise self._taken_away()
        self._first = first
        self._number += 1
        self._before = batch

    def close(self) -> None:
        """Every batch is whole; nothing has to be closed."""

    def _taken_away(self) -> LockedError:
        return LockedError(
            "the journal was taken away while it was written: the stack's lock was broken",
            where=self._storage.describe(self._name),
            hint="see who works on the stack, and what this command did: `dataops stack recover`",
        )


def _batch(number: int) -> str:
    return f"{number:08d}"


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
