"""`dataops stack` alone: the selected stack, its resources as a tree, its outputs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from dataops.cli import wiring
from dataops.cli.commands.stack_state import print_outputs, shown_outputs
from dataops.cli.options import Request
from dataops.cli.tables import ago, print_json, print_table
from dataops.infra.resources.urn import name_of
from dataops.infra.state.backend import not_found


def show_stack(
    request: Request, as_json: bool, show_ids: bool, show_urns: bool, show_name: bool, show_secrets: bool
) -> None:
    """Prints what there is to know of a stack."""
    workspace = wiring.workspace(request)
    ref = workspace.reference(request.stack)
    if show_name:
        click.echo(ref.stack)
        return
    backend = wiring.backend(workspace)
    if not backend.exists(ref):
        raise not_found(ref)
    secrets = wiring.secrets(workspace, wiring.settings(workspace, ref), ref, request) if show_secrets else None
    deployment = backend.export(ref, secrets)["deployment"]
    resources: list[dict[str, Any]] = deployment.get("resources") or []
    outputs = shown_outputs(resources, show_secrets)
    if as_json:
        shown = ("urn", "type", "id", "parent")
        print_json(
            {
                "project": ref.project,
                "stack": ref.stack,
                "backend": workspace.backend_url,
                "tags": backend.tags(ref),
                "manifest": {"time": deployment.get("manifest", {}).get("time")},
                "resources": [{**{k: r[k] for k in shown if r.get(k)}, "name": name_of(r["urn"])} for r in resources],
                "outputs": outputs,
            }
        )
        return
    click.echo(f"Stack {ref.stack} of project {ref.project}, kept in {workspace.backend_url}")
    summary = next((s for s in backend.stacks(ref.project) if s.reference == ref), None)
    if summary and summary.last_update is not None:
        click.echo(f"Last updated {ago(summary.last_update, time.time())}")
    if holder := backend.lock_holder(ref):
        click.echo(f"Being worked on by {holder}")
    click.echo(f"Resources ({len(resources)}):")
    rows = []
    for prefix, resource in _tree(resources):
        cells = [prefix + resource["type"], name_of(resource["urn"])]
        rows.append(
            [*cells, *([resource.get("id", "")] if show_ids else []), *([resource["urn"]] if show_urns else [])]
        )
    if rows:
        headings = ["TYPE", "NAME", *(["ID"] if show_ids else []), *(["URN"] if show_urns else [])]
        print_table(headings, rows, indent="    ")
    print_outputs(outputs)


def _tree(resources: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Resources with the branches drawn before their type, children after their parent."""
    known = {resource["urn"] for resource in resources}
    roots = [r for r in resources if not r.get("parent") or r["parent"] not in known]
    stack = next((r["urn"] for r in roots if r["type"] == "pulumi:pulumi:Stack"), None)

    def children(urn: str) -> list[dict[str, Any]]:
        below = [r for r in resources if r.get("parent") == urn]
        return below + ([r for r in roots if r["urn"] != stack] if urn == stack else [])

    def walk(resource: dict[str, Any], lead: str) -> Iterator[tuple[str, dict[str, Any]]]:
        below = children(resource["urn"])
        for index, child in enumerate(below):
            last = index == len(below) - 1
            yield lead + ("└─ " if last else "├─ "), child
            yield from walk(child, lead + ("   " if last else "│  "))

    for root in roots:
        if stack is None or root["urn"] == stack:
            yield "", root
            yield from walk(root, "")
