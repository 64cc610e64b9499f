"""Provider plugins: programs named `pulumi-resource-<package>`, found and chosen as the Pulumi CLI does."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import Provider
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_host import PluginHost
from dataops.infra.providers.plugin_process import PluginProcess
from dataops.infra.providers.protocol import CHANNEL_OPTIONS
from dataops.infra.providers.registry import ProviderContext

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
_TRUE = frozenset({"1", "true"})
PROJECT = "PulumiPlugin.yaml"
"""Says, in the folder of a plugin that is no program, how to run it."""

DEBUG_PROVIDERS = "PULUMI_DEBUG_PROVIDERS"
_PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")


@dataclass(frozen=True, slots=True, order=True)
class _Installed:
    """A plugin in `PULUMI_HOME/plugins`, in order of preference: a release before a preview, then the newest."""

    release: bool
    version: tuple[int, ...]
    preview: tuple[tuple[bool, int, str], ...]
    folder: Path


def find_plugin(package: str, version: str, environment: Mapping[str, str], folder: Path | None = None) -> Path | None:
    """The plugin of a package, None when there is none.

    In this order: what `plugins.providers` of the project's Pulumi.yaml names; what is on PATH, unless
    `PULUMI_IGNORE_AMBIENT_PLUGINS` is set; in `PULUMI_HOME/plugins` exactly the version that is asked for, or, when
    none is, the newest release (a preview only when there is no release).

    Args:
        version: "" for any.
        environment: `PULUMI_HOME` and `PATH` are looked at.
        folder: where the program runs; its project is looked for there and above.

    Raises:
        ResourceError: the project names a folder in which there is no plugin.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", package):
        return None
    name = f"pulumi-resource-{package}"
    if folder is not None and (named := _of_project(package, version, folder)) is not None:
        return _runnable(named, name)
    if environment.get("PULUMI_IGNORE_AMBIENT_PLUGINS", "").lower() not in _TRUE:
        if on_path := shutil.which(name, path=environment.get("PATH", "")):
            return Path(on_path)
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    installed = sorted(_installed(home / "plugins", package, name))
    if version:
        wanted = _VERSION.fullmatch(version)
        installed = [found for found in installed if wanted and found.version == _numbers(wanted)]
        installed = [found for found in installed if wanted and found.preview == _preview(wanted)]
    return _runnable(installed[-1].folder, name) if installed else None


def how_to_install(package: str, version: str, url: str) -> str:
    """What a user has to type so that `find_plugin` finds it: nothing is ever downloaded here."""
    words = ["pulumi plugin install resource", package, *([f"v{version.lstrip('v')}"] if version else [])]
    return f"`{' '.join(words + ([f'--server {url}'] if url else []))}`"


def start_plugin(binary: Path, context: ProviderContext) -> Provider:
    """A provider served by a plugin; `ResourceError` when it does not start.

    Args:
        binary: a program, or the folder of a plugin written in Python; see `find_plugin`.
    """
    environment = {**os.environ, **context.environment}
    if context.project:
        environment["PULUMI_PROJECT"] = context.project
    started = ExitStack()
    try:
        host = PluginHost(context.log)
        started.callback(host.stop)
        command: list[str | Path] = [*_command(binary, context.python), host.address]
        process = PluginProcess(command, context.root, environment, dies_with_us=True)
        started.callback(process.stop)
        client = PluginClient(_channel(process.port()), process.explain, started.close, context.package)
        client.shake_hands(host.address, str(binary if binary.is_dir() else binary.parent), process.alive)
    except BaseException:
        started.close()
        raise
    return client


def attach_port(package: str, environment: Mapping[str, str]) -> int | None:
    """Where a plugin of a package listens that somebody has started to debug it: `PULUMI_DEBUG_PROVIDERS=name:port,…`.

    Raises:
        ResourceError: what stands there for the package is no port.
    """
    for entry in environment.get(DEBUG_PROVIDERS, "").split(","):
        name, _, port = entry.strip().partition(":")
        if name == package:
            if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
                raise ResourceError(f"{port!r} is no port", where=DEBUG_PROVIDERS, hint=f"{package}:12345, for example")
            return int(port)
    return None


def attach_plugin(port: int, context: ProviderContext) -> Provider:
    """A provider served by a plugin that runs already, and goes on running; see `attach_port`."""
    host = PluginHost(context.log)
    try:
        client = PluginClient(_channel(port), lambda: "", host.stop, context.package)
        client.shake_hands(host.address, None)
        client.attach(host.address)
    except BaseException as error:
        host.stop()
        if isinstance(error, ResourceError):
            error.where = f"{DEBUG_PROVIDERS}={context.package}:{port}"
        raise
    return client


def _channel(port: int) -> Any:
    import grpc

    return grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)


def _command(binary: Path, python: Path) -> list[Path]:
    """How to run a plugin; one in Python by its own virtual environment, else by the program's interpreter."""
    if not binary.is_dir():
        return [binary]
    document = _read(binary / PROJECT)
    runtime = document.get("runtime")
    name, options = (runtime.get("name"), runtime.get("options") or {}) if isinstance(runtime, dict) else (runtime, {})
    if name != "python":
        raise ResourceError(f"a plugin in {name!r} cannot be run here", where=str(binary / PROJECT))
    own = binary / str(options.get("virtualenv") or "venv") / "bin" / "python"
    return [own if own.exists() else python, binary]


def _of_project(package: str, version: str, folder: Path) -> Path | None:
    """The folder that the nearest Pulumi.yaml names for a package."""
    for parent in (folder, *folder.parents):
        for name in _PROJECT_FILES:
            if (parent / name).is_file():
                return _named_in(parent / name, package, version)
    return None


def _named_in(file: Path, package: str, version: str) -> Path | None:
    for named in (_read(file).get("plugins") or {}).get("providers") or []:
        asked = str(named.get("version") or "")
        if named.get("name") == package and (not version or not asked or asked.lstrip("v") == version.lstrip("v")):
            return file.parent / str(named.get("path") or "")
    return None


def _read(file: Path) -> dict[str, Any]:
    """A YAML mapping; one that cannot be read is empty: whoever runs the program tells what is wrong with its files."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (OSError, YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _runnable(folder: Path, name: str) -> Path:
    """What to run in a plugin's folder: its program, or the folder itself when it is a plugin written in Python."""
    if os.access(folder / name, os.X_OK):
        return folder / name
    if (folder / PROJECT).is_file() and (folder / "__main__.py").is_file():
        return folder
    raise ResourceError(
        f"there is neither a program {name} nor a {PROJECT} with its __main__.py in the folder of the plugin",
        where=str(folder),
        hint="see `plugins.providers` in Pulumi.yaml",
    )


def _installed(plugins: Path, package: str, name: str) -> list[_Installed]:
    found = []
    for folder in plugins.glob(f"resource-{package}-v*"):
        version = _VERSION.fullmatch(folder.name.removeprefix(f"resource-{package}-"))
        usable = os.access(folder / name, os.X_OK) or (folder / PROJECT).is_file()
        if version and usable and not (plugins / f"{folder.name}.partial").exists():
            found.append(_Installed(not version[4], _numbers(version), _preview(version), folder))
    return found


def _numbers(version: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number or 0) for number in version.group(1, 2, 3))


def _preview(version: re.Match[str]) -> tuple[tuple[bool, int, str], ...]:
    """What comes after the numbers, in an order in which `alpha.9` is before `alpha.10` and both after `alpha.1`."""
    parts = (version[4] or "").split(".")
    return tuple((False, int(part), "") if part.isdigit() else (True, 0, part) for part in parts if part)
