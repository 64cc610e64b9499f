"""Declares the stacks with Pulumi's own mocks: configuration as JSON on stdin, what was declared as JSON on stdout."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.stack import run_in_stack

from dataops.stacks import deploy

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def reported(type_: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the providers of the local target report, as far as the program uses it."""
    match type_:
        case "dataops:local:PostgresCluster":
            connection = {"host": "/run/pg", "port": 5544, "user": "postgres"}
            return {"connection": connection, "host": "127.0.0.1", "port": 5544, "running": True}
        case "dataops:postgres:Role":
            return {"password": {**SECRET, "value": f"pa:ss {name}"}} if inputs["login"] else {}
        case "dataops:local:Lake":
            return {"url": f"file://{inputs['path']}"}
        case "dataops:local:VirtualEnvironment":
            return {"python": f"{inputs['path']}/bin/python"}
        case "dataops:local:Service":
            return {"port": 8000, "url": "http://127.0.0.1:8000", "running": True}
        case "dataops:local:LakeAccess":
            keys = {"accessKeys": {account: f"key of {account}" for account in inputs["accounts"]}}
            return {"url": f"s3://{inputs['bucket']}", "environmentFile": "/lake.env", **keys}
        case "dataops:docker:PulledImage":
            return {"reference": f"{inputs['name']}@sha256:0", "imageId": f"sha256:{inputs['name']}"}
        case "dataops:docker:Image":
            return {"reference": f"{inputs['name']}:1", "imageId": f"sha256:{name}"}
        case "dataops:local:ContainerPlace":
            return {"network": "dataops-network", "socket": "/run/docker.sock"}
        case "dataops:snapshots:Golden":
            return {"dataDirectory": "/golden/data", "lakeDirectory": "/golden/lake", "manifestHash": "abc"}
        case "dataops:snapshots:Verification":
            return {"checks": [{"name": "roles", "ok": True, "detail": ""}]}
    return {}


class _Outputs(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, **reported(args.typ, args.name, args.inputs)}

    def call(self, args: Any) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return {}, None


class _Monitor(MockMonitor):
    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.found: dict[str, Any] = {"resources": [], "outputs": {}, "secret_outputs": []}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        if request.type != "pulumi:pulumi:Stack":
            wire = rpc.deserialize_properties(request.object, keep_unknowns=True)
            self.found["resources"].append(
                {
                    "type": request.type,
                    "name": request.name,
                    "parent": _short(request.parent),
                    "custom": request.custom,
                    "inputs": {key: _unwrapped(value) for key, value in wire.items()},
                    "after": sorted(_short(urn) for urn in request.dependencies),
                    "secret_inputs": sorted(key for key, value in wire.items() if _has_secret(value)),
                }
            )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            wire = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
            self.found["outputs"] = {key: _unwrapped(value) for key, value in wire.items()}
            self.found["secret_outputs"] = sorted(key for key, value in wire.items() if _has_secret(value))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _short(urn: str) -> str:
    parts = urn.split("::")
    return f"{parts[2].rpartition('$')[2]}::{parts[3]}" if urn else ""


def _has_secret(value: Any) -> bool:
    if rpc.is_rpc_secret(value):
        return True
    if isinstance(value, Mapping):
        return any(_has_secret(v) for v in value.values())
    return isinstance(value, list) and any(_has_secret(v) for v in value)


def _unwrapped(value: Any) -> Any:
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, Mapping):
        return {key: _unwrapped(v) for key, v in value.items()}
    return [_unwrapped(v) for v in value] if isinstance(value, list) else value


def main() -> None:
    mocks = _Outputs()
    monitor = _Monitor(mocks)
    settings.set_root_resource(object())  # type: ignore[arg-type]  # else a stack is made, before there is a loop
    set_mocks(mocks, project="shop", stack="test", monitor=monitor)
    settings.set_root_resource(None)  # type: ignore[arg-type]
    set_all_config(json.load(sys.stdin))
    asyncio.run(run_in_stack(lambda: None if deploy() else None))
    json.dump(monitor.found, sys.stdout)


if __name__ == "__main__":
    main()
