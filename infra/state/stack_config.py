"""Pulumi.<stack>.yaml: a stack's configuration and the salt of its secrets.

A value is text, or a mapping or list (an *object*), and secret ones are `{secure: <ciphertext>}`, also inside objects.
Comments and order of the file are kept when it is written.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.resources.values import Secret
from dataops.infra.state.config_path import adjust, get_path, parse_path, remove_path, set_path, spelled
from dataops.infra.state.config_value import ConfigValue, encrypted_again
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.file_storage import FileStorage
from dataops.infra.state.property_json import dump
from dataops.infra.state.yaml_source import place, plain_yaml, read_yaml, wrong_type

# What a reader might take for something else than text if it stood there without quotes.
_AMBIGUOUS = re.compile(
    r"~|null|true|false|yes|no|on|off|y|n|[-+]?[\d.][\d_.:]*(e[-+]?\d+)?|[-+]?\.(inf|nan)|0[xob][\da-f_]+|"
    r"\d{4}-\d\d?-\d\d?([Tt\s].*)?|<<|=|",
    re.IGNORECASE,
)


class StackConfig:
    """A stack's configuration file, read at once and written by `save`.

    Raises:
        ConfigurationError: the file is not right; with file and line.
    """

    def __init__(self, path: Path, project: str) -> None:
        self.path = path
        self._project = project
        try:
            self._document = read_yaml(path)
        except NotFoundError:
            from ruamel.yaml.comments import CommentedMap

            self._document = CommentedMap()
        if not isinstance(self._document, dict):
            raise ConfigurationError("a stack's configuration must be a mapping", where=f"{path}:1")
        config = self._document.get("config")
        if config is not None and not isinstance(config, dict):
            raise wrong_type(path, self._document, "config", "a mapping")
        salt = self._document.get("encryptionsalt")
        if salt is not None and not isinstance(salt, str):
            raise wrong_type(path, self._document, "encryptionsalt", "text")
        for key in config or ():
            if ":" not in str(key):
                raise ConfigurationError(
                    f"the key {key!r} does not say which project it belongs to",
                    where=place(path, config, key),
                    hint=f"write {project}:{key}",
                )

    @property
    def encryption_salt(self) -> str | None:
        """The salt of the stack's secrets, None before there is one."""
        salt = self._document.get("encryptionsalt")
        return None if salt is None else str(salt)

    @encryption_salt.setter
    def encryption_salt(self, salt: str) -> None:
        if "encryptionsalt" in self._document:
            self._document["encryptionsalt"] = salt
        else:
            self._document.insert(0, "encryptionsalt", salt)

    def full_key(self, key: str) -> str:
        """`project:name` for a key as users write it, where the project may be left out."""
        parts = key.split(":")
        if len(parts) == 3 and parts[1] == "config":
            del parts[1]
        if len(parts) == 1:
            parts.insert(0, self._project)
        if len(parts) != 2 or not all(parts):
            raise ConfigurationError(f"{key!r} is not a configuration key", hint="write NAME or PROJECT:NAME")
        return ":".join(parts)

    def __iter__(self) -> Iterator[str]:
        return iter([str(key) for key in self._config()])

    def __contains__(self, key: str) -> bool:
        return self.full_key(key) in self._config()

    def items(self) -> list[tuple[str, ConfigValue]]:
        """All values by full key, sorted."""
        return sorted(((str(key), ConfigValue(_scalar(value))) for key, value in self._config().items()), key=_first)

    def get(self, key: str, path: bool = False) -> ConfigValue:
        """One value; with `path`, what lies at a path like `outer.inner[0]`. `NotFoundError` when it is not set."""
        full, steps = self._resolve(key, path)
        try:
            return ConfigValue(_scalar(get_path(self._config(), (full, *steps))))
        except KeyError:
            raise NotFoundError(
                f"{key!r} is not set", where=str(self.path), hint=f"dataops stack config set {key} VALUE"
            ) from None

    def set(
        self,
        key: str,
        value: str,
        *,
        secrets: SecretsManager | None = None,
        path: bool = False,
        kind: str | None = None,
    ) -> None:
        """Sets one value; encrypted when `secrets` is given.

        Args:
            kind: what the text stands for, a `string`, `int`, `bool` or `float`; None: at a path what it looks like.

        Raises:
            ConfigurationError: it is no such thing.
        """
        full, steps = self._resolve(key, path)
        new: Any = value
        if secrets is not None:
            new = {"secure": secrets.encrypt(value)}
        elif kind is not None:
            new = spelled(value, kind)
            # The values themselves are text in the file, those below them are what they are.
            if not steps and not isinstance(new, str):
                new = dump(new)
        elif steps:
            new = adjust(value)
        if self._document.get("config") is None:
            self._document["config"] = type(self._document)()
        set_path(self._document["config"], (full, *steps), _written(new), key)

    def put(self, key: str, raw: Any) -> None:
        """Takes a raw value, by full key; secret parts are as `secure` has them."""
        if self._document.get("config") is None:
            self._document["config"] = type(self._document)()
        self._document["config"][key] = _written(raw)

    def copy_from(self, other: StackConfig, decrypting: SecretsManager, encrypting: SecretsManager) -> None:
        """Takes over another stack's values, their secrets encrypted anew."""
        for key, value in other.items():
            self.put(key, encrypted_again(value.raw, decrypting, encrypting))

    def replace(self, values: Mapping[str, Any]) -> None:
        """Takes raw values, by full key, in the place of all there are; secrets are as `secure` has them."""
        self._document["config"] = type(self._document)()
        for key, raw in sorted(values.items()):
            self.put(key, raw)

    def remove(self, key: str, path: bool = False) -> None:
        """Removes one value. `NotFoundError` when it is not set."""
        full, steps = self._resolve(key, path)
        try:
            remove_path(self._config(), (full, *steps))
        except KeyError:
            raise NotFoundError(f"{key!r} is not set", where=str(self.path)) from None
        if not self._config():
            del self._document["config"]

    def values(self, secrets: SecretsManager) -> dict[str, str | Secret]:
        """All values as a program gets them, by full key."""
        return {key: value.text(secrets) for key, value in self.items()}

    def save(self) -> None:
        """Writes the file in one go, keeping its comments; removes it when nothing is left."""
        path = self.path.resolve()
        storage = FileStorage(path.parent)
        if not self._document:
            storage.delete(path.name)
            return
        from ruamel.yaml import YAML

        yaml = YAML(typ="rt")
        yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.width = 2**20
        yaml.preserve_quotes = True
        text = io.StringIO()
        yaml.dump(self._document, text)
        storage.write(path.name, text.getvalue().encode())

    def _config(self) -> dict[str, Any]:
        return self._document.get("config") or {}

    def _resolve(self, key: str, path: bool) -> tuple[str, tuple[str | int, ...]]:
        if not path:
            return self.full_key(key), ()
        first, *steps = parse_path(key)
        return self.full_key(str(first)), tuple(steps)


def _first(pair: tuple[str, ConfigValue]) -> str:
    return pair[0]


def _scalar(value: Any) -> Any:
    """A top-level value in plain form: there, numbers and booleans are text."""
    plain = plain_yaml(value)
    if isinstance(plain, (dict, list, str)):
        return plain
    return "" if plain is None else dump(plain)


def _written(value: Any) -> Any:
    """A value for the file, text in quotes where it could be taken for something else, block style where it is long."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if not isinstance(value, str):
        return value
    if "\n" in value and not re.search(r"[^\S\n](\n|$)|^\s|\r", value):
        return LiteralScalarString(value)
    return DoubleQuotedScalarString(value) if _AMBIGUOUS.fullmatch(value) else value
