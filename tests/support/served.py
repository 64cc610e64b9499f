"""A provider as a plugin, spoken to over gRPC, without a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.providers.base import Provider
from dataops.infra.providers.plugin_client import PluginClient
from dataops.infra.providers.plugin_server import serve
from dataops.infra.providers.protocol import CHANNEL_OPTIONS


@contextmanager
def served(provider: Provider, folder: Path) -> Iterator[PluginClient]:
    """A client of the provider's plugin; the socket is in `folder`."""
    import grpc

    address = f"unix:{folder / 'plugin.sock'}"
    server, _ = serve(provider, "1.2.3", lambda: "{}", address)
    client = PluginClient(grpc.insecure_channel(address, options=CHANNEL_OPTIONS), lambda: "", lambda: None)
    try:
        client.shake_hands("", str(folder))
        client.configure({})
        yield client
    finally:
        client.close()
        server.stop(None).wait()
