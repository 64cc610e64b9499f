"""Hides the secret values of a stack's configuration in what is told of an operation, as Pulumi does.

Programs reveal them: in a message, in a traceback, in a property that is not marked secret. What is recorded is not
changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from dataops.infra.resources.values import Secret
from dataops.infra.state.config_value import ObjectText

_SHORTEST = 3
_WORDS = frozenset({"true", "false"})


class SecretFilter:
    """Replaces secrets by `[secret]`; short ones and truth values stay, since they would hide too much.

    Args:
        config: the stack's configuration; looked at when the first text is to be filtered.
    """

    def __init__(self, config: Mapping[str, str | Secret]) -> None:
        self._config = config

    def text(self, text: str) -> str:
        """A text without secrets."""
        return self._secrets.sub("[secret]", text) if self._secrets else text

    def shown(self, value: Any) -> Any:
        """A property as events show it, without secrets in its texts."""
        if self._secrets is None:
            return value
        if type(value) is str:
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.shown(item) for key, item in value.items()}
        return [self.shown(item) for item in value] if isinstance(value, list) else value

    @cached_property
    def _secrets(self) -> re.Pattern[str] | None:
        found: set[str] = set()
        for value in self._config.values():
            if isinstance(value, Secret):
                text = value.value
                for word in text.secrets if isinstance(text, ObjectText) else (str(text),):
                    if len(word) >= _SHORTEST and word.lower() not in _WORDS:
                        found |= {word, json.dumps(word, ensure_ascii=False)[1:-1]}
        longest_first = sorted(found, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if found else None
