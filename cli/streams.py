"""Standard streams for a process that was started without them, as `<&-`, `>&-` and some schedulers do."""

from __future__ import annotations

import os
import sys


def open_missing() -> None:
    """Opens those of stdin, stdout and stderr that are closed: they read nothing, and what is written to them is lost.

    Otherwise the next file that is opened would take the place of a closed one, and children would write into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is given, and those below are open by now, so it is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
