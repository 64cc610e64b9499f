from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.process import postgres_server, postgres_status
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.processes import is_alive, wait_gone
from dataops.infra.process.sockets import fallback_directory
from dataops.infra.process.supervisor import Supervisor
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.providers.local.awakening import Moved, start_warehouse
from dataops.infra.providers.local.postgres_cluster import MARKER
from support.resources import Managed
from support.small_disk import small_disk, small_disks

pytestmark = pytest.mark.slow

FAST = {"fsync": "off"}


@pytest.fixture
def cluster(provider: HandlerProvider, environment: Path, supervisor: Managed, golden: Path) -> Managed:
    inputs = {
        "dataDirectory": str(environment / "postgres"),
        "supervisor": supervisor.id,
        "source": str(golden),
        "settings": FAST,
        "logFile": str(environment / "logs" / "postgres.log"),
    }
    return Managed(provider, "dataops:local:PostgresCluster", inputs)


def rows(cluster: Managed) -> int:
    with connect(cluster.outputs["connection"]) as opened:
        row = opened.execute("SELECT count(*) FROM seats").fetchone()
        assert row is not None
        return int(row[0])


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def pid_of(cluster: Managed) -> int:
    status = postgres_status.status(Path(cluster.id))
    assert status is not None
    return status.pid


def test_a_clone_holds_the_data_of_its_source(cluster: Managed, golden: Path) -> None:
    cluster.create()
    assert rows(cluster) == 3
    assert cluster.outputs["systemIdentifier"] == postgres_server.system_identifier(golden)
    assert cluster.outputs["serverVersion"].startswith("18.")
    assert cluster.refresh()
    assert cluster.changed() == ()


def test_what_a_clone_writes_is_not_in_its_source(cluster: Managed, golden: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in golden.rglob("*") if p.is_file()}
    cluster.create()
    with connect(cluster.outputs["connection"]) as opened:
        opened.execute("DELETE FROM seats")
    assert {p: p.stat().st_mtime_ns for p in golden.rglob("*") if p.is_file()} == before


def test_a_cluster_without_a_source_is_empty(cluster: Managed) -> None:
    cluster.inputs["source"] = ""
    cluster.create()
    with connect(cluster.outputs["connection"]) as opened:
        columns = "datlocprovider, datlocale, pg_encoding_to_char(encoding)"
        query = f"SELECT {columns} FROM pg_database WHERE datname = 'postgres'"
        assert opened.execute(query).fetchone() == ("b", "C.UTF-8", "UTF8")


def test_nothing_is_reachable_from_other_hosts_and_the_superuser_not_over_tcp(cluster: Managed) -> None:
    cluster.create()
    with connect(cluster.outputs["connection"]) as opened:
        assert opened.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    with pytest.raises(ResourceError, match="pg_hba.conf rejects"):
        connect({"host": "127.0.0.1", "port": cluster.outputs["port"], "user": "postgres", "password": "x"})


def test_a_killed_server_comes_back_with_its_data(cluster: Managed) -> None:
    cluster.create()
    pid = pid_of(cluster)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: bool((s := postgres_status.status(Path(cluster.id))) and s.ready and s.pid != pid))
    assert rows(cluster) == 3


def test_a_stopped_server_is_drift_and_is_started_again(cluster: Managed, supervisor: Managed) -> None:
    cluster.create()
    port = cluster.outputs["port"]
    Supervisor(Path(supervisor.id)).halt("postgres")
    assert cluster.refresh()
    assert cluster.outputs["running"] is False
    assert cluster.changed() == ("running",)
    cluster.update()
    assert (rows(cluster), cluster.outputs["port"], cluster.outputs["running"]) == (3, port, True)


def test_a_server_whose_port_was_taken_while_it_stood_still_takes_another(
    cluster: Managed, supervisor: Managed
) -> None:
    cluster.create()
    port = cluster.outputs["port"]
    Supervisor(Path(supervisor.id)).halt("postgres")
    with socket.create_server(("127.0.0.1", port)):
        cluster.update()
        assert cluster.outputs["port"] != port
        assert rows(cluster) == 3


