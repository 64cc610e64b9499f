"""What a container is to be, as plain data, and the request for it. Nothing here speaks to an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dataops.infra.platform.quantities import bytes_of, seconds_of
from dataops.infra.process.dotenv import read_variables
from dataops.infra.process.ports import LOOPBACK
from dataops.infra.providers.base import CheckFailure
from dataops.infra.providers.docker.marks import NOTED, REQUIRED, fingerprint

NANO = 1_000_000_000
BASE = frozenset({"name", "image"}) | REQUIRED
OPTIONAL = NOTED | {
    "command",
    "entrypoint",
    "user",
    "workingDirectory",
    "hostname",
    "variables",
    "environmentFile",
    "environmentDigest",
    "mounts",
    "networks",
    "limits",
    "readOnly",
    "capabilities",
    "logs",
    "stopTimeout",
    "stopSignal",
    "generation",
}
"""Inputs that containers and jobs share."""

LIVE = frozenset({"limits", "restart"})
"""Inputs that can be changed while a container runs."""

_PARTS = {
    "mounts": frozenset({"type", "source", "target", "readOnly", "size", "mode", "uid"}),
    "networks": frozenset({"name", "aliases"}),
    "ports": frozenset({"container", "host"}),
}
_SECTIONS = {
    "limits": frozenset({"memory", "cpus", "pids", "sharedMemory"}),
    "logs": frozenset({"maxSize", "maxFiles"}),
    "health": frozenset({"command", "path", "port", "interval", "timeout", "retries", "startPeriod"}),
}


def check(inputs: Mapping[str, Any]) -> Iterable[CheckFailure]:
    """What is wrong with the inputs of a container or job."""
    for name, keys in _PARTS.items():
        for part in inputs.get(name) or []:
            yield from _unknown(name, part, keys)
    for name, keys in _SECTIONS.items():
        if inputs.get(name):
            yield from _unknown(name, inputs[name], keys)
    limits = inputs.get("limits")
    if isinstance(limits, dict):
        for key in ("memory", "sharedMemory"):
            try:
                bytes_of(limits.get(key) or "1MiB")
            except (TypeError, ValueError):
                yield CheckFailure("limits", f"{key} must be a size such as 512MiB")
    if inputs.get("ports") and not inputs.get("networks"):
        yield CheckFailure("ports", "need a network: without one nothing can be reached")
    health = inputs.get("health")
    if isinstance(health, dict) and ("command" in health) == ("path" in health):
        yield CheckFailure("health", "needs either a command, or a path and the port of the container that serves it")


def _unknown(name: str, part: object, keys: frozenset[str]) -> Iterable[CheckFailure]:
    if not isinstance(part, dict):
        yield CheckFailure(name, "must be made of mappings")
    elif unknown := sorted(part.keys() - keys):
        yield CheckFailure(name, f"knows nothing of {', '.join(unknown)}; it knows {', '.join(sorted(keys))}")


def specification_of(inputs: Mapping[str, Any], image_id: str) -> str:
    """A hash of all that a running container cannot change: another one needs another container.

    Args:
        image_id: what the image's name means at present.
    """
    left_out = NOTED | LIVE | {"image", "readySeconds", "stopTimeout"}
    limits = inputs.get("limits") or {}
    kept = {name: value for name, value in inputs.items() if name not in left_out and value is not None}
    return fingerprint({**kept, "image": image_id, "sharedMemory": limits.get("sharedMemory")})


def configuration(
    inputs: Mapping[str, Any], labels: Mapping[str, str], ports: Mapping[str, int], image: str
) -> dict[str, Any]:
    """The request that makes the container, in the engine's own terms.

    Args:
        labels: what marks it.
        ports: port of the container to port of 127.0.0.1.
        image: what it is made of.
    """
    health = inputs.get("health") or {}
    made: dict[str, Any] = {
        "Image": image,
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoint"),
        "User": str(inputs.get("user") or ""),
        "WorkingDir": inputs.get("workingDirectory") or "",
        "Hostname": inputs.get("hostname") or "",
        "Env": [f"{name}={value}" for name, value in variables_of(inputs).items()],
        "Labels": dict(labels),
        "ExposedPorts": {f"{port}/tcp": {} for port in ports},
        "Healthcheck": _healthcheck(health) if "command" in health else None,
        "StopSignal": inputs.get("stopSignal") or "",
        "StopTimeout": int(inputs["stopTimeout"]) if inputs.get("stopTimeout") is not None else None,
        "HostConfig": {
            **host_limits(inputs),
            "ShmSize": bytes_of((inputs.get("limits") or {}).get("sharedMemory") or "64MiB"),
            "RestartPolicy": restart_policy(inputs),
            "PortBindings": {f"{p}/tcp": [{"HostIp": LOOPBACK, "HostPort": str(h)}] for p, h in ports.items()},
            "Mounts": [_mount(mount) for mount in inputs.get("mounts") or []],
            "NetworkMode": (_networks(inputs) or [{"name": "none"}])[0]["name"],
            "ReadonlyRootfs": bool(inputs.get("readOnly")),
            "CapDrop": ["ALL"],
            "CapAdd": list(inputs.get("capabilities") or []),
            "SecurityOpt": ["no-new-privileges"],
            "Init": True,
            "LogConfig": _logs(inputs.get("logs") or {}),
        },
    }
    if first := _networks(inputs)[:1]:
        endpoint = {"Aliases": list(first[0].get("aliases") or [])}
        made["NetworkingConfig"] = {"EndpointsConfig": {first[0]["name"]: endpoint}}
    return made


def further_networks(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The networks beside the one that a container is made in."""
    return _networks(inputs)[1:]


