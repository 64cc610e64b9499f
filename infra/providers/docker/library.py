"""The library for Docker, and all of it that is used here.

It is imported through this module alone, and late: it takes a quarter of a second. Its modules import one another in a
circle, so that two threads that began at different ends of it would each find the other's half made.
"""

from __future__ import annotations

from dataops.infra.errors import ConfigurationError

try:
    from docker import APIClient
    from docker.auth import resolve_authconfig, resolve_repository_name
    from docker.errors import APIError, DockerException, InvalidConfigFile, NotFound
    from docker.utils import kwargs_from_env
    from docker.utils.build import exclude_paths, tar
    from requests.exceptions import ConnectionError as LostConnection
    from requests.exceptions import ReadTimeout, RequestException
    from urllib3.exceptions import HTTPError
except ImportError as missing:
    raise ConfigurationError(
        "the library for Docker is not installed", hint="pip install 'dataops[docker]'"
    ) from missing

__all__ = [
    "APIClient",
    "APIError",
    "DockerException",
    "HTTPError",
    "InvalidConfigFile",
    "LostConnection",
    "NotFound",
    "ReadTimeout",
    "RequestException",
    "exclude_paths",
    "kwargs_from_env",
    "resolve_authconfig",
    "resolve_repository_name",
    "tar",
]
