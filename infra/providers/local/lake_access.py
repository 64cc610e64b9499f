"""`dataops:local:LakeAccess`: the keys of a lake's S3 server, and the policy of its bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.process.removal import remove_tree
from dataops.infra.process.s3_gateway import (
    GatewayFolder,
    access_digest,
    forget_objects,
    read_accounts,
    read_policy,
    write_accounts,
    write_policy,
)
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler, UpdateResult


class LakeAccessHandler(ResourceHandler):
    """Files of mode 0600 beside the lake, which the server reads at each request: a change holds at once.

    A server that does not see them is handed them when it starts: `digest` tells it to.
    What the server knows of objects is forgotten when `generation` becomes another text: then others lie there.
    """

    token = "dataops:local:LakeAccess"
    required = frozenset({"root", "bucket", "accounts", "policy"})
    optional = frozenset({"generation"})
    replace_on = frozenset({"root"})
    outputs = frozenset({"root", "bucket", "url", "accounts", "accessKeys", "environmentFile", "agrees", "digest"})
    secret_outputs = frozenset({"accessKeys"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        return CreateResult(str(inputs["root"]), _ensure(inputs))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        folder, inputs = GatewayFolder.of(Path(recorded.id)), recorded.inputs
        if not folder.root.is_dir():
            return ReadResult("", {})
        keys = dict(recorded.outputs.get("accessKeys") or {})
        agrees = read_accounts(folder) == keys and read_policy(folder, inputs["bucket"]) == inputs["policy"]
        return ReadResult(recorded.id, {**recorded.outputs, "agrees": agrees})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return [] if recorded.outputs.get("agrees") else ["agrees"]

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        if recorded.inputs.get("generation") != inputs.get("generation"):
            forget_objects(GatewayFolder.of(Path(inputs["root"])))
        return UpdateResult(_ensure(inputs))

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        remove_tree(GatewayFolder.of(Path(recorded.id)).root)


def _ensure(inputs: dict[str, Any]) -> dict[str, Any]:
    folder, bucket = GatewayFolder.of(Path(inputs["root"])), str(inputs["bucket"])
    keys = write_accounts(folder, inputs["accounts"])
    write_policy(folder, bucket, inputs["policy"])
    return {
        "root": inputs["root"],
        "bucket": bucket,
        "url": f"s3://{bucket}",
        "accounts": sorted(keys),
        "accessKeys": keys,
        "environmentFile": str(folder.administrator),
        "agrees": True,
        "digest": access_digest(folder, bucket),
    }
