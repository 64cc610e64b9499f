"""The Pulumi programs: production, staging and replica. Declarations only.

A platform's repository holds a program of its own, written by `dataops init`, that calls `deploy` and may go on to
declare more. All three stacks are made of the same components; what differs is in `production`, `staging`, `replica`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataops.infra.components.data_platform import DataPlatform

__all__ = ["deploy"]


def deploy() -> DataPlatform:
    """Declares the environment that the stack's configuration asks for, and exports where it is and how to get in.

    Returns:
        The component, whose parts (`warehouse`, `lake`, `access`, `services` …) a program may build on.

    Raises:
        ConfigurationError: `dataops.yaml` or the stack's configuration is not valid.
    """
    from dataops.stacks.deployment import declare_environment

    return declare_environment()
