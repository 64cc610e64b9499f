"""Who may do what in the lake, worked out from `dataops.yaml`: keys, and the policy of the bucket that they open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.platform.access import DEVELOPER, PIPELINE, roles_of_people
from dataops.infra.platform.model import Platform

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "select": ("s3:GetObject",),
    "insert": ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    "update": ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    "delete": ("s3:DeleteObject",),
    "truncate": ("s3:DeleteObject",),
}
"""What a privilege means for objects; those that are not here mean nothing."""

OWNERS_MAY = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    *("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"),
)
"""What pipelines and developers may do: all there is with objects, nothing with the policy that says so."""


@dataclass(frozen=True, slots=True)
class LakeAccess:
    """The keys of a lake and the policy of its bucket.

    Args:
        accounts: the names of those who have a key: logins, and the roles themselves.
        policy: the policy, in the language of S3.
    """

    accounts: tuple[str, ...]
    policy: Mapping[str, Any]


def lake_access(platform: Platform, bucket: str, *, people: bool, developer: bool) -> LakeAccess:
    """Who gets into the lake of an environment.

    Args:
        platform: what `dataops.yaml` says.
        bucket: the environment's.
        people: whether people have keys of their own, with the rights of their roles.
        developer: whether there is a developer, who may do whatever pipelines may.
    """
    owners = (PIPELINE, DEVELOPER) if developer else (PIPELINE,)
    logins = roles_of_people(platform) if people else {}
    statements = [_owning(bucket, owners)]
    for name, role in sorted(platform.access.roles.items()):
        who = [name, *sorted(login for login, mine in logins.items() if name in mine)]
        objects = platform.products[role.product].objects
        statements += _opening(bucket, who, sorted(objects), role.privileges)
    policy = {"Version": "2012-10-17", "Statement": statements}
    return LakeAccess(tuple(sorted({*owners, *platform.access.roles, *logins})), policy)


def _owning(bucket: str, principals: Iterable[str]) -> dict[str, Any]:
    return _statement(principals, OWNERS_MAY, [_arn(bucket), _arn(bucket, "*")])


def _opening(bucket: str, who: list[str], objects: list[str], privileges: Iterable[str]) -> list[dict[str, Any]]:
    actions = sorted({action for privilege in privileges for action in ACTIONS.get(privilege, ())})
    if not objects or not actions:
        return []
    found = [_statement(who, actions, [_arn(bucket, pattern) for pattern in objects])]
    if "s3:GetObject" in actions:
        prefixes = sorted({prefix for pattern in objects for prefix in _prefixes(pattern)})
        listing = _statement(who, ["s3:ListBucket"], [_arn(bucket)])
        found.append({**listing, "Condition": {"StringLike": {"s3:prefix": prefixes}}})
    return found


def _prefixes(pattern: str) -> tuple[str, ...]:
    """What may be listed of a pattern: names that begin as it does; of an object alone, what clients ask for it."""
    literal, wildcard, _ = pattern.partition("*")
    return (f"{literal}*",) if wildcard else (pattern, f"{pattern}/*")


def _statement(principals: Iterable[str], actions: Iterable[str], resources: list[str]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals)},
        "Action": list(actions),
        "Resource": resources,
    }


def _arn(bucket: str, pattern: str = "") -> str:
    return f"arn:aws:s3:::{bucket}/{pattern}" if pattern else f"arn:aws:s3:::{bucket}"
