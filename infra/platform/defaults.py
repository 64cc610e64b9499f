"""The model of `defaults` in `dataops.yaml`: what commands take where nobody says otherwise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataops.infra.platform.names import Text
from dataops.infra.platform.section import Section


class Defaults(Section):
    """What commands take in this platform; an option or a variable overrides it (`dataops config ls`)."""

    target: Literal["local", "docker"] | None = Field(default=None, description="Where replicas run.")
    snapshot: Text | None = Field(
        default=None, description="The snapshot that replicas are made of: an id, `newest`, `empty` or `subset:RULE`."
    )
    warm: Annotated[int, Field(ge=0, le=4)] | None = Field(
        default=None,
        description="How many copies of a replica's database are made ahead, where clones cannot share blocks.",
    )
    parallel: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="How many resources `dataops stack` works on at once."
    )
