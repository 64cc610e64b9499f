"""A Postgres cluster in a volume, as on an engine that sees none of this machine's files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataops.infra.errors import DataopsError
from dataops.infra.process.containers import CARRIED, ContainerPlace, network_name
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.process.engine_volumes import volume_name
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.postgres_container import WAREHOUSE
from dataops.infra.process.supervisor import Supervisor
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.providers.local.postgres_cluster import MARKER, PROGRAM
from support.docker_engine import container_place, docker, open_environment
from support.resources import Managed

pytestmark = [pytest.mark.slow, pytest.mark.docker]


@pytest.fixture
def environment() -> Iterator[Path]:
    with open_environment() as folder:
        yield folder


@pytest.fixture
def place(environment: Path) -> Iterator[ContainerPlace]:
    with container_place(environment, CARRIED) as found:
        yield found
        Supervisor(environment / "supervisor").stop()  # or it would start a container again


@pytest.fixture
def cluster(provider: HandlerProvider, environment: Path, supervisor: Managed, place: ContainerPlace) -> Managed:
    inputs = {
        "dataDirectory": str(environment / "postgres"),
        "supervisor": supervisor.id,
        "settings": {"fsync": "off"},
        "logFile": str(environment / "logs" / "postgres.log"),
        "container": place.to_json(),
        "generation": "snapshot/0",
    }
    return Managed(provider, "dataops:local:PostgresCluster", inputs)


def count(cluster: Managed) -> int:
    with connect(cluster.outputs["connection"]) as opened:
        (found,) = opened.execute("SELECT count(*) FROM seats").fetchone() or (0,)
        return int(found)


def volumes(environment: Path) -> list[str]:
    return [owned.name for owned in DockerEngine().owned(str(environment)) if owned.kind == "volume"]


def test_a_clone_in_a_volume_has_the_data_of_its_source_and_gets_them_back(
    cluster: Managed, golden: Path, environment: Path
) -> None:
    cluster.inputs["source"] = str(golden)
    cluster.create()
    assert (count(cluster), cluster.outputs["cloned"]) == (3, CARRIED)
    connection = cluster.outputs["connection"]
    secret = Path(str(connection["passwordFile"]))
    assert "password" not in connection and secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text() not in json.dumps(cluster.outputs)
    assert cluster.refresh() and cluster.changed() == ()
    with connect(connection) as opened:
        opened.execute("TRUNCATE seats")
    cluster.update(generation="snapshot/1")
    assert (count(cluster), cluster.outputs["port"]) == (3, connection["port"])
    docker("rm", "--force", f"{network_name(environment)}-{WAREHOUSE}")
    Supervisor(environment / "supervisor").halt(PROGRAM)
    docker("volume", "rm", *volumes(environment))
    assert not cluster.refresh(), "what it was made of is gone"
    cluster.create()
    assert count(cluster) == 3
    cluster.delete()
    assert volumes(environment) == [] and not (environment / "postgres").exists()


def test_the_only_data_there_are_stay_where_they_are_and_get_programs_of_another_build(
    cluster: Managed, environment: Path, place: ContainerPlace
) -> None:
    cluster.create()
    with connect(cluster.outputs["connection"]) as opened:
        opened.execute("CREATE TABLE seats AS SELECT generate_series(1, 2) AS n")
    marker = environment / "postgres" / MARKER
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "build": "another"}))
    cluster.update(settings={"work_mem": "7MB"})
    assert count(cluster) == 2 and json.loads(marker.read_text())["build"] != "another"
    Supervisor(environment / "supervisor").halt(PROGRAM)
    docker("volume", "rm", volume_name(place, WAREHOUSE))
    with pytest.raises(DataopsError, match="the data are not on this Docker Engine"):
        cluster.refresh()
