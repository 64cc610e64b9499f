"""`pulumi-resource-dataops`: our provider as a plugin, so that the Pulumi CLI alone can work on our stacks.

An engine starts it with its own address as the argument, reads the port from the first line of its output and speaks
the `ResourceProvider` protocol. It ends with SIGTERM, and when whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataops.infra.providers.base import Provider

_LOOK_FOR_PARENT_SECONDS = 0.5
_LAST_ANSWERS_SECONDS = 5.0


def main() -> int:
    """Serves until it is told to end; the arguments, an engine's address and its logging flags, are not needed."""
    parent = os.getppid()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    if not sys.stdin.isatty():
        # Ctrl-C is the engine's: it cancels what is under way, and then ends this process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    server, provider = _serve()
    try:
        while not ended.wait(_LOOK_FOR_PARENT_SECONDS) and os.getppid() == parent:
            continue
    except KeyboardInterrupt:
        pass
    provider.cancel()
    server.stop(_LAST_ANSWERS_SECONDS).wait()
    provider.close()
    return 0


def _serve() -> tuple[Any, Provider]:
    from importlib.metadata import version

    from dataops.cli.wiring import dataops_provider
    from dataops.infra.providers.plugin_server import serve

    provider = dataops_provider()
    server, port = serve(provider, version("dataops"), schema)
    print(port, flush=True)
    return server, provider


def schema() -> str:
    """The package's schema, JSON."""
    from importlib.metadata import version

    from dataops.cli.wiring import resource_handlers
    from dataops.infra.providers.plugin_schema import package_schema

    return json.dumps(package_schema(resource_handlers(), version("dataops"), _components()), indent=1)


def _components() -> dict[str, str]:
    """Token and description of the component classes that come with dataops."""
    import importlib
    import inspect
    import pkgutil

    import pulumi

    from dataops.infra import components

    found = {}
    for module in pkgutil.iter_modules(components.__path__):
        for kind in vars(importlib.import_module(f"{components.__name__}.{module.name}")).values():
            if isinstance(kind, type) and issubclass(kind, pulumi.ComponentResource) and kind.__doc__:
                if kind.__module__.startswith(components.__name__):
                    found[f"dataops:components:{kind.__name__}"] = inspect.cleandoc(kind.__doc__)
    return found


if __name__ == "__main__":
    sys.exit(main())
