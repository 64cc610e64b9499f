"""A development environment cannot hurt production: each way there is tried."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dataops.envs.sweep import processes_of
from dataops.infra.process.dotenv import read_variables
from support.scratch_platform import FILES, ScratchPlatform

pytestmark = pytest.mark.slow

NAME = "feature-guard"
RESOLVED = """\
import pulumi
from dataops.infra.components.workspace import EnvironmentFile
from dataops.stacks import deploy

platform = deploy()
upstream = platform.warehouse.port if hasattr(platform.warehouse, "port") else platform.warehouse.cluster.port
feed = upstream.apply(lambda _: "host=localhost user=x password=hunter2 port=%s")
EnvironmentFile("feed", path=platform.args.parameters.layout.root / "feed.env", variables={"FEED": feed})
"""


@pytest.fixture(scope="module")
def guarded(shop: ScratchPlatform) -> Iterator[ScratchPlatform]:
    shop.branch("feature/guard")
    shop.do("env", "up", "--branch", "feature/guard")
    yield shop
    shop.do("env", "down", NAME, "--yes", "--force")


def root_of(shop: ScratchPlatform, name: str) -> Path:
    return next(root for root in shop.roots() if root.name == name)


def variables(shop: ScratchPlatform, name: str) -> dict[str, str]:
    return read_variables(root_of(shop, name) / "environment.env")


def developer(shop: ScratchPlatform) -> dict[str, str]:
    found: dict[str, str] = shop.do("env", "connect", NAME, "--show-password", "-o", "json").json
    return found


def test_a_value_that_is_resolved_only_while_deploying_is_refused(guarded: ScratchPlatform) -> None:
    port = variables(guarded, "production")["PGPORT"]
    guarded.branch("feature/resolved", {"stacks/__main__.py": RESOLVED.replace("%s", port)})
    refused = guarded.run("env", "up", "--branch", "feature/resolved")
    assert refused.status == 5 and "FEED" in refused.stderr and f"127.0.0.1:{port}" in refused.stderr, refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout
    assert not (root_of(guarded, "feature-resolved") / "feed.env").exists()
    guarded.do("env", "down", "feature-resolved", "--yes")


def test_what_the_branch_declares_is_refused_before_anything_is_made(guarded: ScratchPlatform) -> None:
    lake = root_of(guarded, "production") / "lake"
    pointed = FILES["dataops.yaml"].replace("{GREETING: hi}", "{" + f"FEED: '{lake.as_uri()}'" + "}")
    guarded.branch("feature/declared", {"dataops.yaml": pointed})
    refused = guarded.run("env", "up", "--branch", "feature/declared")
    line = next(n for n, text in enumerate(pointed.splitlines(), 1) if "FEED" in text)
    assert refused.status == 5 and f"dataops.yaml:{line}" in refused.stderr and "FEED" in refused.stderr
    assert "feature-declared" not in [root.name for root in guarded.roots()]


def test_no_credential_of_production_reaches_a_replica(guarded: ScratchPlatform) -> None:
    secrets = {
        variables(guarded, "production")["PGPASSWORD"],
        (guarded.folder / ".dataops" / "passphrase").read_text().strip(),
        next(guarded.home.glob("platforms/*/keys/masking.key")).read_text().strip(),
    }
    assert all(len(secret) > 20 for secret in secrets)
    root = root_of(guarded, NAME)
    held = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    told = [Path(f"/proc/{pid}/{what}") for pid in processes_of(root) for what in ("environ", "cmdline")]
    assert len(held) > 100 and len(told) > 4
    for path in (*held, *told):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # a file or process of the running server that is gone by now
            continue
        assert not [secret for secret in secrets if secret.encode() in content], path


def test_the_developers_shell_does_not_lead_a_command_astray(guarded: ScratchPlatform) -> None:
    port = variables(guarded, "production")["PGPORT"]
    shell = {
        "AWS_ACCESS_KEY_ID": "AKIAPRODUCTION",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_PROFILE": "production",
        "PGSERVICE": "production",
        "PGPORT": port,
        "PGPASSWORD": "hunter2",
        "DATABASE_URL": f"postgresql://u:hunter2@localhost:{port}/shop",
        "PULUMI_CONFIG_PASSPHRASE": "hunter2",
    }
    shown = guarded.do("env", "exec", NAME, "--", sys.executable, "-c", "import os; print(dict(os.environ))", **shell)
    seen = eval(shown.stdout)  # what the line above has printed
    assert "hunter2" not in shown.stdout and "AKIAPRODUCTION" not in shown.stdout
    assert not {"AWS_PROFILE", "PGSERVICE", "DATABASE_URL"} & seen.keys()
    assert seen["PGPORT"] == variables(guarded, NAME)["PGPORT"] != port
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull and seen["DATAOPS_ENVIRONMENT"] == NAME
    for pid in processes_of(root_of(guarded, NAME)):
        assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_files_with_credentials_are_closed_to_other_users(guarded: ScratchPlatform) -> None:
    for name in ("production", NAME):
        root = root_of(guarded, name)
        assert (root / "environment.env").stat().st_mode & 0o777 == 0o600
        for folder in ("supervisor", "postgres"):
            assert (root / folder).stat().st_mode & 0o077 == 0
        assert not [p for p in (root / "supervisor" / "programs").glob("*.json") if p.stat().st_mode & 0o077]
    keys = next(guarded.home.glob("platforms/*/keys"))
    assert keys.stat().st_mode & 0o077 == 0
    assert (guarded.folder / ".dataops" / "passphrase").stat().st_mode & 0o777 == 0o600


if os.geteuid() == 0:

    def test_another_user_reads_nothing_of_production(guarded: ScratchPlatform) -> None:
        root = root_of(guarded, "production")
        for path in (
            root / "environment.env",
            root / "postgres" / "PG_VERSION",
            root / "supervisor" / "supervisord.conf",
        ):
            read = subprocess.run(["cat", str(path)], user="nobody", capture_output=True, check=False)
            assert read.returncode != 0 and read.stdout == b""


def test_the_developers_role_owns_the_replica_and_nothing_else(guarded: ScratchPlatform) -> None:
    own = developer(guarded)
    production = variables(guarded, "production")
    with psycopg.connect(own["url"], autocommit=True) as connection:
        connection.execute("CREATE TABLE raw.mine (a int)")
        for refused in (
            "SET ROLE postgres",
            "ALTER ROLE developer SUPERUSER",
            "CREATE ROLE other SUPERUSER",
            "GRANT pg_read_server_files TO developer",
            "SELECT pg_read_file('/etc/hostname')",
            f"COPY raw.mine FROM '{root_of(guarded, 'production')}/environment.env'",
            "COPY raw.mine TO PROGRAM 'cat'",
            "ALTER SYSTEM SET archive_command = 'true'",
            f"CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port={production['PGPORT']}' PUBLICATION p",
            "CREATE EXTENSION file_fdw",
            "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'getpid'",
        ):
            with pytest.raises(psycopg.errors.Error) as raised:
                connection.execute(refused.encode())
            assert isinstance(raised.value, (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFile)), (
                refused
            )
    for user in ("developer", "pipeline", "postgres", "warehouse_owner"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1", port=int(production["PGPORT"]), user=user, password=own["password"], dbname="shop"
            )


def test_down_removes_links_and_never_what_they_lead_to(guarded: ScratchPlatform, tmp_path: Path) -> None:
    guarded.branch("feature/links")
    guarded.do("env", "up", "--branch", "feature/links")
    root = root_of(guarded, "feature-links")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "kept").write_text("kept")
    for place in ("lake", "logs"):
        (root / place).rename(root / f"{place}-before")
        (root / place).symlink_to(tmp_path / "precious")
    (root / "venv" / "out").symlink_to(tmp_path / "precious")
    guarded.do("env", "down", "feature-links", "--yes")
    assert not root.exists() and (tmp_path / "precious" / "kept").read_text() == "kept"


def test_every_process_carries_the_mark_of_its_environment(guarded: ScratchPlatform) -> None:
    root = root_of(guarded, NAME)
    supervised = [int(path.read_text()) for path in root.glob("supervisor/programs/*.pid")]
    keeper = int((root / "supervisor" / "supervisord.pid").read_text())
    for pid in (keeper, *(pid for pid in supervised if "postgres" not in Path(f"/proc/{pid}/comm").read_text())):
        marks = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert f"DATAOPS_ROOT={root}".encode() in marks and f"DATAOPS_ENVIRONMENT={NAME}".encode() in marks
    assert f"identifier={NAME}" in (root / "supervisor" / "supervisord.conf").read_text()
    with psycopg.connect(developer(guarded)["url"]) as connection:
        assert connection.execute("SHOW cluster_name").fetchone() == (NAME,)
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        (comment,) = connection.execute(query).fetchone() or ("",)
        assert comment.startswith("dataops snapshot ")
