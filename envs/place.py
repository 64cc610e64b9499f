"""Which machine an environment of the local target lies on, noted in the tags of its stack.

State that several machines share does not say where the processes and files are that it describes, and another machine
could neither reach nor remove them: it is refused before it changes anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dataops.infra.errors import PolicyError
from dataops.infra.process.identity import this_machine

if TYPE_CHECKING:
    from dataops.envs.stack import EnvironmentStack

HOST, MACHINE, ROOT = "dataops:host", "dataops:machine", "dataops:root"


def claim_place(stack: EnvironmentStack, root: Path) -> None:
    """Notes that an environment lies below `root` on this machine, or makes sure that it does.

    Raises:
        PolicyError: it lies elsewhere.
    """
    here = this_machine()
    tags = stack.backend.tags(stack.reference)
    if ROOT not in tags:
        stack.backend.set_tags(
            stack.reference, {**tags, HOST: here.host, MACHINE: here.installation or here.host, ROOT: str(root)}
        )
    elif (tags.get(MACHINE), tags[ROOT]) != (here.installation or here.host, str(root)):
        raise PolicyError(
            f"environment {stack.reference.stack} was made on {tags.get(HOST, 'another machine')}, in {tags[ROOT]}",
            where=f"stack {stack.reference.qualified} in {stack.backend.url}",
            hint=f"work on it there, or end it there with `dataops env down {stack.reference.stack}`; "
            "if that machine is gone for good, remove the stack: "
            f"`dataops stack rm --force --yes --stack {stack.reference.stack}`",
        )
