"""A process that captures tables and objects; `workers` starts it.

It is told everything over its standard input, since arguments and variables can be read by others: keys are among it.
It holds raw personal data, so it leaves no core dump, tells errors without the values that caused them, and ends, with
the programs it runs, as soon as whoever started it is gone.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dataops.infra.errors import DataopsError, InternalError
from dataops.infra.process.leaving import leave_at_once
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.lake import CapturedObject, capture_object
from dataops.snapshots.manifest import ProductionReference, Unsearched
from dataops.snapshots.memory import Memory, Shares
from dataops.snapshots.plans import TablePlan
from dataops.snapshots.quotations import Quotation
from dataops.snapshots.reader import ConnectionLostError, Reader, RowSession
from dataops.snapshots.rows import CapturedTable, capture_table
from dataops.snapshots.storage.local import NO_ROOM, NoRoomError
from dataops.snapshots.tasks import Task
from dataops.snapshots.writer import DataWriter, Place

PR_SET_DUMPABLE = 4
PAUSES = (0.5, 2.0, 5.0)
"""Seconds before a lost connection is made anew."""
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Assignment:
    """What all tasks of a capture have in common; the first thing that a worker is told.

    Args:
        reader: reads the database.
        lake: the directory of the lake.
        place: the store.
        hosts: production hosts to search for.
        quotations: values that the schema quotes.
        shares: of what all workers may hold.
    """

    reader: Reader
    lake: Path
    place: Place
    hosts: tuple[str, ...]
    quotations: Mapping[str, Quotation] = field(repr=False)
    shares: Shares = Shares()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task: either what was captured, or why not.

    Args:
        captured: what is in the store now.
        references, unsearched: what was found in it.
        error: why nothing was captured.
        proof: what tells these rows, or this object, from what they could be later; None where nothing does.
        unchanged: that the proof is the one of the task, so that nothing had to be captured.
    """

    captured: CapturedTable | CapturedObject | None
    references: tuple[ProductionReference, ...] = ()
    unsearched: tuple[Unsearched, ...] = ()
    error: DataopsError | None = None
    proof: str | None = None
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer that holds as soon as what was captured is on the disk.

    Args:
        task: what it answers.
        settled: what has to be waited for.
    """

    task: Task
    answer: Answer
    settled: tuple[Future[None], ...] = ()

    def wait(self) -> Answer:
        """The answer, once it holds; another one if the disk failed."""
        try:
            for one in self.settled:
                one.result()
        except BaseException as error:
            return _refused(self.task, error)
        return self.answer


def perform(assignment: Assignment, session: RowSession, settler: Executor, task: Task, memory: Memory) -> Outcome:
    """Captures one range or object. Whatever goes wrong is told by type: messages of others could quote values.

    Where the connection is lost it is tried again, as long as the snapshot of the database lives.

    Args:
        session: of the assignment's reader, for all tasks.
        settler: puts what was written on the disk, while the next task is under way.
        memory: for all tasks.
    """
    try:
        for pause in PAUSES:
            try:
                return _capture(assignment, session, settler, task, memory)
            except ConnectionLostError:
                time.sleep(pause)
        return _capture(assignment, session, settler, task, memory)
    except BaseException as error:  # FF1 panics past `Exception`
        return Outcome(task, _refused(task, error))


def _refused(task: Task, error: BaseException) -> Answer:
    if isinstance(error, DataopsError):
        return Answer(None, error=error)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        hint = "free some disk space and capture again"
        return Answer(None, error=NoRoomError("no room left for the snapshot", hint=hint))
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(HERE)]
    frame = own[-1]
    place = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
    return Answer(None, error=InternalError(f"{task.label} could not be captured: {place}"))


def _capture(assignment: Assignment, session: RowSession, settler: Executor, task: Task, memory: Memory) -> Outcome:
    plan = task.plan
    if isinstance(plan, TablePlan):
        proof = session.prove(plan.table, task.part) if task.proof and not plan.selection else None
    else:
        proof = plan.identity.proof
    if proof is not None and proof == task.proof:
        return Outcome(task, Answer(None, proof=proof, unchanged=True))
    search = HostSearch(assignment.hosts)
    captured: CapturedTable | CapturedObject
    with DataWriter(assignment.place, settler, rows=isinstance(plan, TablePlan), before=task.before) as writer:
        if isinstance(plan, TablePlan):
            captured, proof = capture_table(session, plan, task.part, writer, search, memory)
        else:
            captured = capture_object(assignment.lake, plan, writer, search, memory)
    answer = Answer(captured, search.references(), search.unsearched(), proof=proof)
    return Outcome(task, answer, tuple(writer.settling))


def _keep_to_oneself() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _receive(stream: IO[bytes], received: queue.SimpleQueue[Any]) -> None:
    """Passes on what comes in; once nothing more can come, everything here ends."""
    try:
        while (message := pickle.load(stream)) is not None:
            received.put(message)
        received.put(None)
    except BaseException:
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def _tell(outcomes: queue.SimpleQueue[Outcome | None], answers: IO[bytes]) -> None:
    """Answers in order, each as soon as it holds."""
    while (outcome := outcomes.get()) is not None:
        pickle.dump(outcome.wait(), answers)
        answers.flush()


def main() -> None:
    """Performs tasks until there are no more."""
    _keep_to_oneself()
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, received), daemon=True).start()
    telling = threading.Thread(target=_tell, args=(outcomes, sys.stdout.buffer), daemon=True)
    telling.start()
    import pyarrow.compute  # noqa: F401  # while the others are still deciding what is to be done

    assignment = received.get()
    if assignment is not None:
        memory = Memory(assignment.quotations, assignment.shares)
        with assignment.reader.session() as session, ThreadPoolExecutor(1, thread_name_prefix="settle") as settler:
            while (task := received.get()) is not None:
                outcomes.put(perform(assignment, session, settler, task, memory))
            outcomes.put(None)
            telling.join()
    leave_at_once(0)
