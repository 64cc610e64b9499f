"""Telling events from many threads: in order, one at a time, and nobody waits for a slow display."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.secret_filter import SecretFilter
from dataops.infra.events.engine_events import CancelEvent, DiagnosticEvent, Event


def test_nobody_waits_for_a_display_that_is_busy_with_the_event_of_another() -> None:
    told: list[str] = []
    busy, gate = threading.Event(), threading.Event()

    def show(event: Event) -> None:
        busy.set()
        assert gate.wait(60)
        if isinstance(event, DiagnosticEvent):
            told.append(event.message)

    reporter = Reporter(show, False, SecretFilter({}))
    first = threading.Thread(target=reporter.info, args=("first",))
    first.start()
    assert busy.wait(60)
    reporter.info("second")
    reporter.info("third")
    assert told == []
    gate.set()
    first.join()
    assert told == ["first\n", "second\n", "third\n"]


def test_all_events_have_been_told_when_the_last_has_in_the_order_of_each_thread() -> None:
    told: list[Event] = []
    showing = threading.Lock()

    def show(event: Event) -> None:
        assert showing.acquire(blocking=False), "two at a time"
        told.append(event)
        showing.release()

    reporter = Reporter(show, False, SecretFilter({}))

    def work(worker: int) -> None:
        for number in range(200):
            reporter.info(f"{worker} {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    reporter.end(False)
    assert isinstance(told[-1], CancelEvent)
    said = [event.message.split() for event in told if isinstance(event, DiagnosticEvent)]
    for worker in range(8):
        assert [int(n) for who, n in said if int(who) == worker] == list(range(200))
