"""Serves the dynamic providers of a program: run by the program's interpreter, never imported.

The SDK's own servant does the work; this only ends it when whoever started it is gone.
"""

import os
import runpy
import sys
import threading


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.path[0] = os.getcwd()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
