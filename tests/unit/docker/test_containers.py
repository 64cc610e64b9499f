"""Containers, jobs, networks and volumes on a real engine: made once, changed where they must, others left alone."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from dataops.infra.errors import DeadlineError
from dataops.infra.process.ports import LOOPBACK, free_port
from dataops.infra.providers.base import Recorded
from dataops.infra.providers.docker.container import ContainerHandler
from dataops.infra.providers.docker.faults import (
    ContainerExitedError,
    ImageNotFoundError,
    NeverHealthyError,
    NotOursError,
    OutOfMemoryError,
    PortTakenError,
)
from dataops.infra.providers.docker.job import ExecHandler, JobHandler
from dataops.infra.providers.docker.network import NetworkHandler
from dataops.infra.providers.docker.volume import VolumeHandler
from support.docker_engine import OPERATION, Scene

pytestmark = [pytest.mark.docker, pytest.mark.slow]
SLEEP = ["sh", "-c", "trap exit TERM; while true; do sleep 1; done"]


def recorded(result: Any, inputs: dict[str, Any]) -> Recorded:
    return Recorded(result.id, inputs, result.outputs)


def test_a_container_is_made_once_and_only_what_changed_makes_another(here: Scene, shell: str) -> None:
    handler = ContainerHandler(here.engine)
    inputs = here.inputs("web", image=shell, command=SLEEP, ports=[{"container": 8080}], stopTimeout=1)
    first = handler.create(OPERATION, inputs)
    again = handler.create(OPERATION, {**inputs, "release": "r2"})
    assert again.outputs == first.outputs
    limited = handler.update(OPERATION, recorded(first, inputs), {**inputs, "limits": {"memory": "64MiB", "pids": 20}})
    assert limited.outputs == first.outputs
    host = here.engine.client.inspect_container(here.name("web"))["HostConfig"]
    assert (host["Memory"], host["PidsLimit"]) == (64 << 20, 20)
    changed = handler.update(OPERATION, recorded(first, inputs), {**inputs, "variables": {"A": "b"}})
    assert changed.outputs["containerId"] != first.outputs["containerId"]
    assert changed.outputs["ports"] == first.outputs["ports"]


def test_a_container_is_shut_in(here: Scene, shell: str) -> None:
    handler = ContainerHandler(here.engine)
    mounts = [{"type": "tmpfs", "target": "/scratch", "size": "1MiB"}]
    inputs = here.inputs("web", image=shell, command=SLEEP, user="12345", readOnly=True, mounts=mounts, stopTimeout=1)
    handler.create(OPERATION, inputs)
    run = ExecHandler(here.engine)
    said = run.create(
        OPERATION,
        {
            "container": inputs["name"],
            "command": ["sh", "-c", "tail -n 20 /proc/self/status; id -u; ls /sys/class/net"],
        },
    ).outputs["log"]
    assert "12345" in said and "NoNewPrivs:\t1" in said and "CapBnd:\t0000000000000000" in said and "eth0" not in said
    with pytest.raises(ContainerExitedError, match="exit status"):
        run.create(OPERATION, {"container": inputs["name"], "command": ["touch", "/tmp/x"]})
    run.create(OPERATION, {"container": inputs["name"], "command": ["touch", "/scratch/x"]})
    config = here.engine.client.inspect_container(inputs["name"])["HostConfig"]["LogConfig"]["Config"]
    assert config == {"max-size": str(10 << 20), "max-file": "3"}


def test_what_was_stopped_or_removed_by_hand_is_seen_and_repaired(here: Scene, shell: str) -> None:
    handler = ContainerHandler(here.engine)
    inputs = here.inputs("web", image=shell, command=SLEEP, ports=[{"container": 8080}], stopTimeout=1)
    made = recorded(handler.create(OPERATION, inputs), inputs)
    here.engine.client.kill(made.id)
    seen = handler.read(OPERATION, made)
    stopped = Recorded(made.id, inputs, seen.outputs)
    assert list(handler.drifted(stopped, inputs)) == ["running"]
    assert handler.update(OPERATION, stopped, inputs).outputs == made.outputs
    here.engine.client.remove_container(made.id, force=True)
    assert handler.read(OPERATION, made).id == ""
    handler.create(OPERATION, inputs)
    handler.delete(OPERATION, made)
    handler.delete(OPERATION, made)
    assert here.engine.client.containers(all=True, filters={"name": here.platform}) == []


def test_a_container_that_ends_at_once_is_told_with_the_end_of_its_log(here: Scene, shell: str) -> None:
    inputs = here.inputs("web", image=shell, command=["sh", "-c", "echo cannot find my file; exit 3"])
    with pytest.raises(ContainerExitedError, match="exit status 3") as caught:
        ContainerHandler(here.engine).create(OPERATION, inputs)
    assert "cannot find my file" in (caught.value.details or "")


def test_a_container_that_is_never_healthy_is_told_with_the_end_of_its_log(here: Scene, shell: str) -> None:
    command = ["sh", "-c", "echo still warming up; sleep 60"]
    inputs = here.inputs(
        "web", image=shell, command=command, health={"command": "exit 1"}, readySeconds=1, stopTimeout=1
    )
    with pytest.raises(NeverHealthyError) as caught:
        ContainerHandler(here.engine).create(OPERATION, inputs)
    assert "still warming up" in (caught.value.details or "")


def test_want_of_memory_is_named_as_such(here: Scene, shell: str) -> None:
    command = ["sh", "-c", "head -c 300000000 /dev/zero | tail"]
    inputs = here.inputs("job", image=shell, command=command, limits={"memory": "32MiB"})
    with pytest.raises(OutOfMemoryError, match="32 MiB"):
        JobHandler(here.engine).create(OPERATION, inputs)


def test_an_image_that_is_not_there_is_named(here: Scene) -> None:
    with pytest.raises(ImageNotFoundError, match="nobody/has-this"):
        ContainerHandler(here.engine).create(OPERATION, here.inputs("web", image="nobody/has-this:1"))


def test_a_port_that_is_taken_is_told_when_it_was_asked_for_and_another_chosen_when_not(
    here: Scene, shell: str
) -> None:
    handler = ContainerHandler(here.engine)
    with socket.socket() as other:
        other.bind((LOOPBACK, free_port()))
        other.listen()
        taken = other.getsockname()[1]
        NetworkHandler(here.engine).create(OPERATION, here.inputs("net"))
        common = {"image": shell, "command": SLEEP, "networks": [{"name": here.name("net")}], "stopTimeout": 1}
        inputs = here.inputs("web", **common, ports=[{"container": 80, "host": taken}])
        with pytest.raises(PortTakenError, match=str(taken)):
            handler.create(OPERATION, inputs)
        free = {**inputs, "ports": [{"container": 80}]}
        before = Recorded(inputs["name"], free, {"ports": {"80": taken}})
        assert handler.update(OPERATION, before, free).outputs["ports"]["80"] != taken


def test_a_job_runs_once_and_again_when_something_changes(here: Scene, shell: str) -> None:
    volume = VolumeHandler(here.engine).create(OPERATION, here.inputs("data"))
    mounts = [{"type": "volume", "source": volume.id, "target": "/data"}]
    inputs = here.inputs(
        "job", image=shell, command=["sh", "-c", "echo x >> /data/runs; cat /data/runs"], mounts=mounts
    )
    handler = JobHandler(here.engine)
    assert handler.create(OPERATION, inputs).outputs["log"] == "x"
    assert handler.create(OPERATION, inputs).outputs["log"] == "x", "the run before the crash counts"
    assert handler.create(OPERATION, {**inputs, "triggers": ["again"]}).outputs["log"] == "x\nx"


def test_a_job_that_fails_or_takes_too_long_is_told(here: Scene, shell: str) -> None:
    handler = JobHandler(here.engine)
    with pytest.raises(ContainerExitedError, match="exit status 7") as caught:
        handler.create(OPERATION, here.inputs("job", image=shell, command=["sh", "-c", "echo no rows; exit 7"]))
    assert "no rows" in (caught.value.details or "")
    slow = here.inputs("job", image=shell, command=["sleep", "60"], seconds=0.5, stopTimeout=0)
    with pytest.raises(DeadlineError):
        handler.create(OPERATION, slow)


def test_secrets_of_an_environment_file_reach_the_container(here: Scene, shell: str, tmp_path: Any) -> None:
    file = tmp_path / "variables.env"
    file.write_text("TOKEN='a b'\n")
    inputs = here.inputs("job", image=shell, command=["sh", "-c", "echo $TOKEN"], environmentFile=str(file))
    assert JobHandler(here.engine).create(OPERATION, inputs).outputs["log"] == "a b"


def test_containers_of_one_network_find_each_other_by_alias_and_others_do_not(here: Scene, shell: str) -> None:
    networks, handler = NetworkHandler(here.engine), ContainerHandler(here.engine)
    for name in ("one", "two"):
        networks.create(OPERATION, here.inputs(name))
        assert networks.create(OPERATION, here.inputs(name)).outputs["name"] == here.name(name)
    common = {"image": shell, "command": SLEEP, "stopTimeout": 1}
    handler.create(
        OPERATION, here.inputs("a", **common, networks=[{"name": here.name("one"), "aliases": ["warehouse"]}])
    )
    found = here.engine.client.inspect_container(here.name("a"))["NetworkSettings"]["Networks"]
    assert "warehouse" in found[here.name("one")]["Aliases"]
    assert list(found) == [here.name("one")]
    for name in ("one", "two"):
        networks.delete(OPERATION, Recorded(here.name(name), here.inputs(name), {}))
    assert here.engine.client.networks(names=[here.platform]) == []


def test_things_of_others_with_the_same_name_are_neither_taken_over_nor_removed(here: Scene, shell: str) -> None:
    client, foreign = here.engine.client, {"made": "by somebody"}
    name = here.name("thing")
    try:
        client.create_container(shell, SLEEP, name=name, labels=foreign)
        client.create_network(name, labels=foreign)
        client.create_volume(name, labels=foreign)
        handlers = (ContainerHandler(here.engine), NetworkHandler(here.engine), VolumeHandler(here.engine))
        for handler in handlers:
            inputs = (
                here.inputs("thing", image=shell) if isinstance(handler, ContainerHandler) else here.inputs("thing")
            )
            with pytest.raises(NotOursError, match=name):
                handler.create(OPERATION, inputs)
            with pytest.raises(NotOursError, match=name):
                handler.delete(OPERATION, Recorded(name, inputs, {}))
        assert client.inspect_container(name)["Config"]["Labels"].items() >= foreign.items()
        assert [n["Labels"] for n in client.networks(names=[name])] == [foreign]
        assert client.inspect_volume(name)["Labels"] == foreign
    finally:
        client.remove_container(name, force=True)
        client.remove_network(name)
        client.remove_volume(name)
