"""Hiding an environment's secrets in text that its programs printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

HIDDEN = "[secret]"
SHORTEST_SECRET = 6
_CREDENTIALS = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE|CREDENTIAL", re.IGNORECASE)


class Redactor:
    """Hides secrets in lines: the environment's own, and passwords in URLs. Its `repr` tells none.

    Args:
        variables: the environment's variables; those whose names speak of secrets are hidden wherever they appear.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        secrets = {value for name, value in variables.items() if _SECRET_NAME.search(name)}
        for value in variables.values():
            secrets |= {match.group(2) for match in _CREDENTIALS.finditer(value)}
        found = sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
        self._secrets = re.compile("|".join(re.escape(secret) for secret in found)) if found else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return _CREDENTIALS.sub(rf"\1:{HIDDEN}@", text)
