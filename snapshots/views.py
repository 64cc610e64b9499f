"""Materialised views, which a snapshot carries as definitions: filled after the rows that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataops.infra.errors import ResourceError
from dataops.snapshots.manifest import Manifest

if TYPE_CHECKING:
    import psycopg

    from dataops.snapshots.catalogue import Connection


def fill_views(connection: Connection, manifest: Manifest) -> None:
    """Fills the materialised views of a snapshot; one that reads another waits for it.

    Raises:
        ResourceError: one fails on the rows that the snapshot has, or reads one that is never filled; names it.
    """
    from psycopg import errors, sql

    waiting = list(manifest.materialized_views)
    while waiting:
        later: dict[str, psycopg.Error] = {}
        for label in waiting:
            name = sql.Identifier(*label.split(".", 1))
            try:
                with connection.transaction():
                    connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(name))
            except errors.ObjectNotInPrerequisiteState as error:
                later[label] = error
            except errors.OperationalError:
                raise  # says nothing of the view
            except errors.Error as error:
                raise _failed(label, manifest, error) from None
        if [*later] == waiting:
            hint = "fill the one that it reads where the snapshot is captured, then capture again"
            raise _failed(waiting[0], manifest, later[waiting[0]], hint) from None
        waiting = [*later]


def _failed(label: str, manifest: Manifest, error: psycopg.Error, hint: str = "") -> ResourceError:
    part = manifest.subset is not None or not any(entry.rows for entry in manifest.tables.values())
    rows = "few rows" if part else "masked values"
    more = ", or take more rows" if part else ", or choose rules that keep what it relies on"
    said = error.diag.message_primary or type(error).__name__
    return ResourceError(
        f"the materialised view {label} of the snapshot {manifest.id} cannot be filled: {said} ({error.sqlstate})",
        hint=hint or f"define it so that it holds on {rows}, such as with NULLIF(count, 0){more}; then capture again",
    )
