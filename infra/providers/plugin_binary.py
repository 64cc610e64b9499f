"""Provider plugins: programs named `pulumi-resource-<package>`, as the Pulumi CLI installs and finds them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from dataops.infra.providers.base import Provider
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_process import PluginProcess
from dataops.infra.providers.protocol import CHANNEL_OPTIONS
from dataops.infra.providers.registry import ProviderContext

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(.*)")


def find_plugin(package: str, version: str, environment: Mapping[str, str]) -> Path | None:
    """The plugin of a package: that of the version, else the newest that is installed, else the one on PATH.

    Args:
        version: "" for any.
        environment: `PULUMI_HOME` and `PATH` are looked at.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", package):
        return None
    name = f"pulumi-resource-{package}"
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    installed = {}
    for folder in (home / "plugins").glob(f"resource-{package}-v*"):
        found = _VERSION.fullmatch(folder.name.removeprefix(f"resource-{package}-"))
        if found and os.access(folder / name, os.X_OK):
            installed[tuple(map(int, found.group(1, 2, 3))), not found[4], found[4]] = folder
    wanted = [folder for folder in installed.values() if version and folder.name.endswith(f"-v{version.lstrip('v')}")]
    if chosen := wanted or [installed[key] for key in sorted(installed)][-1:]:
        return chosen[0] / name
    on_path = shutil.which(name, path=environment.get("PATH", ""))
    return Path(on_path) if on_path else None


def start_plugin(binary: Path, context: ProviderContext) -> Provider:
    """A provider served by a plugin; `ResourceError` when it does not start."""
    import grpc

    environment = {**os.environ, **context.environment}
    process = PluginProcess([binary], context.root, environment)
    channel = grpc.insecure_channel(f"127.0.0.1:{process.port()}", options=CHANNEL_OPTIONS)
    return PluginClient(channel, process.explain, process.stop)
