"""Where the parts of an environment are, read from its state: addresses and paths, never secrets.

Facts are copied into the registry's record when an update ends, so that `exec`, `connect` and `status` need neither the
state nor the passphrase.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.process.built_images import CODE
from dataops.infra.resources.state import Deployment, ResourceState
from dataops.infra.resources.urn import is_provider, name_of
from dataops.infra.resources.values import Secret


def facts_of(deployment: Deployment, subdirectory: str = "") -> dict[str, Any]:
    """What people and other commands need to know of an environment.

    Args:
        deployment: its state.
        subdirectory: where the platform's folder lies in the worktree.
    """
    facts: dict[str, Any] = {"services": {}, "pipelines": [], "roles": [], "resources": 0}
    for resource in deployment.resources:
        if resource.delete:
            continue
        if resource.type == "dataops:components:Pipeline":
            facts["pipelines"].append(name_of(resource.urn))
        if not resource.custom or is_provider(resource.type):
            continue
        facts["resources"] += 1
        outputs = {key: value for key, value in resource.outputs.items() if not isinstance(value, Secret)}
        _collect(facts, resource, outputs)
    facts["pipelines"].sort()  # the state has them in the order in which they came about
    if "worktree" in facts:
        facts["directory"] = str(Path(facts["worktree"]) / subdirectory)
    return facts


def _collect(facts: dict[str, Any], resource: ResourceState, outputs: dict[str, Any]) -> None:
    match resource.type:
        case "dataops:local:Worktree":
            facts["worktree"] = outputs.get("path", "")
        case "dataops:local:VirtualEnvironment":
            facts["venv"], facts["python"] = outputs.get("path", ""), outputs.get("python", "")
        case "dataops:docker:Image":
            if name_of(resource.urn) == CODE:
                facts["image"] = outputs.get("reference", "")
            facts["builtImages"] = [*facts.get("builtImages", []), outputs.get("reference", "")]
            _note_image(facts, outputs)
        case "dataops:docker:PulledImage":
            _note_image(facts, outputs)
        case "dataops:local:Supervisor":
            facts["supervisor"] = resource.inputs.get("directory", "")
        case "dataops:local:PostgresCluster":
            known = ("host", "port", "serverVersion", "dataDirectory", "cloned", "carriedBytes")
            facts["warehouse"] = {**facts.get("warehouse", {}), **{k: outputs[k] for k in known if k in outputs}}
        case "dataops:postgres:Database":
            facts["warehouse"] = {**facts.get("warehouse", {}), "database": outputs.get("name", "")}
        case "dataops:postgres:Role":
            role = {"name": outputs.get("name", ""), "login": bool(resource.inputs.get("login"))}
            facts["roles"] = [*facts["roles"], role]
        case "dataops:local:Lake":
            facts.setdefault("lake", outputs.get("url", ""))
            facts["lakeCloned"] = outputs.get("cloned", "")
            facts["lakeCarriedBytes"] = outputs.get("carriedBytes", 0)
        case "dataops:local:LakeAccess":  # a server stands before the folder
            facts["lake"], facts["lakeAccounts"] = outputs.get("url", ""), outputs.get("accounts", [])
        case "dataops:local:Service":
            name = str(resource.inputs.get("name", ""))
            facts["services"][name] = {k: outputs[k] for k in ("url", "port") if outputs.get(k)}
        case "dataops:snapshots:Verification":
            checks = outputs.get("checks")
            facts["checks"] = checks if isinstance(checks, list) else []
        case _:
            pass


def _note_image(facts: dict[str, Any], outputs: dict[str, Any]) -> None:
    name = outputs.get("name") or outputs.get("reference", "")
    known = {"name": name, "digest": outputs.get("digest", ""), "id": outputs.get("imageId", "")}
    facts["images"] = [*facts.get("images", []), known]


def ports(facts: dict[str, Any]) -> list[int]:
    """The ports on loopback that an environment listens on."""
    found = [facts.get("warehouse", {}).get("port")]
    found += [service.get("port") for service in facts.get("services", {}).values()]
    return sorted({int(port) for port in found if port})


def password_of(deployment: Deployment, role: str) -> str | None:
    """The password of a login role, None when there is no such role or it has none. Must not be logged."""
    for resource in deployment.resources:
        if resource.type == "dataops:postgres:Role" and not resource.delete and resource.outputs.get("name") == role:
            value = resource.outputs.get("password")
            value = value.value if isinstance(value, Secret) else value
            return str(value) if value else None
    return None


def lake_secret_of(deployment: Deployment, account: str) -> str | None:
    """The secret of an account's key to the lake, None when it has none. Must not be logged."""
    for resource in deployment.resources:
        if resource.type == "dataops:local:LakeAccess" and not resource.delete:
            keys = resource.outputs.get("accessKeys")
            keys = keys.value if isinstance(keys, Secret) else keys
            found = keys.get(account) if isinstance(keys, dict) else None
            return str(found.value if isinstance(found, Secret) else found) if found else None
    return None
