"""A resource of ours driven by hand, in the order in which the engine drives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dataops.infra.providers.base import Changes
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.resources.values import Properties


@dataclass
class Managed:
    """One resource with what is recorded of it."""

    provider: HandlerProvider
    token: str
    inputs: Properties
    id: str = ""
    outputs: Properties = field(default_factory=dict)

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::flights::{self.token}::{self.token.rpartition(':')[2].lower()}"

    def create(self) -> Managed:
        """Checks and creates."""
        check = self.provider.check(self.urn, None, self.inputs)
        assert not check.failures, check.failures
        self.inputs = check.inputs
        made = self.provider.create(self.urn, self.inputs, 0, preview=False)
        self.id, self.outputs = made.id, made.outputs
        return self

    def refresh(self) -> bool:
        """Reads; whether the resource is still there."""
        read = self.provider.read(self.urn, self.id, self.inputs, self.outputs)
        if read.id:
            self.outputs = read.outputs
        return bool(read.id)

    def changed(self, **changes: Any) -> tuple[str, ...]:
        """What a diff with changed inputs names."""
        new = {**self.inputs, **changes}
        diff = self.provider.diff(self.urn, self.id, self.inputs, self.outputs, new, [])
        assert (diff.changes is Changes.SOME) == bool(diff.changed)
        return diff.changed

    def update(self, **changes: Any) -> Managed:
        """Updates in place."""
        new = {**self.inputs, **changes}
        result = self.provider.update(self.urn, self.id, self.inputs, self.outputs, new, 0, [], preview=False)
        self.inputs, self.outputs = new, result.outputs
        return self

    def delete(self) -> None:
        """Deletes from what is recorded."""
        self.provider.delete(self.urn, self.id, self.inputs, self.outputs, 0)
