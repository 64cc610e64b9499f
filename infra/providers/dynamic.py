"""Dynamic providers (`pulumi.dynamic`): resources whose code comes with the program, pickled into `__provider`.

One process per deployment serves them all. It can import the program's modules and starts at once, so that it is ready
by the time that the program has registered its first resource.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.providers.base import Provider
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_process import PluginProcess
from dataops.infra.providers.registry import ProviderContext


@dataclass(frozen=True, slots=True)
class DynamicProcess:
    """A process that serves dynamic resources, and our end of the socket to it."""

    process: PluginProcess
    connection: socket.socket

    def stop(self) -> None:
        """Ends it; may be called again."""
        self.connection.close()
        self.process.stop()


def start_dynamic_process(context: ProviderContext) -> DynamicProcess:
    """Starts the process that serves dynamic resources, without waiting for it."""
    environment = {**os.environ, **context.environment}
    path = [str(context.root), *filter(None, [environment.get("PYTHONPATH", "")])]
    environment |= {"PYTHONPATH": os.pathsep.join(path), "PULUMI_PROJECT": context.project or "project"}
    host = Path(__file__).with_name("dynamic_host.py")
    ours, theirs = socket.socketpair()
    with theirs:
        command: list[str | Path] = [context.python, "-u", host, str(theirs.fileno())]
        try:
            process = PluginProcess(command, context.root, environment, [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    process.listen()
    return DynamicProcess(process, ours)


def connect_dynamic_process(started: DynamicProcess) -> Provider:
    """A provider on a process of `start_dynamic_process`; calls wait until that can answer."""
    from dataops.infra.providers.socket_channel import SocketChannel

    return PluginClient(SocketChannel(started.connection), started.process.explain, started.stop)


def start_dynamic_provider(context: ProviderContext) -> Provider:
    """A provider for `pulumi-python` resources."""
    return connect_dynamic_process(start_dynamic_process(context))
