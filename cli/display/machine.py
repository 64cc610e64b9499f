"""Displays for programs: the event log, a stream of events, and the digest of a preview, in Pulumi's JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import click

from dataops.cli.display.words import OPS
from dataops.infra.errors import ConfigurationError
from dataops.infra.events.blinding import unblind
from dataops.infra.events.engine_events import (
    DiagnosticEvent,
    Event,
    PreludeEvent,
    ResourcePreEvent,
    StepMetadata,
    StepState,
    SummaryEvent,
    to_json,
)
from dataops.infra.resources.urn import ROOT_STACK_TYPE


class EventLog:
    """Writes each event as a line of JSON to a file; of a preview and the update after it, the latter remains."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: IO[str] = path.open("w", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"the event log {path} cannot be written: {error.strerror}") from error
        self._count = 0

    def receive(self, event: Event) -> None:
        if isinstance(event, PreludeEvent):
            self._file.seek(0)
            self._file.truncate()
            self._count = 0
        self._file.write(json.dumps(to_json(event, self._count)) + "\n")
        self._count += 1
        # Readers follow the file while the update runs.
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class EventStream:
    """`--json` of an update: each event as a line of JSON on stdout."""

    def __init__(self) -> None:
        self._count = 0

    def receive(self, event: Event) -> None:
        click.echo(json.dumps(to_json(event, self._count)))
        self._count += 1

    def close(self) -> None:
        pass


class PreviewDigest:
    """`--json` of a preview: one document with its steps, messages and counts, on stdout.

    As in Pulumi's, what stays as it is is left out, the stack aside, and of a replacement its two halves are.

    Args:
        show_sames: list resources that stay as they are, too.
    """

    def __init__(self, show_sames: bool = False) -> None:
        self._show_sames = show_sames
        self._document: dict[str, Any] = {"steps": []}

    def receive(self, event: Event) -> None:
        if isinstance(event, PreludeEvent):
            self._document = {"config": dict(event.config), **self._document}
        elif isinstance(event, ResourcePreEvent):
            if self._shows(event.metadata):
                self._document["steps"].append(_step(event))
        elif isinstance(event, DiagnosticEvent) and event.severity != "debug":
            prefix = f"{event.severity}: " if event.severity in ("warning", "error") else ""
            message = {"message": prefix + event.message, "severity": event.severity}
            self._document.setdefault("diagnostics", []).append(
                {**({"urn": event.urn} if event.urn else {}), **message}
            )
        elif isinstance(event, SummaryEvent):
            self._document["duration"] = int(event.seconds * 1_000_000_000)
            self._document["changeSummary"] = {op: event.changes[op] for op in OPS if event.changes.get(op)}

    def close(self) -> None:
        click.echo(json.dumps(self._document, indent=4))

    def _shows(self, step: StepMetadata) -> bool:
        if step.type == ROOT_STACK_TYPE:
            return True
        if step.type.startswith("pulumi:providers:") or not step.logical:
            return False
        protection = step.old is not None and step.new is not None and step.old.protect != step.new.protect
        return step.op != "same" or self._show_sames or protection


def _step(event: ResourcePreEvent) -> dict[str, Any]:
    metadata = event.metadata
    step: dict[str, Any] = {"op": metadata.op, "urn": metadata.urn}
    if metadata.provider:
        step["provider"] = metadata.provider
    if metadata.old:
        step["oldState"] = _state(metadata.old)
    if metadata.new:
        step["newState"] = _state(metadata.new)
    if metadata.diffs:
        step["diffReasons"] = list(metadata.diffs)
    if metadata.keys:
        step["replaceReasons"] = list(metadata.keys)
    detailed = metadata.detailed_diff
    step["detailedDiff"] = detailed and {
        path: {"kind": diff["diffKind"], "inputDiff": diff["inputDiff"]} for path, diff in detailed.items()
    }
    return step


def _state(state: StepState) -> dict[str, Any]:
    """A resource as a checkpoint would have it, without what is empty."""
    properties = {"inputs": state.inputs, "outputs": state.outputs}
    shown = {key: unblind(values, "[secret]") for key, values in properties.items() if values}
    return {"urn": state.urn, "custom": state.custom, **state.rest, **shown}
