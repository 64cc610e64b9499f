"""Dynamic providers (`pulumi.dynamic`): resources whose code comes with the program, pickled into `__provider`.

One process per deployment serves them all. It can import the program's modules and starts at once, so that it is ready
by the time that the program has registered its first resource.
"""

from __future__ import annotations

import os
from pathlib import Path

from dataops.infra.providers.base import Provider
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_process import PluginProcess
from dataops.infra.providers.protocol import CHANNEL_OPTIONS
from dataops.infra.providers.registry import ProviderContext


def start_dynamic_process(context: ProviderContext) -> PluginProcess:
    """Starts the process that serves dynamic resources, without waiting for it."""
    environment = {**os.environ, **context.environment}
    path = [str(context.root), *filter(None, [environment.get("PYTHONPATH", "")])]
    environment |= {"PYTHONPATH": os.pathsep.join(path), "PULUMI_PROJECT": context.project or "project"}
    host = Path(__file__).with_name("dynamic_host.py")
    return PluginProcess([context.python, "-u", host], context.root, environment)


def connect_dynamic_process(process: PluginProcess) -> Provider:
    """A provider on a process of `start_dynamic_process`; waits until that can answer."""
    import grpc

    port = process.port()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
    grpc.channel_ready_future(channel).result(timeout=30)
    return PluginClient(channel, process.explain, process.stop)


def start_dynamic_provider(context: ProviderContext) -> Provider:
    """A provider for `pulumi-python` resources."""
    return connect_dynamic_process(start_dynamic_process(context))
