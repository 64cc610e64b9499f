"""A stack that does not exist yet, for a preview: in memory, beside the real stacks, which it can be asked about."""

from __future__ import annotations

from dataops.infra.resources.state import Deployment
from dataops.infra.state.backend import Backend, StackReference
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.memory import MemoryBackend


class ImaginedBackend(MemoryBackend):
    """Keeps new stacks in memory; what a program asks about stacks that exist is answered by the real backend.

    Args:
        real: the backend of the stacks that exist, None when there is none yet.
    """

    def __init__(self, real: Backend | None) -> None:
        super().__init__()
        self._real = real

    def exists(self, ref: StackReference) -> bool:
        return super().exists(ref) or (self._real is not None and self._real.exists(ref))

    def load(self, ref: StackReference, secrets: SecretsManager) -> Deployment:
        if self._real is None or super().exists(ref):
            return super().load(ref, secrets)
        return self._real.load(ref, secrets)
