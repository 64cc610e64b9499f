"""The environment of child processes: what they need to find their way, and nothing of what they must not know."""

from __future__ import annotations

import os
from collections.abc import Mapping

ROOT = "DATAOPS_ROOT"
"""The variable that every process of an environment carries: the environment's folder."""

INHERITED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    # package installers behind a proxy or a private index cannot work without these
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
)
"""Names of variables that a child inherits. A list of what is passed on, since nobody can list every secret."""


SEALED = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "CLOUDSDK_CONFIG": "/nonexistent",
    "KUBECONFIG": os.devnull,
    "PGPASSFILE": "/nonexistent",
    "PGSERVICEFILE": "/nonexistent",
}
"""Variables of every replica, unless `dataops.yaml` gives them other values: where client libraries would find the
developer's own credentials, which may open production, they find none."""


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables in `INHERITED` that are set, with `extra` on top."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment.update(extra or {})
    return environment