def variables_of(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the container: those of the file, those given by name on top."""
    found = {}
    if inputs.get("environmentFile"):
        found = read_variables(Path(inputs["environmentFile"]))
    return {**found, **{name: str(value) for name, value in (inputs.get("variables") or {}).items()}}


def host_limits(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The limits, as making and changing a container want them; 0 for none."""
    limits = inputs.get("limits") or {}
    memory = bytes_of(limits["memory"]) if limits.get("memory") else 0
    # no swap on top: what does not fit ends there and then, and is told as such
    return {
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": round(float(limits.get("cpus") or 0) * NANO),
        "PidsLimit": int(limits.get("pids") or 0),
    }


def restart_policy(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the engine starts the container again when it ends: `no`, `always`, `unless-stopped`, `on-failure:5`."""
    name, _, most = str(inputs.get("restart") or "no").partition(":")
    return {"Name": name, "MaximumRetryCount": int(most or 0)}


def ports_of(inputs: Mapping[str, Any]) -> dict[str, int]:
    """Ports of the container that this machine is to reach, with the port there, 0 where it is to be chosen."""
    return {str(int(port["container"])): int(port.get("host") or 0) for port in inputs.get("ports") or []}


def _networks(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(inputs.get("networks") or [])


def _healthcheck(health: Mapping[str, Any]) -> dict[str, Any]:
    command = health["command"]
    return {
        "Test": ["CMD-SHELL", command] if isinstance(command, str) else ["CMD", *command],
        "Interval": _nano(health.get("interval") or "10s"),
        "Timeout": _nano(health.get("timeout") or "5s"),
        "Retries": int(health.get("retries") or 3),
        "StartPeriod": _nano(health.get("startPeriod") or "30s"),
    }


def _nano(duration: str) -> int:
    return round(seconds_of(duration) * NANO)


def _logs(logs: Mapping[str, Any]) -> dict[str, Any]:
    # the engine's units are k, m and g; bytes are understood by every version
    size = bytes_of(logs.get("maxSize") or "10MiB")
    return {"Type": "json-file", "Config": {"max-size": str(size), "max-file": str(int(logs.get("maxFiles") or 3))}}


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    kind = mount.get("type") or "bind"
    made: dict[str, Any] = {
        "Type": kind,
        "Source": str(mount.get("source") or ""),
        "Target": mount["target"],
        "ReadOnly": bool(mount.get("readOnly")),
    }
    if kind == "tmpfs":
        made["Source"] = ""
        options: dict[str, int] = {"Mode": int(str(mount.get("mode") or "1777"), 8)}
        if mount.get("size"):
            options["SizeBytes"] = bytes_of(mount["size"])
        made["TmpfsOptions"] = options
    return made
