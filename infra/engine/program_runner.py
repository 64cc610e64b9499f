"""Runs a Pulumi program: started by path with the program's own interpreter, never imported by the engine.

It imports the SDK while the engine is still getting ready, then waits for its settings as one line of JSON on standard
input: they hold the configuration, which must not show in the process list. Standard input stays open as long as the
engine lives; this process ends with it. How the program ended is written as JSON to the file descriptor in argv[1].
"""

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

FAILED = 32
COLLECTED = (20_000, 20, 20)
"""When the collector runs: rarely, since programs are short and make little that is garbage."""


def main() -> int:
    """Runs the program that the settings name; the exit status, `FAILED` when its failure has been reported."""
    report = os.fdopen(int(sys.argv[1]), "w")
    sys.path.pop(0)
    channel = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    gc.disable()  # nothing of what the imports make is garbage
    try:
        import pulumi
        import pulumi.runtime
    except ImportError:
        return _tell(report, "the Pulumi SDK cannot be imported", traceback.format_exc())
    _spare()
    gc.freeze()
    gc.set_threshold(*COLLECTED)
    gc.enable()
    line = channel.readline()
    if not line:
        return 1
    settings = json.loads(line)
    threading.Thread(target=_end_with_engine, args=(channel,), daemon=True).start()
    _configure(pulumi, settings)
    main_path = settings["main"]
    os.chdir(settings["folder"])
    sys.path.insert(0, settings["folder"])
    sys.argv = [main_path]
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    threads = ThreadPoolExecutor(max_workers=max(settings["parallel"], 1) * 4)
    loop.set_default_executor(threads)

    def run() -> None:
        runpy.run_path(main_path, run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        return 0
    except pulumi.RunError as error:
        return _tell(report, str(error), "")
    except Exception as error:
        return _tell(report, _summary(error), _trimmed(error, main_path))
    finally:
        # The interpreter collects several times as it ends; the operating system is quicker.
        gc.freeze()
        threads.shutdown(wait=False, cancel_futures=True)
        sys.stdout.flush()
        sys.stderr.flush()


def _spare() -> None:
    """Applies `sdk_savings.py`, which lies beside this file and in no package that this interpreter knows."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    name = "dataops_sdk_savings"
    spec = spec_from_loader(name, SourceFileLoader(name, os.path.join(os.path.dirname(__file__), "sdk_savings.py")))
    assert spec is not None and spec.loader is not None
    savings = module_from_spec(spec)
    spec.loader.exec_module(savings)
    savings.spare()


def _configure(pulumi: Any, settings: dict[str, Any]) -> None:
    pulumi.runtime.set_all_config(settings["config"], settings["secrets"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=settings["project"],
            stack=settings["stack"],
            organization="organization",
            monitor=settings["address"],
            engine=_Engine(settings["address"]),
            parallel=settings["parallel"],
            dry_run=settings["preview"],
            root_directory=settings["root"],
        )
    )


class _Engine:
    """The engine service, spared the SDK's debug messages: several for each resource, each of which it waits for."""

    def __init__(self, address: str) -> None:
        import grpc
        from google.protobuf.empty_pb2 import Empty
        from pulumi.runtime.proto import engine_pb2_grpc

        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
        self._nothing = Empty()

    def Log(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self._stub.Log(request, *args, **kwargs) if request.severity else self._nothing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)


def _end_with_engine(channel: Any) -> None:
    channel.read()
    os._exit(1)


def _tell(report: Any, what: str, trace: str) -> int:
    json.dump({"what": what, "trace": trace}, report)
    report.close()
    return FAILED


def _summary(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]


def _trimmed(error: BaseException, main_path: str) -> str:
    """The traceback without the frames of the interpreter, of this file and of installed packages."""
    found = traceback.TracebackException.from_exception(error)
    seen = set()
    pending: list[traceback.TracebackException | None] = [found]
    while pending:
        part = pending.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        mine = [frame for frame in part.stack if _is_users(frame.filename)]
        if mine or isinstance(error, SyntaxError):
            part.stack = traceback.StackSummary.from_list(mine)
        pending += [part.__cause__, part.__context__]
    return "".join(found.format())


def _is_users(filename: str) -> bool:
    if filename.startswith("<") or filename == __file__:
        return False
    library = os.path.dirname(os.path.abspath(runpy.__file__))
    path = os.path.abspath(filename)
    return "site-packages" not in path and "dist-packages" not in path and not path.startswith(library + os.sep)


if __name__ == "__main__":
    sys.exit(main())
