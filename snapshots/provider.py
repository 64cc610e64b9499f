"""The resource types of snapshots: `dataops:snapshots:Golden` and `dataops:snapshots:Verification`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.platform.layout import GOLDEN_RECORD, default_home
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler, UpdateResult


def snapshot_handlers(home: Path | None = None) -> list[ResourceHandler]:
    """The handlers of this folder's resource types, for the provider `dataops`.

    Args:
        home: where the server's programs are kept; by default the home that the golden directory lies in.
    """
    return [GoldenHandler(home), VerificationHandler()]


class GoldenHandler(ResourceHandler):
    """A snapshot restored once. Environments share it, so nothing is removed with the resource."""

    token = "dataops:snapshots:Golden"
    required = frozenset({"snapshot", "store", "directory", "keys"})
    replace_on = frozenset({"snapshot"})
    outputs = frozenset({"dataDirectory", "lakeDirectory", "manifestHash", "serverVersion", "tables"})

    def __init__(self, home: Path | None = None) -> None:
        self._home = home

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        # restoring and verifying are loaded when there is something to do: mostly there is not
        from dataops.snapshots.golden import build_golden
        from dataops.snapshots.storage.local import LocalStorage
        from dataops.snapshots.store import open_manifest

        store, keys, directory = (Path(inputs[name]) for name in ("store", "keys", "directory"))
        manifest = open_manifest(LocalStorage(store), inputs["snapshot"], keys)
        golden = build_golden(manifest, store, keys, directory, self._home or _home(directory))
        return CreateResult(
            manifest.id,
            {
                "dataDirectory": str(golden.data_directory),
                "lakeDirectory": str(golden.lake_directory),
                "manifestHash": golden.manifest_hash,
                "serverVersion": golden.server_version,
                "tables": golden.tables,
            },
        )

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        """Gone when its record is: then it is built again."""
        record = Path(recorded.outputs["dataDirectory"]).parent / GOLDEN_RECORD
        return ReadResult(recorded.id if record.exists() else "", recorded.outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """Leaves it for the other environments."""


class VerificationHandler(ResourceHandler):
    """The checks of `verification`, passed. Made again whenever something that was checked changes."""

    token = "dataops:snapshots:Verification"
    required = frozenset(
        {"connection", "database", "dataDirectory", "lake", "snapshot", "manifestHash", "store", "keys"}
    )
    optional = frozenset({"roles", "grants", "variables", "productionHosts", "forbiddenRoles"})
    outputs = frozenset({"checks", "verifiedAt"})

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        return _verified(inputs, ())

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        """Checks again; what was declared until now is taken back when everything new is there, hence not yet."""
        return UpdateResult(_verified(inputs, recorded.inputs.get("grants") or ()).outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """Nothing exists but the record."""


def _verified(inputs: dict[str, Any], departing: Sequence[dict[str, Any]]) -> CreateResult:
    from dataops.snapshots.storage.local import LocalStorage
    from dataops.snapshots.store import open_manifest
    from dataops.snapshots.verification import Replica, verify

    storage = LocalStorage(Path(inputs["store"]))
    manifest = open_manifest(storage, inputs["snapshot"], Path(inputs["keys"]))
    if manifest.hash != inputs["manifestHash"]:
        raise VerificationError(f"the manifest of {manifest.id} is not the one that the replica was made from")
    replica = Replica(
        connection=inputs["connection"],
        database=inputs["database"],
        data_directory=Path(inputs["dataDirectory"]),
        lake=Path(inputs["lake"]),
        roles=inputs.get("roles") or (),
        forbidden_roles=inputs.get("forbiddenRoles") or (),
        grants=inputs.get("grants") or (),
        variables=inputs.get("variables") or {},
        production_hosts=inputs.get("productionHosts") or (),
        departing=departing,
    )
    checks = verify(replica, manifest)
    outputs = {
        "checks": [{"ok": True, **asdict(check)} for check in checks],
        "verifiedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return CreateResult(manifest.id, outputs)


def _home(golden: Path) -> Path:
    """The home that a platform's directory of golden directories belongs to."""
    return golden.parents[2] if golden.parents[1].name == "platforms" else default_home()