def test_killing_the_supervisor_stops_the_server_and_an_update_brings_both_back(
    cluster: Managed, supervisor: Managed
) -> None:
    cluster.create()
    pid, keeper = pid_of(cluster), Supervisor(Path(supervisor.id)).pid()
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    assert wait_gone(pid, 30)
    assert supervisor.refresh()
    assert supervisor.changed() == ("running",)
    assert cluster.refresh()
    assert cluster.changed() == ("running",)
    supervisor.update()
    cluster.update()
    assert rows(cluster) == 3


def test_a_server_changes_its_settings_by_a_restart(cluster: Managed) -> None:
    cluster.create()
    assert cluster.changed(settings={**FAST, "work_mem": "1MB"}) == ("settings",)
    cluster.update(settings={**FAST, "work_mem": "1MB"})
    with connect(cluster.outputs["connection"]) as opened:
        assert opened.execute("SHOW work_mem").fetchone() == ("1MB",)


def test_a_setting_that_postgres_refuses_is_told_with_its_log(cluster: Managed) -> None:
    cluster.inputs["settings"] = {"no_such_setting": "1"}
    with pytest.raises(ResourceError) as raised:
        cluster.create()
    assert "no_such_setting" in (raised.value.details or "")
    cluster.inputs["settings"] = FAST
    cluster.create()
    assert rows(cluster) == 3


def test_a_half_made_clone_is_made_anew(cluster: Managed, environment: Path, golden: Path) -> None:
    data = environment / "postgres"
    (environment / ".postgres.partial").touch()
    data.mkdir()
    shutil.copy(golden / "PG_VERSION", data)
    (data / "base").write_text("a file where a directory belongs")
    cluster.create()
    assert rows(cluster) == 3
    assert not (data / "base").is_file()


def test_a_create_after_a_crash_adopts_the_running_server(cluster: Managed) -> None:
    cluster.create()
    pid, outputs = pid_of(cluster), cluster.outputs
    cluster.create()
    assert (pid_of(cluster), cluster.outputs) == (pid, outputs)


def test_a_directory_of_somebody_else_is_refused_and_left_alone(cluster: Managed, environment: Path) -> None:
    precious = environment / "postgres" / "precious"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(ResourceError, match="was not made by dataops"):
        cluster.create()
    assert precious.read_text() == "mine"


def test_a_deleted_cluster_leaves_no_process_file_or_port(cluster: Managed, environment: Path) -> None:
    cluster.create()
    pid, port = pid_of(cluster), cluster.outputs["port"]
    cluster.delete()
    cluster.delete()
    assert not is_alive(pid)
    assert sorted(p.name for p in environment.iterdir()) == ["logs", "supervisor"]
    socket.create_server(("127.0.0.1", port)).close()
    assert not cluster.refresh()


def test_deleting_the_supervisor_stops_the_server(cluster: Managed, supervisor: Managed) -> None:
    cluster.create()
    pid = pid_of(cluster)
    supervisor.delete()
    assert not is_alive(pid)
    assert not Path(supervisor.id).exists()
    cluster.delete()


def test_a_lock_file_that_a_reboot_left_behind_does_not_keep_the_server_down(
    cluster: Managed, supervisor: Managed
) -> None:
    cluster.create()
    Supervisor(Path(supervisor.id)).halt("postgres")
    lock = Path(cluster.id) / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{cluster.id}\n")
    os.chown(lock, Path(cluster.id).stat().st_uid, Path(cluster.id).stat().st_gid)
    cluster.update()
    assert rows(cluster) == 3


def test_settings_that_dataops_chooses_are_refused(cluster: Managed) -> None:
    check = cluster.provider.check(cluster.urn, None, {**cluster.inputs, "settings": {"port": 1}})
    assert [failure.property for failure in check.failures] == ["settings"]


def test_a_long_path_gets_its_socket_elsewhere_and_takes_it_away(
    provider: HandlerProvider, environment: Path, supervisor: Managed, golden: Path
) -> None:
    data = environment / ("long" * 25) / "postgres"
    inputs = {"dataDirectory": str(data), "supervisor": supervisor.id, "source": str(golden), "settings": FAST}
    cluster = Managed(provider, "dataops:local:PostgresCluster", inputs).create()
    elsewhere = Path(cluster.outputs["connection"]["host"])
    assert not elsewhere.is_relative_to(environment)
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    assert rows(cluster) == 3
    cluster.delete()
    assert not elsewhere.exists()


