"""Default providers: the one of each package that resources get that name none."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from dataops.infra.engine.goal import Goal
from dataops.infra.errors import ResourceError
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import PROVIDER_TYPE_PREFIX, is_provider
from dataops.infra.resources.values import Properties, Secret

_DYNAMIC = ("pulumi-python", "pulumi-nodejs")
"""Dynamic providers get all of the configuration, under its full names."""

_UNFIT = re.compile(r"[^A-Za-z0-9_./-]")


class DisabledDefaultError(ResourceError):
    """A resource names no provider, and its package may have no default one."""


class DefaultProviders:
    """Registers a default provider when it is first needed.

    Args:
        config: the stack's configuration, `<package>:<key>` to value.
        recorded: the version and the address of each package's plugin that the stack has used; see `recorded_plugins`.
        register: registers a goal like one of the program's and returns its state; set once the monitor is there.
    """

    register: Callable[[Goal], ResourceState]

    def __init__(self, config: Mapping[str, str | Secret], recorded: Mapping[str, tuple[str, str]]) -> None:
        self._config = config
        self._recorded = recorded
        self._lock = threading.Lock()
        self._references: dict[tuple[str, str, str], Future[str]] = {}
        self.needed_by: dict[str, str] = {}
        """What the provider of each type was first needed for, so that its errors can tell."""

    def reference(self, package: str, version: str = "", url: str = "", *, needed_by: str = "") -> str:
        """The reference `<urn>::<id>` of a package's default provider; `ResourceError` when there is none."""
        self._refuse_disabled(package)
        known_version, known_url = self.plugin(package)
        version, url = version or known_version, (url or known_url).removesuffix("/")
        key = (package, version, url)
        with self._lock:
            self.needed_by.setdefault(PROVIDER_TYPE_PREFIX + package, needed_by)
            mine = key not in self._references
            future = self._references.setdefault(key, Future())
        if mine:
            try:
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
            name += "_" + _UNFIT.sub("_", "/".join(filter(None, url.split("/"))))
        return Goal(PROVIDER_TYPE_PREFIX + package, name, True, inputs)

    def plugin(self, package: str) -> tuple[str, str]:
        """The version and the address of a package's plugin where the program names none; "" for any."""
        return self._recorded.get(package, ("", ""))

    def _refuse_disabled(self, package: str) -> None:
        """Refuses a default provider that the configuration `pulumi:disable-default-providers` disables."""
        setting = self._config.get("pulumi:disable-default-providers")
        text = str(setting.value) if isinstance(setting, Secret) else setting
        if not text or package == "pulumi":
            return
        try:
            disabled = [str(name).strip() for name in json.loads(text)]
        except (ValueError, TypeError):
            raise ResourceError(
                "pulumi:disable-default-providers is no list of packages", hint='write it like ["aws"]'
            ) from None
        if "*" in disabled or package in disabled:
            raise DisabledDefaultError(
                f"the default provider of the package {package!r} is disabled", hint="give an explicit provider"
            )

    def config_of(self, package: str) -> Properties:
        """The part of the configuration that concerns a package."""
        prefix = "" if package in _DYNAMIC else package + ":"
        found = {key.removeprefix(prefix): value for key, value in self._config.items() if key.startswith(prefix)}
        # Properties are told apart by their exact type, and texts of objects are more than text.
        return {key: Secret(str(v.value)) if isinstance(v, Secret) else str(v) for key, v in found.items()}


def recorded_plugins(resources: Iterable[ResourceState]) -> dict[str, tuple[str, str]]:
    """The newest version of each package's plugin that recorded providers have, and the address it was got from."""
    from semver import VersionInfo

    found: dict[str, tuple[str, str]] = {}
    for state in resources:
        if not is_provider(state.type):
            continue
        version, internal = state.inputs.get("version"), state.inputs.get("__internal")
        url = internal.get("pluginDownloadURL") if isinstance(internal, dict) else None
        named = version if isinstance(version, str) and VersionInfo.is_valid(version) else ""
        package = state.type.removeprefix(PROVIDER_TYPE_PREFIX)
        newest = found.get(package, ("", ""))[0]
        if not newest or (named and VersionInfo.parse(named) >= VersionInfo.parse(newest)):
            found[package] = (named, str(url or ""))
    return found
