"""Values of a stack's configuration: text, or mappings and lists (*objects*), secret as a whole or in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataops.infra.resources.values import Secret
from dataops.infra.state.encryption import SecretsManager

_ESCAPED = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


class ObjectText(str):
    """The text that a program gets of an object.

    Attributes:
        raw: the object as it is in the stack's file, secret parts encrypted; so it is recorded in the history.
        secrets: those parts in plain text.
    """

    __slots__ = ("raw", "secrets")
    raw: Any
    secrets: tuple[str, ...]

    def __new__(cls, text: str, raw: Any, secrets: tuple[str, ...] = ()) -> ObjectText:
        made = super().__new__(cls, text)
        made.raw, made.secrets = raw, secrets
        return made


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One value as it is in the file.

    Args:
        raw: text, or plain dicts, lists, numbers and booleans; `{"secure": …}` where it is secret.
    """

    raw: Any

    @property
    def secret(self) -> bool:
        """Whether any part of it is secret."""
        return _has_secure(self.raw)

    @property
    def is_object(self) -> bool:
        """Whether it is a mapping or a list."""
        return isinstance(self.raw, (dict, list)) and not _is_secure(self.raw)

    def reveal(self, secrets: SecretsManager) -> Any:
        """The value with its secrets in plain text."""
        return _reveal(self.raw, secrets)

    def text(self, secrets: SecretsManager) -> str | Secret:
        """The value as a program gets it: text, objects as JSON, as a `Secret` if any part is."""
        parts: list[str] = []
        text = config_text(_reveal(self.raw, secrets, parts.append))
        if self.is_object:
            text = ObjectText(text, self.raw, tuple(parts))
        return Secret(text) if self.secret else text


def config_text(value: Any) -> str:
    """A configuration value as a program gets it: text as it is, everything else as JSON.

    It is the very text that Pulumi makes of it, since programs pass it on to resources: with sorted keys, and what
    means something in HTML escaped.
    """
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).translate(_ESCAPED)


def encrypted_again(value: Any, decrypting: SecretsManager, encrypting: SecretsManager) -> Any:
    """A raw value with its secrets under another key."""
    if _is_secure(value):
        return {"secure": encrypting.encrypt(decrypting.decrypt(value["secure"]))}
    if isinstance(value, dict):
        return {key: encrypted_again(element, decrypting, encrypting) for key, element in value.items()}
    if isinstance(value, list):
        return [encrypted_again(element, decrypting, encrypting) for element in value]
    return value


def _is_secure(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _has_secure(value: Any) -> bool:
    if _is_secure(value):
        return True
    if isinstance(value, dict):
        return any(_has_secure(element) for element in value.values())
    return isinstance(value, list) and any(_has_secure(element) for element in value)


def _reveal(value: Any, secrets: SecretsManager, note: Callable[[str], object] = str) -> Any:
    """A raw value with its secrets in plain text, each of which is noted."""
    if _is_secure(value):
        text = secrets.decrypt(value["secure"])
        note(text)
        return text
    if isinstance(value, dict):
        return {key: _reveal(element, secrets, note) for key, element in value.items()}
    if isinstance(value, list):
        return [_reveal(element, secrets, note) for element in value]
    return value
