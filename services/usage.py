"""Code that a run works with stays as long as the run: a checkout or virtual environment in use is not removed.

Whoever uses a folder holds a shared lock on a file beside it. Whoever wants to remove one that is in use retires it
instead, and the last user removes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dataops.infra.process.usage import hold, remove_retired


@contextmanager
def using(root: Path, folders: Sequence[Path]) -> Iterator[tuple[int, ...]]:
    """Keeps folders below an environment's root from being removed; gives the descriptors of the locks.

    At the end, folders of the environment that were to be removed meanwhile, and that nobody uses, are removed.
    """
    with ExitStack() as stack:
        descriptors = [hold(folder) for folder in folders if folder.is_relative_to(root)]
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        yield tuple(descriptors)
    remove_retired(root)
