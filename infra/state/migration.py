"""Deployments of earlier versions of Pulumi's format, brought up to date as Pulumi does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.state.fold import FEATURES

NEWEST = 4
"""Versions up to this one are read; 3 or 4 is written."""


def upgraded(
    deployment: Mapping[str, Any], version: int, features: Iterable[str], subject: str, where: str | None = None
) -> Mapping[str, Any]:
    """A deployment in the form of version 3, which that of version 4 is, too.

    Args:
        deployment: as it was found.
        version: of its format; 0 is that of checkpoints from before there were versions.
        features: what a reader must know beyond version 3.
        subject, where: for the error's message.

    Raises:
        VerificationError: the version, or one of the features, is newer than this program.
    """
    if not 0 <= version <= NEWEST:
        raise VerificationError(
            f"{subject}, this version of dataops reads up to {NEWEST}",
            where=where,
            hint="use a newer dataops, or the one that wrote it; nothing has been changed",
        )
    if unknown := sorted(set(features) - set(FEATURES.values())):
        raise VerificationError(
            f"{subject} and needs support for what is not known here: {', '.join(unknown)}",
            where=where,
            hint="use a newer dataops, or the `pulumi` that wrote it; nothing has been changed",
        )
    if version >= 2 or "resources" not in deployment:
        return deployment
    # Version 1 kept a provider's default values beside the inputs; nothing has read them since.
    resources = [{key: value for key, value in r.items() if key != "defaults"} for r in deployment["resources"] or ()]
    return {**deployment, "resources": resources}
