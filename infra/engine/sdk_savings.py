"""Spares a program what the SDK does again and again to the same effect; loaded by the program runner, by path.

What a program sees, and what it sends to the engine, is the same with and without. Each saving looks for what it
changes and lets an SDK alone that no longer has it.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable
from typing import Any

PAUSE, LONGEST = 0.0001, 1.0
"""Seconds between two looks at the outputs that are awaited: for each of them, and at the most."""


def spare() -> None:
    """Applies every saving. The SDK must have been imported."""
    from dill import detect
    from pulumi.dynamic import dynamic
    from pulumi.runtime import resource, stack

    _unwrap_pickler(dynamic)
    _remember_names(detect)
    _shorten_traces(resource)
    _look_less_often(stack)


def _unwrap_pickler(dynamic: Any) -> None:
    """Undoes what the SDK leaves behind each time it serialises a dynamic provider.

    `pulumi.dynamic.serialize_provider` (seen in 3.272) wraps a method of the standard library's pickler and does not
    unwrap it: each resource makes the next one slower, and some three hundred of them end in a RecursionError.
    """
    import pickle

    serialize = dynamic.serialize_provider
    pickler = vars(pickle)["_Pickler"]

    def serialize_provider(provider: Any) -> Any:
        unwrapped = pickler._batch_setitems
        try:
            return serialize(provider)
        finally:
            pickler._batch_setitems = unwrapped

    dynamic.serialize_provider = serialize_provider


def _remember_names(detect: Any) -> None:
    """Has each code object disassembled once for the names of its globals, not for every resource.

    They depend on nothing but the code. What the names stand for is looked up each time, as before.
    """
    find = getattr(detect, "nestedglobals", None)
    if find is None:
        return
    known: dict[tuple[int, bool], tuple[Any, list[str]]] = {}

    def nestedglobals(func: Any, recurse: bool = True) -> list[str]:
        code = detect.code(func)
        if code is None:
            return []
        # The code is kept, so that no other can have its identity.
        found = known.get((id(code), recurse))
        if found is None:
            found = known[id(code), recurse] = code, find(code, recurse)
        return list(found[1])

    detect.nestedglobals = nestedglobals


def _shorten_traces(resource: Any) -> None:
    """Has the call stack of each resource walked without reading the source lines, and each place made a URI once."""
    if hasattr(resource, "_get_stack_trace"):
        resource.traceback = _Instead(traceback, extract_stack=_call_stack)
    locate = getattr(resource, "_get_source_position_for_frame", None)
    if locate is None:
        return
    known: dict[tuple[str, int | None], Any] = {}

    def locate_once(frame: traceback.FrameSummary) -> Any:
        place = frame.filename, frame.lineno
        if place not in known:
            known[place] = locate(frame)
        return known[place]

    resource._get_source_position_for_frame = locate_once


def _call_stack() -> list[traceback.FrameSummary]:
    """`traceback.extract_stack` without source lines."""
    found = [
        traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
        for frame, line in traceback.walk_stack(sys._getframe(1))
    ]
    found.reverse()
    return found


def _look_less_often(stack: Any) -> None:
    """Has the SDK look at all outputs from time to time, not each time that one of them is known.

    At its end a program waits for the first of its outputs, takes all the others up again, and so on: with each being
    looked at for each of the others, a thousand resources in chains spend most of the time on that.
    """
    if hasattr(stack, "wait_for_rpcs"):
        stack.asyncio = _Instead(asyncio, wait=_wait)


async def _wait(awaited: Iterable[asyncio.Future[Any]], *, return_when: str = asyncio.ALL_COMPLETED) -> Any:
    """`asyncio.wait`, which goes on for a moment after the first is done, unless one has failed or all are done."""
    done, pending = await asyncio.wait(list(awaited), return_when=return_when)
    if pending and not any(one.cancelled() or one.exception() for one in done):
        pause = min(len(pending) * PAUSE, LONGEST)
        more, pending = await asyncio.wait(pending, timeout=pause, return_when=asyncio.FIRST_EXCEPTION)
        done |= more
    return done, pending


class _Instead:
    """A module with some of its functions replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
