"""The lake: a tree of files, and who may reach it where a server stands before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared


class LakeDirectory(Declared):
    """A folder of objects, empty or a clone of another; or a volume of an engine that does not see folders."""

    token = "dataops:local:Lake"
    results = ("url",)

    def __init__(
        self,
        name: str,
        *,
        path: Path,
        source: pulumi.Input[str] = "",
        generation: str = "",
        container: pulumi.Input[Any] | None = None,
        bucket: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[Any] | None] = {
            "path": str(path),
            "source": source,
            "generation": generation or None,
            "container": container,
            "bucket": bucket or None,
        }
        super().__init__(name, inputs, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")

    @property
    def url(self) -> pulumi.Output[str]:
        """A `file://` URL."""
        return self.output("url")


class LakeKeys(Declared):
    """The keys of a lake's server, and the policy of its bucket."""

    token = "dataops:local:LakeAccess"
    results = ("url", "accessKeys", "environmentFile", "digest")

    def __init__(
        self,
        name: str,
        *,
        root: Path,
        bucket: str,
        accounts: Sequence[str],
        policy: Mapping[str, Any],
        generation: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[Any] | None] = {
            "root": str(root),
            "bucket": bucket,
            "accounts": list(accounts),
            "policy": dict(policy),
            "generation": generation or None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["accessKeys"])
        super().__init__(name, inputs, pulumi.ResourceOptions.merge(opts, secret))

    @property
    def url(self) -> pulumi.Output[str]:
        """An `s3://` URL."""
        return self.output("url")

    @property
    def environment_file(self) -> pulumi.Output[str]:
        """What the server itself is told, the administrator's key among it."""
        return self.output("environmentFile")

    @property
    def digest(self) -> pulumi.Output[str]:
        """What changes with who may get in."""
        return self.output("digest")

    def secret_of(self, account: str) -> pulumi.Output[str]:
        """The secret of an account's key."""
        return pulumi.Output.secret(self.output("accessKeys").apply(lambda keys: str(keys[account])))
