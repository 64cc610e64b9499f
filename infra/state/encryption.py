"""Encryption of secret values at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class SecretsManager(Protocol):
    """Encrypts and decrypts the secrets of one stack."""

    @property
    def provider(self) -> dict[str, Any]:
        """What the checkpoint records to find the manager again: `{"type": …, "state": …}`."""
        ...

    def encrypt(self, plaintext: str) -> str:
        """A new ciphertext each time; `AuthenticationError` when the key is not to be had."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """The plaintext; `AuthenticationError` when the key is wrong, `VerificationError` when it was tampered with."""
        ...

    def verify(self) -> None:
        """Waits until the key is known to be right; `AuthenticationError` when it is not."""
        ...

    def variables(self) -> dict[str, str]:
        """What the `pulumi` command needs in its environment to open the same secrets. Must not be shown."""
        ...

    def matching(self, provider: Mapping[str, Any]) -> SecretsManager:
        """The manager for secrets that another provider state encrypted, with the same credentials."""
        ...
