"""The messages and services of the Pulumi protocol, loaded without the rest of the SDK.

Importing `pulumi.runtime.proto` the ordinary way runs the whole SDK first, half a second in a process that only
serves it. The generated modules need nothing of it, so they are loaded as a package of their own; the descriptors
are the SDK's, and a process may use both.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

from dataops.infra.errors import InternalError

_PACKAGE = "dataops_pulumi_protocol"

GRPC_VARIABLES = {"GRPC_VERBOSITY": "NONE", "GRPC_ENABLE_FORK_SUPPORT": "0"}
"""What gRPC reads when it is imported, unless the user chose otherwise.

It reports every closed connection on standard error otherwise, and its handlers of forks start threads in the child,
which crashed children that were about to become another program.
"""


@cache
def load(name: str) -> Any:
    """One generated module, such as `resource_pb2` or `resource_pb2_grpc`."""
    if _PACKAGE not in sys.modules:
        os.environ.update({**GRPC_VARIABLES, **os.environ})
        spec = importlib.util.find_spec("pulumi")
        if spec is None or not spec.submodule_search_locations:
            raise InternalError("the Pulumi SDK is not installed", hint="pip install pulumi")
        folder = Path(next(iter(spec.submodule_search_locations))) / "runtime" / "proto"
        package = types.ModuleType(_PACKAGE)
        package.__path__ = [str(folder)]
        sys.modules[_PACKAGE] = package
    return importlib.import_module(f"{_PACKAGE}.{name}")


CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
]
"""Options of every channel and server: large properties pass, and a proxy in the environment is not asked."""