def grab_port(noted: Path, taken: list[socket.socket]) -> None:
    """Takes a port as soon as it is written down, before who has chosen it can listen."""
    deadline = time.monotonic() + 30
    while not taken and time.monotonic() < deadline:
        try:
            taken.append(socket.create_server(("127.0.0.1", int(noted.read_text()))))
        except (OSError, ValueError):
            time.sleep(0.0005)


def test_a_port_that_is_taken_between_choice_and_use_is_replaced(cluster: Managed, environment: Path) -> None:
    taken: list[socket.socket] = []
    thief = threading.Thread(target=grab_port, args=(environment / "postgres" / "dataops.port", taken))
    thief.start()
    cluster.create()
    thief.join()
    (stolen,) = taken
    with stolen:
        assert cluster.outputs["port"] != stolen.getsockname()[1]
        assert rows(cluster) == 3


def test_a_server_that_was_moved_while_it_slept_is_read_where_it_is(cluster: Managed, supervisor: Managed) -> None:
    cluster.create()
    keeper, data = Supervisor(Path(supervisor.id)), Path(cluster.id)
    port = cluster.outputs["port"]
    keeper.stop()
    layout = EnvironmentLayout(data.parent)
    moved = Moved()
    with socket.create_server(("127.0.0.1", port)):
        start_warehouse(layout, "feature-x", moved)
        assert moved.ports.keys() == {port}
        assert cluster.refresh()
        assert cluster.outputs["port"] == moved.ports[port] and cluster.changed() == ()
        assert rows(cluster) == 3


def test_after_a_restart_with_a_foreign_lock_file_and_no_socket_folder_the_server_comes_back(
    cluster: Managed, supervisor: Managed
) -> None:
    cluster.create()
    keeper, data = Supervisor(Path(supervisor.id)), Path(cluster.id)
    pids = [pid_of(cluster), keeper.pid() or 0]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert all(wait_gone(pid, 30) for pid in pids)
    lock = data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{cluster.id}\n")
    os.chown(lock, data.stat().st_uid, data.stat().st_gid)
    for folder in (data, keeper.directory):
        shutil.rmtree(fallback_directory(folder), ignore_errors=True)
    start_warehouse(EnvironmentLayout(data.parent), "feature-x", Moved())
    assert rows(cluster) == 3


if small_disks():

    def test_a_clone_for_which_there_is_no_room_is_refused_and_made_later(
        provider: HandlerProvider, environment: Path, supervisor: Managed, golden: Path
    ) -> None:
        (environment / "disk").mkdir()
        data = environment / "disk" / "postgres"
        inputs = {"dataDirectory": str(data), "supervisor": supervisor.id, "source": str(golden), "settings": FAST}
        cluster = Managed(provider, "dataops:local:PostgresCluster", inputs)
        with small_disk(environment / "disk", 300) as ballast:
            ballast.fill(15)
            with pytest.raises(ResourceError, match="no room left to copy") as raised:
                cluster.create()
            assert raised.value.hint == "free some disk space"
            ballast.clear()
            cluster.create()
            assert rows(cluster) == 3
            cluster.delete()


def test_another_generation_lays_the_data_anew_with_the_port_it_has(cluster: Managed) -> None:
    cluster.inputs["generation"] = "snap/0"
    cluster.create()
    port = cluster.outputs["port"]
    with connect(cluster.outputs["connection"]) as opened:
        opened.execute("DELETE FROM seats")
    assert cluster.update(generation="snap/0").outputs["port"] == port and rows(cluster) == 0
    assert cluster.changed(generation="snap/1") == ("generation",)
    assert cluster.update(generation="snap/1").outputs["port"] == port and rows(cluster) == 3
    assert cluster.refresh() and cluster.changed() == ()


def test_data_that_were_half_laid_anew_are_still_this_cluster_s(cluster: Managed, environment: Path) -> None:
    cluster.inputs["generation"] = "snap/0"
    cluster.create()
    port = cluster.outputs["port"]
    postgres_server.stop(Path(cluster.id))
    (environment / ".postgres.partial").touch()
    (Path(cluster.id) / MARKER).unlink()
    assert cluster.refresh() and cluster.changed() == ("running",)
    assert cluster.update(generation="snap/1").outputs["port"] == port and rows(cluster) == 3
    assert not (environment / ".postgres.partial").exists()
