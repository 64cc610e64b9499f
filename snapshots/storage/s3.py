"""A storage in a bucket of S3, or of a server that speaks its protocol. A chunk is small enough for one request."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from dataops.infra.state.s3_client import code_of, open_client, read_whole, translating
from dataops.infra.state.s3_location import S3Location

CONFLICTS = 5
"""How often a conditional write is tried when S3 cannot decide whose came first."""


class S3Storage:
    """A `Storage` in a bucket; an object is there whole, and to stay, or not at all.

    Args:
        location: the bucket, and the prefix of all names.
    """

    def __init__(self, location: S3Location) -> None:
        self.url = location.url
        self.location = location
        self._client = open_client(location)

    def read(self, name: str) -> bytes | None:
        found = read_whole(self.location, lambda: self._request("get_object", name, missing=True))
        return None if found is None else found[0]

    def size(self, name: str) -> int | None:
        found = self._request("head_object", name, missing=True)
        return None if found is None else int(found["ContentLength"])

    def write(self, name: str, data: bytes) -> None:
        self._put(name, data)

    def settle(self, names: Iterable[str]) -> None:
        """An object that was accepted stays."""

    def create(self, name: str, data: bytes) -> bool:
        from botocore.exceptions import ClientError

        for attempt in range(CONFLICTS):
            try:
                self._put(name, data, IfNoneMatch="*")
                return True
            except ClientError as error:
                if code_of(error) != "ConditionalRequestConflict":
                    return False
                time.sleep(0.1 * 2**attempt)
        return False

    def delete(self, name: str) -> None:
        self._request("delete_object", name)

    def names(self, beginning: str = "") -> Iterator[tuple[str, int]]:
        prefix = self.location.prefix
        with translating(self.location):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.location.bucket, Prefix=prefix + beginning
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"].removeprefix(prefix), int(item["Size"])

    def describe(self, name: str) -> str:
        return f"s3://{self.location.bucket}/{self.location.prefix}{name}"

    def _put(self, name: str, data: bytes, **condition: Any) -> None:
        self._request("put_object", name, Body=data, **self.location.encrypting, **condition)

    def _request(self, operation: str, name: str, missing: bool = False, **given: Any) -> Any:
        """Calls S3 about one object; gives None for one that does not exist, if it may be `missing`."""
        from botocore.exceptions import ClientError

        key = self.location.prefix + name
        with translating(self.location):
            try:
                return getattr(self._client, operation)(Bucket=self.location.bucket, Key=key, **given)
            except ClientError as error:
                if missing and code_of(error) in ("NoSuchKey", "404"):
                    return None
                raise
