"""Default providers: the one of each package that resources get that name none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from dataops.infra.engine.goal import Goal
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import PROVIDER_TYPE_PREFIX
from dataops.infra.resources.values import Properties, Secret

_DYNAMIC = ("pulumi-python", "pulumi-nodejs")
"""Dynamic providers get all of the configuration, under its full names."""


class DefaultProviders:
    """Registers a default provider when it is first needed.

    Args:
        config: the stack's configuration, `<package>:<key>` to value.
        require: raises `ResourceError` for a package, of a version, to be had at a URL, that there is no provider for.
        register: registers a goal like one of the program's and returns its state; set once the monitor is there.
    """

    register: Callable[[Goal], ResourceState]

    def __init__(self, config: Mapping[str, str | Secret], require: Callable[[str, str, str], None]) -> None:
        self._config = config
        self._require = require
        self._lock = threading.Lock()
        self._references: dict[tuple[str, str], Future[str]] = {}

    def reference(self, package: str, version: str = "", url: str = "") -> str:
        """The reference `<urn>::<id>` of a package's default provider; `ResourceError` when there is none."""
        key = (package, version + url)
        with self._lock:
            mine = key not in self._references
            future = self._references.setdefault(key, Future())
        if mine:
            try:
                self._require(package, version, url)
                state = self.register(self._goal(package, version, url))
                future.set_result(f"{state.urn}::{state.id}")
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def _goal(self, package: str, version: str, url: str) -> Goal:
        inputs: Properties = self.config_of(package)
        name = "default"
        if version:
            inputs["version"] = version
            name = "default_" + "".join(c if c.isalnum() else "_" for c in version)
        if url:
            inputs["__internal"] = {"pluginDownloadURL": url}
            name += "_" + "".join(c if c.isalnum() else "_" for c in url)
        return Goal(PROVIDER_TYPE_PREFIX + package, name, True, inputs)

    def config_of(self, package: str) -> Properties:
        """The part of the configuration that concerns a package."""
        prefix = "" if package in _DYNAMIC else package + ":"
        found = {key.removeprefix(prefix): value for key, value in self._config.items() if key.startswith(prefix)}
        # Properties are told apart by their exact type, and texts of objects are more than text.
        return {key: Secret(str(v.value)) if isinstance(v, Secret) else str(v) for key, v in found.items()}
