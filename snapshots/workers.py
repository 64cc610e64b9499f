"""The processes that capture tables and objects side by side; see `worker` for one of them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.environment import child_environment
from dataops.snapshots.tasks import Task
from dataops.snapshots.worker import Answer, Assignment

STOP_SECONDS = 10
# values are no garbage: to look for some among them, and while modules are loaded, took a fifth of the time
PROGRAM = "import gc; gc.set_threshold(50_000, 20, 50); from dataops.snapshots.worker import main; main()"


AHEAD = 2
"""Tasks that a worker knows of: it reads one while the disk still takes what came of the one before."""
MOST_JOBS = 8
"""How many workers there are unless somebody asks for more: each takes some 60 MiB, all of them less than 512 MiB."""
FRUGAL = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
    # the usual 128 KiB would have the system clear the pages of each block of rows anew, at every step of masking it
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
}
"""Variables of the allocators: what was freed is given back, since there are many of us."""


def usual_jobs() -> int:
    """As many workers as there are processors that this process may use, up to `MOST_JOBS`."""
    return min(MOST_JOBS, len(os.sched_getaffinity(0)))


class Workers:
    """Some worker processes; a context manager, after which none is left. They start up while others are prepared.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._processes: list[subprocess.Popen[bytes]] = []
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        command = [sys.executable, "-P", "-c", PROGRAM]
        for _ in range(self.count):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # nobody may read what a worker says by accident
                env=child_environment(FRUGAL),
                start_new_session=True,
            )
            self._processes.append(process)
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        for process in self._processes:
            process.wait(STOP_SECONDS)
            for stream in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    if stream:
                        stream.close()

    def perform(
        self, assignment: Assignment, groups: Sequence[Sequence[Task]], done: Callable[[Task, Answer], None]
    ) -> None:
        """Has all tasks performed.

        Args:
            groups: those of one group are performed by one worker, in order; groups are begun in order.
            done: called with each task and its answer, from several threads.

        Raises:
            DataopsError: the first failure of a task; then the others are given up.
        """
        waiting = iter(groups)
        threads = [
            threading.Thread(target=self._drive, args=(process, assignment, waiting, done), daemon=True)
            for process in self._processes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failure:
            raise self._failure

    def _drive(
        self,
        process: subprocess.Popen[bytes],
        assignment: Assignment,
        waiting: Any,
        done: Callable[[Task, Answer], None],
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(assignment, process.stdin)
            told, tasks = deque[Task](), self._tasks(waiting)
            while True:
                while len(told) < AHEAD and (task := next(tasks, None)) is not None:
                    pickle.dump(task, process.stdin)
                    told.append(task)
                process.stdin.flush()
                if not told:
                    break
                answer: Answer = pickle.load(process.stdout)
                if answer.error:
                    raise answer.error
                try:
                    done(told.popleft(), answer)
                except BrokenPipeError as error:  # of whoever is told, not of the worker, which would be waited for
                    self._fail(error)
                    return
            pickle.dump(None, process.stdin)
            process.stdin.flush()
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = process.wait()
            self._fail(ResourceError(f"a process that captures ended (exit status {status})", hint="was there memory?"))
        except BaseException as error:
            self._fail(error)

    def _tasks(self, waiting: Any) -> Iterator[Task]:
        while (group := self._next(waiting)) is not None:
            yield from group

    def _next(self, waiting: Any) -> Sequence[Task] | None:
        with self._lock:
            return None if self._failure else next(waiting, None)

    def _fail(self, error: BaseException) -> None:
        """Keeps the first failure; what the others fail with is that they are ended."""
        with self._lock:
            if self._failure is None:
                self._failure = error
        self._kill()

    def _kill(self) -> None:
        """Ends the workers and the programs that they run."""
        for process in self._processes:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
