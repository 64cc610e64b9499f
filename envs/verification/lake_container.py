"""A throwaway S3 server before a folder of lakes, which testcontainers runs: each folder below is a bucket."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.verification.containers import closed, network, postgres_class, publish, require_running, running
from dataops.infra.errors import DeadlineError
from dataops.infra.platform.access import PIPELINE
from dataops.infra.platform.lake_access import lake_access
from dataops.infra.platform.model import Platform
from dataops.infra.process import dotenv
from dataops.infra.process.containers import ourselves
from dataops.infra.process.ports import LOOPBACK, free_port
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.s3_gateway import (
    BUCKETS,
    HEALTH,
    LISTEN,
    GatewayFolder,
    client_variables,
    write_accounts,
    write_policy,
)

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

SECONDS = 60.0
"""How long the server may take to answer."""


@dataclass(frozen=True, slots=True)
class LakeServer:
    """A running server.

    Args:
        endpoint: its URL.
        lakes: the folder whose folders are its buckets.
        folder: what it keeps beside them.
        platform: says who may do what.
        secret: that of the key of pipelines.
    """

    endpoint: str
    lakes: Path
    folder: GatewayFolder
    platform: Platform
    secret: str = field(repr=False)

    def open(self, bucket: str) -> None:
        """Lets pipelines into a bucket, as they are in an environment."""
        access = lake_access(self.platform, bucket, people=False, developer=False)
        write_policy(self.folder, bucket, access.policy)

    def forget(self, bucket: str) -> None:
        """Removes what is known of a bucket beside its objects."""
        remove_tree(self.folder.meta / bucket)

    def variables(self) -> dict[str, str]:
        """The variables with which client libraries of S3 get in as pipelines."""
        return client_variables(self.endpoint, PIPELINE, self.secret)


@contextmanager
def contained_lakes(root: Path, lakes: Path, platform: Platform) -> Iterator[LakeServer]:
    """Runs the server in a container, with a port of loopback, while the block runs.

    Args:
        root: the folder of the environment that it is a part of, which its label names.
        lakes: the folder whose folders are buckets.
        platform: names the image, and says who may do what.

    Raises:
        ConfigurationError: testcontainers is not installed.
        ResourceError, DeadlineError: it does not start.
    """
    postgres_class()  # how it is told whether testcontainers is there, and set as it is to be
    from testcontainers.core.container import DockerContainer

    folder, port = GatewayFolder.of(root), free_port()
    keys = write_accounts(folder, [PIPELINE])
    for needed in (lakes, folder.meta):
        needed.mkdir(parents=True, exist_ok=True)
    program, *words = folder.command(root.name)
    container = DockerContainer(platform.images.lake)
    container.with_command(words)
    container.with_envs(**dotenv.read_variables(folder.administrator), **{LISTEN: f"0.0.0.0:{port}"})
    container.with_tmpfs_mount("/tmp")
    container.with_volume_mapping(str(lakes), BUCKETS, "rw")
    for kept in (folder.meta, folder.accounts.parent):
        container.with_volume_mapping(str(kept), str(kept), "rw")
    publish(container, port)
    with network(root, "lakes") as on:
        container.with_kwargs(**closed(root), **on, entrypoint=[program], user=ourselves())
        with running(container):
            server = LakeServer(f"http://{LOOPBACK}:{port}", lakes, folder, platform, keys[PIPELINE])
            _wait(server, container)
            yield server


def _wait(server: LakeServer, container: DockerContainer) -> None:
    """Waits until the server answers."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{server.endpoint}{HEALTH}", timeout=2):
                return
        except OSError:
            require_running(container, "S3 server")
            time.sleep(0.05)
    raise DeadlineError(f"a throwaway S3 server did not answer within {SECONDS:.0f} s")
