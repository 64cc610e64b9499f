"""An S3 server as a process of its own, and buckets in it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from dataops.infra.state.s3_location import S3Location
from dataops.snapshots.storage.s3 import S3Storage

# The names that AWS's own documentation uses; the server does not look at them.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server; `endpoint` is its URL."""

    endpoint: str

    def bucket(self) -> str:
        """Makes a bucket and gives its name."""
        name = f"state-{uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def url(self, bucket: str, prefix: str = "", **parameters: str) -> str:
        """The URL of a state in a bucket."""
        more = "".join(f"&{key}={value}" for key, value in parameters.items())
        return f"s3://{bucket}{prefix}?region=us-east-1&endpoint={self.endpoint}&s3ForcePathStyle=true{more}"

    def client(self) -> Any:
        """A boto3 client for it."""
        return _client(self.endpoint)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Everything in a bucket, by key."""
        client, found = self.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", ()):
                found[item["Key"]] = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        return found


@cache
def _client(endpoint: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Runs a server for the duration of the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment: Mapping[str, str] = {**os.environ, **CREDENTIALS}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError(f"the S3 server ended with {process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield S3Server(f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def bucket_storage(server: S3Server) -> S3Storage:
    """A storage of snapshots in a bucket of its own."""
    return S3Storage(S3Location.parse(server.url(server.bucket(), "/shop")))
