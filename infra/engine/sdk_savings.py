"""Spares a program what the SDK does again and again to the same effect; loaded by the program runner, by path.

What a program sees, and what it sends to the engine, is the same with and without. Each saving looks for what it
changes and lets an SDK alone that no longer has it.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any


def spare() -> None:
    """Applies every saving. The SDK must have been imported."""
    from dill import detect
    from pulumi.dynamic import dynamic
    from pulumi.runtime import resource

    _unwrap_pickler(dynamic)
    _remember_names(detect)
    _shorten_traces(resource)


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
        resource.traceback = _Traces()
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


class _Traces:
    """The module `traceback`, except that call stacks have no source lines."""

    def extract_stack(self) -> list[traceback.FrameSummary]:
        found = [
            traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
            for frame, line in traceback.walk_stack(sys._getframe(1))
        ]
        found.reverse()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)
