"""The keys of a platform: masking, signing and store key, made at the first capture.

    keys/masking.key   32 random bytes, hexadecimal. Whoever holds it can undo encrypting rules: only capture reads it.
    keys/signing.key   Ed25519 private key (PEM); signs manifests. Only capture reads it.
    keys/signing.pub   its public half (PEM); checks them.
    keys/store.key     32 random bytes, hexadecimal. Opens what is stored: a machine that restores snapshots needs this
                       one and `signing.pub`, and has no other.

Private files have mode 0600 in a directory of mode 0700.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.infra.errors import AuthenticationError, NotFoundError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MASKING = "masking.key"
SIGNING = "signing.key"
PUBLIC = "signing.pub"
STORE = "store.key"


def masking_key(directory: Path) -> bytes:
    """The masking key of the platform whose keys lie in `directory`, made if there is none.

    Raises:
        AuthenticationError: the file is readable by others, or damaged.
    """
    return _secret(directory / MASKING, "masking key", make=True)


def store_key(directory: Path, *, make: bool = False) -> bytes:
    """The store key of the platform whose keys lie in `directory`.

    Args:
        make: make one if there is none.

    Raises:
        AuthenticationError: there is none, or the file is readable by others, or damaged.
    """
    return _secret(directory / STORE, "store key", make=make)


def _secret(path: Path, what: str, *, make: bool) -> bytes:
    if make and not path.exists():
        _create(path, secrets.token_hex(32).encode() + b"\n")
    try:
        text = _read_private(path)
    except FileNotFoundError:
        hint = "snapshots are opened with it: copy it from the machine that captures"
        raise AuthenticationError(f"the {what} is not on this machine", where=str(path), hint=hint) from None
    try:
        key = bytes.fromhex(text.decode().strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise AuthenticationError(f"the {what} is damaged", where=str(path), hint="restore it from a backup")
    return key


def signing_key(directory: Path) -> Ed25519PrivateKey:
    """The signing key of the platform whose keys lie in `directory`, made with its public half if there is none.

    Raises:
        AuthenticationError: the file is readable by others, or damaged.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = directory / SIGNING
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
        _create(path, pem)
    try:
        key = form.load_pem_private_key(_read_private(path), None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuthenticationError("the signing key is damaged", where=str(path), hint="restore it from a backup")
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    if not (directory / PUBLIC).exists():
        _create(directory / PUBLIC, public)
    return key


def public_key(directory: Path) -> Ed25519PublicKey:
    """The public half of the signing key.

    Raises:
        NotFoundError: no snapshot was ever captured here.
        AuthenticationError: the file is damaged.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    path = directory / PUBLIC
    try:
        key = form.load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(
            "there is no key to check snapshots with", where=str(path), hint="run `dataops snapshot capture` first"
        ) from None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise AuthenticationError("the public signing key is damaged", where=str(path))
    return key


def _create(path: Path, contents: bytes) -> None:
    """Writes a new file of mode 0600; of two that do so at once, the first wins and both see its contents."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read_private(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise AuthenticationError(
            "a private key is open to other users", where=str(path), hint=f"chmod 600 {path}, and consider it known"
        )
    return path.read_bytes()
