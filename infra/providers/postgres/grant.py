"""`dataops:postgres:Grant`: a role's rights on the tables of one schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import CheckFailure, CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.postgres.connection import check_names, database_exists, is_reachable, session
from dataops.infra.providers.postgres.privileges import (
    EVERY_TABLE,
    PRIVILEGES,
    Declaration,
    apply,
    catalogue,
    covers_future,
    normalized,
    withdraw,
)

if TYPE_CHECKING:
    from dataops.infra.providers.postgres.connection import Session


class GrantHandler(ResourceHandler):
    """Everything a role may do in a schema: one resource for each pair of them, and what it does not say is revoked.

    `tables` are names or `*`; named tables that do not exist yet, or are made anew, are covered as well. `granted` is
    what the catalogue says, `agrees` whether that is what was declared.
    """

    token = "dataops:postgres:Grant"
    required = frozenset({"connection", "database", "role", "schema", "tables", "privileges"})
    replace_on = frozenset({"database", "role", "schema"})
    outputs = frozenset({"declared", "granted", "agrees"})

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        failures = list(check_names(inputs, ("database", "role", "schema", "tables")))
        unknown = set(normalized(inputs.get("privileges", []))) - set(PRIVILEGES)
        if unknown:
            known = ", ".join(privilege.lower() for privilege in PRIVILEGES)
            said = ", ".join(sorted(name.lower() for name in unknown))
            failures.append(CheckFailure("privileges", f"there is no privilege {said}; there are {known} and all"))
        for property_ in ("tables", "privileges"):
            if property_ in inputs and not inputs[property_]:
                failures.append(CheckFailure(property_, "must not be empty"))
        if EVERY_TABLE in inputs.get("tables", []) and len(inputs["tables"]) > 1:
            failures.append(CheckFailure("tables", f"'{EVERY_TABLE}' leaves nothing to name beside it"))
        return failures

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        wanted = Declaration.of(inputs)
        doing = f"granting {wanted.role} rights on {wanted.database}.{wanted.schema}"
        with session(inputs["connection"], doing, wanted.database) as opened, opened.transaction():
            if catalogue(opened, wanted) is None:
                raise ResourceError(f"there is no role {wanted.role} or no schema {wanted.schema} in {wanted.database}")
            apply(opened, wanted)
            outputs = _outputs(opened, wanted)
        return CreateResult(f"{wanted.database}/{wanted.schema}/{wanted.role}", outputs or {})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        connection, wanted = recorded.inputs["connection"], Declaration.of(recorded.inputs)
        if not is_reachable(connection):  # the cluster says so; rights are as they were
            return ReadResult(recorded.id, recorded.outputs)
        doing = f"reading the rights of {wanted.role} on {wanted.database}.{wanted.schema}"
        with session(connection, doing) as opened:
            if not database_exists(opened, wanted.database):
                return ReadResult("", {})
        with session(connection, doing, wanted.database) as opened:
            outputs = _outputs(opened, wanted)
        return ReadResult("", {}) if outputs is None else ReadResult(recorded.id, outputs)

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return [] if recorded.outputs.get("agrees") else ["granted"]

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        connection, gone = recorded.inputs["connection"], Declaration.of(recorded.inputs)
        if not is_reachable(connection):
            return
        doing = f"revoking the rights of {gone.role} on {gone.database}.{gone.schema}"
        with session(connection, doing) as opened:
            if not database_exists(opened, gone.database):
                return
        with session(connection, doing, gone.database) as opened, opened.transaction():
            if catalogue(opened, gone) is not None:
                withdraw(opened, gone)


def _outputs(opened: Session, wanted: Declaration) -> dict[str, Any] | None:
    found = catalogue(opened, wanted)
    if found is None:
        return None
    agrees = all(held == wanted.wanted(table) for table, held in found.items()) and covers_future(opened, wanted)
    granted = {table: sorted(held) for table, held in sorted(found.items()) if held}
    return {"declared": wanted.matrix(), "granted": granted, "agrees": agrees}
