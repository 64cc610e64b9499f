"""Secrets under a passphrase, in the format of Pulumi's passphrase provider.

A value is `v1:<nonce>:<ciphertext>` (AES-256-GCM, both in base64); the key comes from the passphrase and a salt by
PBKDF2-SHA256 with a million rounds. What is stored of the salt, `v1:<salt>:v1:<nonce>:<ciphertext of "pulumi">`, tells
a wrong passphrase from a right one. Deriving the key takes a good part of a second, so it is done once per process and
in a thread of its own, beside whatever else a command has to do first.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import AuthenticationError, ConfigurationError, VerificationError
from dataops.infra.state.encryption import SecretsManager

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PROOF = "pulumi"
ROUNDS = 1_000_000
HINT = "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that holds it"

_keys: dict[tuple[bytes, str], Future[AESGCM]] = {}
_keys_lock = threading.Lock()


def passphrase_from(environment: Mapping[str, str]) -> str | None:
    """The passphrase that the variables of a process name, None when they name none.

    Raises:
        AuthenticationError: `PULUMI_CONFIG_PASSPHRASE_FILE` cannot be read.
    """
    if (given := environment.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return given
    if file := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AuthenticationError(
                "the passphrase file that PULUMI_CONFIG_PASSPHRASE_FILE names cannot be read",
                where=file,
                hint="make the file readable or name another",
            ) from error
    return None


class PassphraseSecrets:
    """A `SecretsManager` for one salt.

    Args:
        passphrase: None for none at all: everything that needs the key then raises `AuthenticationError`.
        salt: as `encryptionsalt` of a stack's configuration has it.
    """

    def __init__(self, passphrase: str | None, salt: str) -> None:
        raw, proof = _parse_salt(salt)
        self.salt = salt
        self._passphrase = passphrase
        self._proof = proof
        self._verified = False
        self._key = _derive(raw, passphrase) if passphrase is not None else None

    @classmethod
    def new(cls, passphrase: str) -> PassphraseSecrets:
        """A manager with a fresh salt, for a stack that has none yet."""
        raw = os.urandom(8)
        proof = _seal(_derive(raw, passphrase).result(), PROOF)
        return cls(passphrase, f"v1:{base64.b64encode(raw).decode()}:{proof}")

    @property
    def provider(self) -> dict[str, Any]:
        return {"type": "passphrase", "state": {"salt": self.salt}}

    def encrypt(self, plaintext: str) -> str:
        return _seal(self._verified_key(), plaintext)

    def decrypt(self, ciphertext: str) -> str:
        return _open(self._verified_key(), ciphertext)

    def verify(self) -> None:
        self._verified_key()

    def variables(self) -> dict[str, str]:
        return {} if self._passphrase is None else {"PULUMI_CONFIG_PASSPHRASE": self._passphrase}

    def matching(self, provider: Mapping[str, Any]) -> SecretsManager:
        if provider == self.provider:
            return self
        if provider.get("type") != "passphrase":
            raise ConfigurationError(
                f"the stack's secrets are encrypted by {provider.get('type')!r}, which is not supported here",
                hint="move them with `pulumi stack change-secrets-provider passphrase`",
            )
        state = provider.get("state")
        return PassphraseSecrets(self._passphrase, str(state.get("salt")) if isinstance(state, dict) else "")

    def _verified_key(self) -> AESGCM:
        if self._key is None:
            raise AuthenticationError("the stack's secrets need a passphrase and none was given", hint=HINT)
        key = self._key.result()
        if not self._verified:
            try:
                right = _open(key, self._proof) == PROOF
            except VerificationError:
                right = False
            if not right:
                raise AuthenticationError("the passphrase does not open the stack's secrets", hint=HINT)
            self._verified = True
        return key


def _parse_salt(salt: str) -> tuple[bytes, str]:
    version, _, rest = salt.partition(":")
    encoded, _, proof = rest.partition(":")
    try:
        if version != "v1" or proof.count(":") != 2:
            raise ValueError
        return base64.b64decode(encoded, validate=True), proof
    except (ValueError, binascii.Error):
        raise ConfigurationError(
            "the stack's encryption salt is malformed", hint="restore `encryptionsalt` of Pulumi.<stack>.yaml from git"
        ) from None


def _derive(salt: bytes, passphrase: str) -> Future[AESGCM]:
    """The cipher with its key, on its way: derived once for each salt and passphrase of a process."""
    with _keys_lock:
        if (salt, passphrase) in _keys:
            return _keys[salt, passphrase]
        future: Future[AESGCM] = Future()
        _keys[salt, passphrase] = future

    def work() -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

            future.set_result(AESGCM(PBKDF2HMAC(SHA256(), 32, salt, ROUNDS).derive(passphrase.encode())))
        except BaseException as error:
            future.set_exception(error)

    # Not a daemon: the interpreter would tear it out of the library's native code at its end, which aborts the process.
    threading.Thread(target=work, name="derive-key").start()
    return future


def _seal(cipher: AESGCM, plaintext: str) -> str:
    nonce = os.urandom(12)
    sealed = cipher.encrypt(nonce, plaintext.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"


def _open(cipher: AESGCM, ciphertext: str) -> str:
    from cryptography.exceptions import InvalidTag

    try:
        version, nonce, sealed = ciphertext.split(":")
        if version != "v1":
            raise ValueError
        return cipher.decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None).decode()
    except (ValueError, InvalidTag):
        raise VerificationError(
            "an encrypted value of the stack is damaged or belongs to another stack",
            hint="restore it from git or set it again with `dataops stack config set --secret`",
        ) from None
