"""How environments are named: a slug of the branch.

A name is at most 40 characters of `a-z`, `0-9` and `-`, so that it fits a DNS label (63), a Postgres identifier (63)
and the prefixes that targets put before it. `feature/x` becomes `feature-x`. Where the slug alone would say too little
(it was cut, or characters were dropped) or says what it must not (`production`), six digits of the branch's hash
follow.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from dataops.infra.errors import ConfigurationError

LONGEST = 40
FIXED = ("production", "staging")
"""Environments that are deployed from a configured branch and that `env up` never means."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_CLEAN = re.compile(r"[a-z0-9]+(?:[/-][a-z0-9]+)*")


def slug(branch: str) -> str:
    """The name of a branch's environment; the same branch always gives the same name."""
    plain = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")
    if plain and len(plain) <= LONGEST and plain not in FIXED and _CLEAN.fullmatch(branch):
        return plain
    return suffixed(branch)


def suffixed(branch: str) -> str:
    """The name with the hash: for branches whose plain slug is unusable or belongs to another branch already."""
    digest = hashlib.sha256(branch.encode()).hexdigest()[:6]
    plain = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")
    return f"{plain[: LONGEST - 7].rstrip('-') or 'branch'}-{digest}"


def name_for(branch: str, taken: Mapping[str, str]) -> str:
    """The name of a branch's environment among those that exist.

    Args:
        branch: the branch.
        taken: existing environments, name to branch.
    """
    for name, owner in taken.items():
        if owner == branch and name not in FIXED:
            return name
    plain = slug(branch)
    return plain if plain not in taken else suffixed(branch)


def check_name(name: str) -> str:
    """The name itself, when it can be one; it becomes part of paths, so nothing else is let through.

    Raises:
        ConfigurationError: it cannot be the name of an environment.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot be the name of an environment",
            hint="names are at most 40 characters of a-z, 0-9 and -; `dataops env ls` lists those that exist",
        )
    return name
