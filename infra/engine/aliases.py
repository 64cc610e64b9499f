"""Aliases: the names under which a resource may have been recorded before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dataops.infra.engine.goal import Alias
from dataops.infra.resources.urn import ROOT_STACK_TYPE, make_urn, name_of, qualified_type, type_of


def alias_urns(
    alias_of: Mapping[str, str], stack: str, project: str, name: str, type_: str, parent: str, aliases: Sequence[Alias]
) -> Iterator[str]:
    """The URNs that a resource may have had, nearest first.

    Args:
        alias_of: for each resource registered so far under a new name, the URN that it is recorded with.
    """
    own = [_urn(alias, alias_of, stack, project, name, type_, parent) for alias in aliases]
    seen = set()
    inherited = alias_of.get(parent) if parent else None
    found = list(own)
    if inherited:
        found.append(_inherited(stack, project, type_, name, parent, inherited))
        found += [_inherited(stack, project, type_of(urn), name_of(urn), parent, inherited) for urn in own]
    for urn in found:
        if urn not in seen:
            seen.add(urn)
            yield urn


def _urn(
    alias: Alias, alias_of: Mapping[str, str], stack: str, project: str, name: str, type_: str, parent: str
) -> str:
    if alias.urn:
        return alias.urn
    above = alias_of.get(alias.parent, alias.parent) if alias.parent else parent
    if alias.no_parent or (above and qualified_type(above) == ROOT_STACK_TYPE):
        above = ""
    return make_urn(
        alias.stack or stack, alias.project or project, above or None, alias.type or type_, alias.name or name
    )


def _inherited(stack: str, project: str, type_: str, name: str, parent: str, parent_alias: str) -> str:
    """The name a child had when its parent had another one; a child's name often starts with its parent's."""
    prefix = name_of(parent)
    if name.startswith(prefix):
        name = name_of(parent_alias) + name[len(prefix) :]
    return make_urn(stack, project, parent_alias, type_, name)
