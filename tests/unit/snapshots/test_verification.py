"""The resources: a golden directory by its provider, and the checks that a replica passes or fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import DataopsError, PolicyError, VerificationError
from dataops.infra.process.postgres_connection import connect
from dataops.infra.providers.base import Operation, Recorded
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.resources.values import Secret
from dataops.snapshots.provider import snapshot_handlers
from support.postgres import open_directory
from support.small_production import DATABASE, Restored, running_clone

PROVIDER = HandlerProvider(snapshot_handlers())
GOLDEN = "urn:pulumi:x::shop::dataops:snapshots:Golden::golden"
VERIFICATION = "urn:pulumi:x::shop::dataops:snapshots:Verification::verification"
GRANTS = [
    {"role": "counts_reader", "schema": "raw", "tables": ["b_counts", "not_made_yet"], "privileges": ["select"]},
    {"role": "writer", "schema": "raw", "tables": ["teams"], "privileges": ["insert", "select"]},
]
SET_UP = """
    CREATE ROLE counts_reader; CREATE ROLE writer; CREATE ROLE developer LOGIN IN ROLE warehouse_owner;
    GRANT SELECT ON raw.b_counts TO counts_reader; GRANT SELECT, INSERT ON raw.teams TO writer"""


@pytest.fixture(scope="module")
def replica(restored: Restored) -> Iterator[dict[str, Any]]:
    """The inputs of a verification that passes."""
    with open_directory() as directory, running_clone(restored.golden, directory) as connection:
        with connect(connection, DATABASE) as admin:
            admin.execute(SET_UP)
        shutil.copytree(restored.golden.lake_directory, directory / "lake")
        layout = restored.production.layout
        yield {
            "connection": connection,
            "database": DATABASE,
            "dataDirectory": str(directory / "clone"),
            "lake": str(directory / "lake"),
            "snapshot": restored.manifest.id,
            "manifestHash": restored.manifest.hash,
            "roles": ["warehouse_owner", "counts_reader", "writer", "developer"],
            "grants": GRANTS,
            "variables": Secret({"WAREHOUSE_URL": "postgresql://p:hunter2@127.0.0.1:20001/shop", "MODE": "test"}),
            "productionHosts": ["db.prod.example.com", "127.0.0.1:20002", "localhost:20002"],
            "forbiddenRoles": ["ada"],
            "store": str(layout.snapshots),
            "keys": str(layout.keys),
        }


def verify(inputs: dict[str, Any], **other: Any) -> dict[str, Any]:
    checked = PROVIDER.check(VERIFICATION, None, {**inputs, **other})
    assert checked.failures == ()
    return dict(PROVIDER.create(VERIFICATION, checked.inputs, 0, False).outputs)


@contextmanager
def altered(inputs: dict[str, Any], change: str, back: str) -> Iterator[None]:
    with connect(inputs["connection"], DATABASE) as admin:
        admin.execute(change.encode())
        try:
            yield
        finally:
            admin.execute(back.encode())


def test_a_replica_as_it_should_be_passes_every_check(replica: dict[str, Any]) -> None:
    outputs = verify(replica)
    assert [check["name"] for check in outputs["checks"]] == [
        "manifest",
        "clone",
        "lake",
        "roles",
        "grants",
        "links",
        "variables",
        "production hosts in rows",
    ]
    assert all(check["ok"] is True for check in outputs["checks"])
    assert outputs.keys() == {"checks", "verifiedAt"}
    assert "hunter2" not in str(outputs)


@pytest.mark.parametrize(
    ("change", "back", "what"),
    [
        ("CREATE ROLE ada LOGIN", "DROP ROLE ada", "has a role of production: ada"),
        ("CREATE ROLE root SUPERUSER", "DROP ROLE root", "has a superuser: root"),
        ("ALTER ROLE writer RENAME TO w", "ALTER ROLE w RENAME TO writer", "lacks the role writer"),
        (
            "GRANT SELECT ON raw.passengers TO writer",
            "REVOKE SELECT ON raw.passengers FROM writer",
            "granted but not declared: select on raw.passengers to writer",
        ),
        (
            "GRANT SELECT (name) ON raw.passengers TO writer",
            "REVOKE SELECT (name) ON raw.passengers FROM writer",
            "granted but not declared: select on raw.passengers to writer",
        ),
        (
            "GRANT SELECT ON raw.teams TO PUBLIC",
            "REVOKE SELECT ON raw.teams FROM PUBLIC",
            "granted but not declared: select on raw.teams to public",
        ),
        (
            "REVOKE INSERT ON raw.teams FROM writer",
            "GRANT INSERT ON raw.teams TO writer",
            "declared but not granted: insert on raw.teams to writer",
        ),
        (
            "ALTER ROLE writer CREATEROLE",
            "ALTER ROLE writer NOCREATEROLE",
            "reaches beyond its data: writer may make roles",
        ),
        (
            "GRANT pg_read_server_files TO writer",
            "REVOKE pg_read_server_files FROM writer",
            "writer may pg_read_server_files",
        ),
        (
            "GRANT pg_execute_server_program TO warehouse_owner",
            "REVOKE pg_execute_server_program FROM warehouse_owner",
            "developer may pg_execute_server_program",
        ),
        ("CREATE TABLE raw.mine ()", "DROP TABLE raw.mine", "not owned by warehouse_owner: raw.mine"),
        ("COMMENT ON DATABASE shop IS 'x'", "SELECT 1", "was not restored from the snapshot"),
    ],
)
def test_a_replica_that_is_not_as_declared_fails(
    replica: dict[str, Any], restored: Restored, change: str, back: str, what: str
) -> None:
    with altered(replica, change, back), pytest.raises(VerificationError) as caught:
        verify(replica)
    assert what in str(caught.value)
    from dataops.snapshots.restore import mark_of

    with altered(replica, f"COMMENT ON DATABASE shop IS '{mark_of(restored.manifest)}'", "SELECT 1"):
        verify(replica)


def test_rights_that_are_declared_no_longer_may_stay_until_the_end_of_the_update_and_no_others(
    replica: dict[str, Any],
) -> None:
    fewer = [{**GRANTS[1], "privileges": ["select"]}, GRANTS[0]]
    before = PROVIDER.check(VERIFICATION, None, replica).inputs
    after = PROVIDER.check(VERIFICATION, None, {**replica, "grants": fewer}).inputs
    updated = PROVIDER.update(VERIFICATION, "id", before, {}, after, 0, [], False)
    assert updated.outputs["checks"]
    with pytest.raises(VerificationError, match="granted but not declared: insert on raw.teams to writer"):
        PROVIDER.update(VERIFICATION, "id", after, {}, after, 0, [], False)
    strange = altered(replica, "GRANT DELETE ON raw.teams TO writer", "REVOKE DELETE ON raw.teams FROM writer")
    with strange, pytest.raises(VerificationError, match="granted but not declared: delete on raw.teams to writer"):
        PROVIDER.update(VERIFICATION, "id", before, {}, after, 0, [], False)


def test_a_replica_that_could_reach_other_systems_fails(replica: dict[str, Any]) -> None:
    links = [
        (
            "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false, slot_name = NONE)",
            "DROP SUBSCRIPTION s",
            "the subscription s",
        ),
        (
            "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;"
            "CREATE USER MAPPING FOR postgres SERVER far",
            "DROP EXTENSION postgres_fdw CASCADE",
            "the foreign server far",
        ),
        (
            "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int, command text); INSERT INTO cron.job VALUES (7, 'x');"
            "ALTER TABLE cron.job OWNER TO warehouse_owner",
            "DROP SCHEMA cron CASCADE",
            "the scheduled cron job 7",
        ),
        (
            "CREATE EXTENSION dblink; CREATE FUNCTION raw.tell() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM public.dblink_exec('host=x', 'y'); END $$;"
            "CREATE EVENT TRIGGER telling ON ddl_command_end EXECUTE FUNCTION raw.tell()",
            "DROP EVENT TRIGGER telling; DROP FUNCTION raw.tell; DROP EXTENSION dblink",
            "the event trigger telling, which calls out",
        ),
        (
            "CREATE FUNCTION raw.tell() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN COPY raw.teams TO PROGRAM 'curl x'; RETURN NEW; END $$;"
            "CREATE TRIGGER telling AFTER INSERT ON raw.teams EXECUTE FUNCTION raw.tell()",
            "DROP FUNCTION raw.tell CASCADE",
            "the trigger telling on raw.teams, which calls out",
        ),
    ]
    for change, back, what in links:
        with altered(replica, change, back), pytest.raises(PolicyError, match=what):
            verify(replica)


def test_a_variable_that_points_at_production_is_named_without_its_value(replica: dict[str, Any]) -> None:
    host, port = "db.prod.example.com", "127.0.0.1:20002"
    for value, address in (
        ("postgresql://u:hunter2@DB.prod.example.com/x", host),
        ("http://127.0.0.1:20002/", port),
        ("host=::1 port=20002", port),
        ("x.db.prod.example.com", host),
    ):
        with pytest.raises(PolicyError) as caught:
            verify(replica, variables=Secret({"A": "fine", "UPSTREAM": value}))
        assert caught.value.what == f"the variable UPSTREAM points at production ({address})"
        assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value.details}"
    verify(replica, variables=Secret({"OTHER_PORT": "127.0.0.1:200021", "OTHER_HOST": "xdb.prod.example.com"}))


def test_a_snapshot_that_was_not_searched_for_a_production_host_is_refused(replica: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match=r"not searched for the production host other\.example\.com"):
        verify(replica, productionHosts=["db.prod.example.com", "other.example.com"])


def test_a_snapshot_whose_rows_name_production_is_refused(replica: dict[str, Any], restored: Restored) -> None:
    from dataclasses import replace

    from dataops.snapshots.manifest import ProductionReference
    from dataops.snapshots.verification import Replica, _check_rows

    found = (ProductionReference("raw.links", "db.prod.example.com", 3),)
    manifest = replace(restored.manifest, production_references=found)
    one = Replica({}, DATABASE, Path(), Path(), (), (), (), {}, ("db.prod.example.com",))
    with pytest.raises(PolicyError, match=r"names the production host db\.prod\.example\.com in raw\.links"):
        _check_rows(one, manifest)


@pytest.mark.parametrize(
    "other",
    [
        {"manifestHash": "0" * 64},
        {"snapshot": "20200101T000000Z-000000000000"},
        {"lake": "/nowhere"},
        {"database": "postgres"},
    ],
)
def test_another_snapshot_lake_or_database_fails(replica: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(DataopsError):
        verify(replica, **other)


def test_the_server_of_another_data_directory_fails(replica: dict[str, Any], restored: Restored) -> None:
    cluster = restored.production.layout.home / "cluster"
    with pytest.raises(VerificationError, match="the server that answers is not that of"):
        verify(replica, dataDirectory=str(cluster))


def test_the_golden_resource_builds_reads_and_leaves_the_directory(restored: Restored) -> None:
    layout = restored.production.layout
    inputs = {
        "snapshot": restored.manifest.id,
        "store": str(layout.snapshots),
        "directory": str(layout.golden),
        "keys": str(layout.keys),
    }
    assert PROVIDER.check(GOLDEN, None, inputs).failures == ()
    made = PROVIDER.create(GOLDEN, inputs, 0, False)
    assert made.outputs == {
        "dataDirectory": str(restored.golden.data_directory),
        "lakeDirectory": str(restored.golden.lake_directory),
        "manifestHash": restored.manifest.hash,
        "serverVersion": "18.6",
        "tables": 8,
    }
    assert PROVIDER.read(GOLDEN, made.id, inputs, made.outputs).id == made.id
    PROVIDER.delete(GOLDEN, made.id, inputs, made.outputs, 0)
    assert restored.golden.data_directory.is_dir()
    gone = {**made.outputs, "dataDirectory": "/nowhere/postgres"}
    assert PROVIDER.read(GOLDEN, made.id, inputs, gone).id == ""


def test_removing_a_verification_needs_nothing(replica: dict[str, Any]) -> None:
    handler = snapshot_handlers()[1]
    handler.delete(Operation(VERIFICATION), Recorded("x", {}, {}))
