"""The Pulumi package schema of resource handlers: what `GetSchema` of our plugin answers.

Names, what is required, what replaces and what is secret come from the handlers; what a property is and means, from
`plugin_properties.py`, since handlers see plain values. https://www.pulumi.com/docs/iac/packages-and-automation/pulumi-packages/schema/
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from dataops.infra.providers.base import ResourceHandler
from dataops.infra.providers.plugin_properties import ANY, PROPERTIES, Described

PACKAGE = "dataops"


def package_schema(
    handlers: Iterable[ResourceHandler], version: str, components: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The schema of the package `dataops`.

    Args:
        handlers: one for each resource type.
        version: of the package.
        components: token to description of component types, which programs make of these resources.
    """
    resources = {handler.token: _resource(handler) for handler in handlers}
    for token, description in (components or {}).items():
        resources[token] = {"description": description, "isComponent": True}
    return {
        "name": PACKAGE,
        "displayName": "dataops",
        "version": version,
        "description": "Environments of a data platform: code, Postgres clusters, lakes, rights and services.",
        "keywords": ["category/infrastructure", "kind/native"],
        "license": "Apache-2.0",
        "meta": {"moduleFormat": "(.*)"},
        "config": {},
        "provider": {"description": "The provider of the package; there is nothing to configure."},
        "resources": dict(sorted(resources.items())),
    }


def _resource(handler: ResourceHandler) -> dict[str, Any]:
    inputs = handler.required | handler.optional
    described = {name: _described(handler.token, name) for name in sorted(inputs | handler.outputs)}
    return {
        "description": inspect.cleandoc(type(handler).__doc__ or handler.token),
        "inputProperties": {name: _property(described[name], handler, name) for name in sorted(inputs)},
        "requiredInputs": sorted(handler.required),
        "properties": {name: _property(described[name], handler, name, out=True) for name in sorted(handler.outputs)},
        "required": sorted(handler.outputs),
    }


def _property(described: Described, handler: ResourceHandler, name: str, out: bool = False) -> dict[str, Any]:
    found = {**described.type, "description": described.text}
    if described.secret or (out and name in handler.secret_outputs):
        found["secret"] = True
    if not out and name in handler.replace_on:
        found["willReplaceOnChanges"] = True
    return found


def _described(token: str, name: str) -> Described:
    short = token.rpartition(":")[2]
    return PROPERTIES.get(f"{short}.{name}") or PROPERTIES.get(name) or Described(ANY, name)
