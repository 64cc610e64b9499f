"""Which provider serves which package."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import Provider


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider's factory is told of the deployment that needs it.

    Args:
        package: the package, such as `dataops` or `pulumi-python`.
        version: the version that the program asks for; "" for any.
        project, stack: the stack's name.
        root: the folder that the program runs in, whence dynamic providers import the program's modules.
        python: the program's interpreter.
        environment: extra variables of the program.
        preview: whether nothing may be changed.
        download_url: where the program says that the plugin can be had; told, never fetched.
        log: receives what a plugin says: message, severity, URN.
    """

    package: str
    version: str = ""
    project: str = ""
    stack: str = ""
    root: Path = field(default_factory=Path.cwd)
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)
    preview: bool = False
    download_url: str = ""
    log: Callable[[str, str, str], None] | None = None


ProviderFactory = Callable[[ProviderContext], Provider]
"""Makes an unconfigured provider; may raise `ResourceError`."""


class ProviderRegistry:
    """Providers by package; dynamic providers (`pulumi-python`) are always there, and so are installed plugins.

    Args:
        factories: package to factory.
    """

    def __init__(self, factories: Mapping[str, ProviderFactory] | None = None) -> None:
        self._factories: dict[str, ProviderFactory] = {"pulumi-python": _dynamic, **(factories or {})}

    def packages(self) -> tuple[str, ...]:
        """The packages that are known."""
        return tuple(sorted(self._factories))

    def provide(self, context: ProviderContext) -> Provider:
        """A new provider for a package; `ResourceError` when there is none."""
        return self._find(context)(context)

    def _find(self, context: ProviderContext) -> ProviderFactory:
        environment = {**os.environ, **context.environment}
        if "PULUMI_DEBUG_PROVIDERS" in environment:
            from dataops.infra.providers.plugin_binary import attach_plugin, attach_port

            if (port := attach_port(context.package, environment)) is not None:
                return lambda context: attach_plugin(port, context)
        if (factory := self._factories.get(context.package)) is not None:
            return factory
        from dataops.infra.providers.plugin_binary import find_plugin, how_to_install, start_plugin

        binary = find_plugin(context.package, context.version, environment, context.root)
        if binary is None:
            version = f" of version {context.version}" if context.version else ""
            install = how_to_install(context.package, context.version, context.download_url)
            raise ResourceError(
                f"there is no provider for the package {context.package!r}{version}",
                hint=f"known packages: {', '.join(self.packages())}; another needs the plugin "
                f"pulumi-resource-{context.package} on PATH or in PULUMI_HOME/plugins: {install}",
            )
        return lambda context: start_plugin(binary, context)


def _dynamic(context: ProviderContext) -> Provider:
    from dataops.infra.providers.dynamic import start_dynamic_provider

    return start_dynamic_provider(context)
