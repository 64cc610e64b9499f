"""The S3 server of a lake in a container: versitygw on the lake's own folder, one bucket for each environment.

Objects are the files of the folder, so that snapshots, clones and resets work on it as they do without a server. What
the server must know beside them lies in a folder of its own, never in the lake: its accounts, the bucket's policy, and
what clients say of objects (`meta`, which goes when the objects are laid anew).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dataops.infra.process.dotenv import format_variables
from dataops.infra.process.programs import text_of, write_private
from dataops.infra.process.removal import remove_tree

Value = TypeVar("Value")

PROGRAM = "versitygw"
VERSION = "v1.8.0"
REGION = "us-east-1"
"""What clients must be told that want a region; the server knows this one."""

LAKE = "lake"
"""What the server is called on the environment's network."""

HEALTH = "/healthz"
PORT, LISTEN = "PORT", "VGW_PORT"
"""The variables that tell its port, and where it listens."""

BUCKETS = "/lakes"
SECRET_BYTES = 30


def client_variables(endpoint: Value, key: str, secret: Value) -> dict[str, Value | str]:
    """The variables with which client libraries of S3 get into a lake; endpoint and secret may be known only later."""
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ALLOW_HTTP": "true",
    }


@dataclass(frozen=True, slots=True)
class GatewayFolder:
    """What the server of a lake keeps beside it, below `root`."""

    root: Path

    @classmethod
    def of(cls, environment: Path) -> GatewayFolder:
        """That of the environment with this folder."""
        return cls(environment / "s3")

    @property
    def accounts(self) -> Path:
        return self.root / "iam" / "users.json"

    @property
    def administrator(self) -> Path:
        return self.root / "admin.env"

    @property
    def meta(self) -> Path:
        return self.root / "meta"

    def policy(self, bucket: str) -> Path:
        return self.meta / bucket / "meta" / "policy"

    def command(self, generation: str, buckets: str = BUCKETS) -> list[str]:
        """The words that start the server in its container.

        Args:
            generation: names the objects that were laid; those that no client wrote have an ETag by that name, unless
                the server makes a better one.
            buckets: the folder whose folders are buckets.
        """
        tag = hashlib.sha256(generation.encode()).hexdigest()[:32]
        return [
            *(PROGRAM, "--iam-dir", str(self.accounts.parent), "--iam-cache-disable", "--health", HEALTH),
            # without --keep-alive: what followed an upload on the same connection was now and then not understood
            *("--quiet", "--disable-acl"),
            *("posix", "--disable-object-lock-file", "--default-etag", f'"{tag}-1"'),
            *("--sidecar", str(self.meta), buckets),
        ]

    def mounts(self, bucket: str, lake: Path) -> list[dict[str, Any]]:
        """What its container sees of this machine: the objects, and what is known of them."""
        return [
            {"source": str(lake), "target": f"{BUCKETS}/{bucket}", "readOnly": False},
            {"source": str(self.meta), "target": str(self.meta), "readOnly": False},
            {"source": str(self.accounts.parent), "target": str(self.accounts.parent), "readOnly": False},
        ]


def bucket_name(environment: str) -> str:
    """The bucket of an environment; no two of a platform have the same, so that its name alone betrays production."""
    return f"{environment.replace('_', '-')}-lake"


def write_accounts(folder: GatewayFolder, names: Iterable[str]) -> dict[str, str]:
    """Gives each name a key, and takes away those of all others; name to secret. What has a key keeps it.

    The server's administrator, whom nobody needs, gets a key that stands in a file for the server alone.
    """
    folder.accounts.parent.mkdir(parents=True, exist_ok=True)
    folder.root.chmod(0o700)
    known = read_accounts(folder)
    keys = {name: known.get(name) or secrets.token_urlsafe(SECRET_BYTES) for name in sorted(set(names))}
    plain = {"role": "user", "userID": 0, "groupID": 0, "projectID": 0}
    accounts = {name: {"access": name, "secret": secret, **plain} for name, secret in keys.items()}
    text = json.dumps({"accessAccounts": accounts}, sort_keys=True)
    if text_of(folder.accounts) != text:
        write_private(folder.accounts, text)
    if not folder.administrator.exists():
        administrator = {
            "ROOT_ACCESS_KEY": secrets.token_hex(10),
            "ROOT_SECRET_KEY": secrets.token_urlsafe(SECRET_BYTES),
        }
        write_private(folder.administrator, format_variables(administrator))
    return keys


def read_accounts(folder: GatewayFolder) -> dict[str, str]:
    """The secret of each account; none where nobody wrote any."""
    try:
        found = json.loads(text_of(folder.accounts) or "{}")
        return {name: str(account["secret"]) for name, account in found.get("accessAccounts", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_policy(folder: GatewayFolder, bucket: str, policy: Mapping[str, Any]) -> None:
    """Puts the bucket's policy in force at once; the server reads it at each request."""
    path = folder.policy(bucket)
    path.parent.mkdir(parents=True, exist_ok=True)
    if read_policy(folder, bucket) != dict(policy):
        write_private(path, json.dumps(policy, sort_keys=True))


def read_policy(folder: GatewayFolder, bucket: str) -> dict[str, Any]:
    """The policy in force, empty where there is none."""
    try:
        found = json.loads(text_of(folder.policy(bucket)) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def access_digest(folder: GatewayFolder, bucket: str) -> str:
    """What changes with who may get in, for a server that must be started again to see it."""
    texts = (text_of(folder.accounts) or "", text_of(folder.policy(bucket)) or "")
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def forget_objects(folder: GatewayFolder) -> None:
    """Forgets what is known of objects, since others take their place."""
    remove_tree(folder.meta)
    folder.meta.mkdir(parents=True)
