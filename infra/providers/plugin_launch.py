"""Becomes a program that is killed when whoever started it dies: `python -I -S plugin_launch.py <parent> <program> …`.

It stands alone, importing the standard library only. The signal comes when the thread that started this process ends,
so whoever starts it does so from one that lasts.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Becomes the program; exit status 127 when it cannot be run."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        # It died before it could be watched.
        sys.exit(1)
    try:
        os.execv(program, sys.argv[2:])
    except OSError as error:
        print(f"{program}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
