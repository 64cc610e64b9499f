"""The base of all resource classes of ours: a token, inputs in camelCase, outputs read by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi


class Declared(pulumi.CustomResource):
    """A resource of the `dataops` provider.

    Class attributes:
        token: the type token `dataops:<module>:<Type>`.
        results: names of outputs that are not inputs.
    """

    token: ClassVar[str]
    results: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, name: str, inputs: Mapping[str, pulumi.Input[Any] | None], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {key: value for key, value in inputs.items() if value is not None}
        super().__init__(self.token, name, {**dict.fromkeys(self.results), **given}, opts)

    def output(self, name: str) -> pulumi.Output[Any]:
        """The output `name`, in the provider's spelling."""
        found: pulumi.Output[Any] = self.__dict__[name]
        return found
