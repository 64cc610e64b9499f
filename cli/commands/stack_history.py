"""`dataops stack history`: the stack's updates, and what differs between two of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import click

from dataops.cli import wiring
from dataops.cli.commands.stack_config import value_json
from dataops.cli.options import Request, json_option, stack_options
from dataops.cli.tables import ago, iso, print_json, print_table
from dataops.infra.errors import NotFoundError
from dataops.infra.resources.urn import name_of, type_of
from dataops.infra.resources.values import SECRET_SIGNATURE, SIGNATURE
from dataops.infra.state.backend import Backend, StackReference, UpdateRecord
from dataops.infra.state.config_value import ConfigValue
from dataops.infra.state.encryption import SecretsManager

_SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "+-", "same": "="}
_SHORT_COMMIT = 12


@click.command()
@click.option("--page-size", type=click.IntRange(min=0), default=10, help="Updates on a page; 0 for all.")
@click.option("--page", type=click.IntRange(min=1), default=1, help="Which page.")
@click.option("--full-dates", is_flag=True, help="Dates instead of how long ago.")
@click.option("--show-secrets", is_flag=True, help="Show secret configuration in plain text.")
@click.option("--diff", nargs=2, type=int, metavar="A B", help="What differs between the states after two updates.")
@json_option
@stack_options
def history(
    request: Request,
    page_size: int,
    page: int,
    full_dates: bool,
    show_secrets: bool,
    diff: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """List the stack's updates, newest first, or compare two of them.

    \b
    Examples:
      dataops stack history --json
      dataops stack history --diff 3 5
    """
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    backend = wiring.backend(workspace)
    if diff is not None:
        _compare(backend, ref, *diff, as_json=as_json)
        return
    records = backend.history(ref)
    if page_size:
        records = records[(page - 1) * page_size : page * page_size]
    if as_json:
        secrets = wiring.secrets(workspace, wiring.settings(workspace, ref), ref, request) if show_secrets else None
        print_json([_record_json(record, secrets) for record in records])
        return
    _print(records, full_dates)


def _print(records: Sequence[UpdateRecord], full_dates: bool) -> None:
    now = time.time()
    rows = []
    for record in records:
        about = record.environment
        author = about.get("git.author") or about.get("git.committer") or about.get("user", "")
        changes = ", ".join(f"{_SIGNS.get(op, op)}{n}" for op, n in sorted(record.resource_changes.items()))
        rows.append(
            (
                str(record.version),
                record.kind,
                record.result,
                iso(record.end_time) if full_dates else ago(record.end_time, now),
                f"{record.end_time - record.start_time}s",
                changes,
                about.get("git.head", "")[:_SHORT_COMMIT] + ("*" if about.get("git.dirty") == "true" else ""),
                author,
                about.get("release", ""),
                record.message.partition("\n")[0],
            )
        )
    headings = ("VERSION", "KIND", "RESULT", "WHEN", "TOOK", "CHANGES", "COMMIT", "AUTHOR", "RELEASE", "MESSAGE")
    print_table(headings, rows)


def _compare(backend: Backend, ref: StackReference, old: int, new: int, as_json: bool) -> None:
    """Prints what is in one state and not in the other, property by property; secret values only as changed or not."""
    versions = {record.version for record in backend.history(ref)}
    for version in (old, new):
        if version not in versions:
            raise NotFoundError(f"stack {ref.stack!r} has no update {version}", hint="dataops stack history")
    before, after = (_resources(backend, ref, version) for version in (old, new))
    changes: list[dict[str, Any]] = []
    for urn in dict.fromkeys([*after, *before]):
        if urn not in before or urn not in after:
            changes.append({"op": "create" if urn in after else "delete", "urn": urn, "properties": []})
            continue
        differing = list(_differences(before[urn], after[urn]))
        if differing:
            changes.append({"op": "update", "urn": urn, "properties": differing})
    if as_json:
        print_json({"from": old, "to": new, "changes": changes})
        return
    for change in changes:
        urn = str(change["urn"])
        click.echo(f"{_SIGNS[str(change['op'])]} {type_of(urn)} {name_of(urn)}")
        for path, was, now in change["properties"]:
            click.echo(f"    {path}: {was} => {now}")
    if not changes:
        click.echo(f"Nothing differs between {old} and {new}", err=True)


def _resources(backend: Backend, ref: StackReference, version: int) -> dict[str, Any]:
    found = backend.export(ref, None, version)["deployment"].get("resources") or []
    return {
        resource["urn"]: {part: resource.get(part) or {} for part in ("inputs", "outputs")} | {"id": resource.get("id")}
        for resource in found
        if not resource.get("delete")
    }


def _differences(old: Any, new: Any, path: str = "") -> Any:
    """`(path, old, new)` of what differs, as texts."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict) and SIGNATURE not in old.keys() | new.keys():
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif _secret(old) or _secret(new):
        yield path, "[secret]", "[secret]"
    else:
        yield path, _text(old), _text(new)


def _secret(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get(SIGNATURE) == SECRET_SIGNATURE or any(_secret(item) for item in value.values())
    return isinstance(value, list) and any(_secret(item) for item in value)


def _text(value: Any) -> str:

    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _record_json(record: UpdateRecord, secrets: SecretsManager | None) -> dict[str, Any]:
    """One update as `pulumi stack history --json` has it; secret configuration only with `secrets` to reveal it."""
    return {
        "version": record.version,
        "kind": record.kind,
        "startTime": iso(record.start_time),
        "message": record.message,
        "environment": dict(record.environment),
        "config": {key: value_json(ConfigValue(raw), secrets) for key, raw in record.config.items()},
        "result": record.result,
        "endTime": iso(record.end_time),
        "resourceChanges": dict(record.resource_changes),
    }
