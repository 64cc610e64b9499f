"""URNs: the names by which a stack knows its resources.

`urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`, as in the Pulumi SDK; parents of type
`pulumi:pulumi:Stack` are left out of the qualified type.
"""

from __future__ import annotations

ROOT_STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"


def make_urn(stack: str, project: str, parent: str | None, type_: str, name: str) -> str:
    """The URN of a resource below `parent` (a URN, or None for the stack itself)."""
    if parent:
        parent_type = qualified_type(parent)
        if parent_type != ROOT_STACK_TYPE:
            type_ = f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def qualified_type(urn: str) -> str:
    """The type with its chain of parent types, such as `my:Group$aws:s3/bucket:Bucket`."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """The resource's own type."""
    return qualified_type(urn).rpartition("$")[2]


def name_of(urn: str) -> str:
    """The resource's name: everything after the third `::`, since a name may itself hold `::`."""
    return urn.split("::", 3)[3]


def is_provider(type_: str) -> bool:
    """Whether a type is that of a provider resource, such as `pulumi:providers:aws`."""
    return type_.startswith(PROVIDER_TYPE_PREFIX)
