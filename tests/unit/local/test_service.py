from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from dataops.infra.errors import PolicyError, ResourceError
from dataops.infra.platform.addresses import remember_addresses
from dataops.infra.process.processes import is_alive
from dataops.infra.process.supervisor import Supervisor
from dataops.infra.providers.handlers import HandlerProvider
from support.resources import Managed

SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/healthz", "/secret") else 404)
        self.end_headers()
        self.wfile.write(os.environ["TOKEN"].encode())
    def log_message(self, *args): pass
print("about to serve", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def service(provider: HandlerProvider, environment: Path, supervisor: Managed) -> Managed:
    (environment / "server.py").write_text(SERVER)
    (environment / "environment.env").write_text("TOKEN='se cret'\n")
    inputs = {
        "supervisor": supervisor.id,
        "name": "delays-api",
        "command": [sys.executable, "server.py"],
        "directory": str(environment),
        "environmentFile": str(environment / "environment.env"),
        "variables": {"MODE": "test"},
        "portVariable": "PORT",
        "health": "/healthz",
        "logFile": str(environment / "logs" / "api.log"),
    }
    return Managed(provider, "dataops:local:Service", inputs)


def get(service: Managed, path: str = "/secret") -> str:
    with urllib.request.urlopen(service.outputs["url"] + path) as response:
        return str(response.read().decode())


def pid_of(service: Managed) -> int:
    state = Supervisor(Path(service.inputs["supervisor"])).state(service.id)
    assert state is not None
    return state.pid


def test_a_service_answers_as_soon_as_it_is_made(service: Managed) -> None:
    service.create()
    assert get(service) == "se cret"
    assert service.refresh()
    assert service.changed() == ()


def test_what_a_service_knows_is_in_no_argument(service: Managed) -> None:
    service.create()
    shown = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in shown if "se cret" in line]


def test_a_killed_service_comes_back(service: Managed) -> None:
    service.create()
    pid = pid_of(service)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while pid_of(service) in (pid, 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert pid_of(service) not in (pid, 0)


def test_a_stopped_service_is_drift_and_is_started_again_on_its_port(service: Managed, supervisor: Managed) -> None:
    service.create()
    port = service.outputs["port"]
    Supervisor(Path(supervisor.id)).halt(service.id)
    assert service.refresh()
    assert service.changed() == ("running",)
    service.update()
    assert (get(service), service.outputs["port"]) == ("se cret", port)


def test_a_service_that_is_made_anew_keeps_its_port_unless_somebody_took_it(service: Managed) -> None:
    service.create()
    port = service.outputs["port"]
    service.delete()
    service.create()
    assert (get(service), service.outputs["port"]) == ("se cret", port)
    service.delete()
    with socket.create_server(("127.0.0.1", port)):
        service.create()
    assert get(service) == "se cret" and service.outputs["port"] != port


def test_a_service_is_restarted_when_its_variables_have_changed(service: Managed, environment: Path) -> None:
    service.create()
    (environment / "environment.env").write_text("TOKEN=changed\n")
    service.update(environmentDigest="new")
    assert get(service) == "changed"


def test_a_service_that_ends_at_once_is_told_with_its_log_and_taken_away(service: Managed, environment: Path) -> None:
    (environment / "server.py").write_text("raise SystemExit('no warehouse today')")
    with pytest.raises(ResourceError) as raised:
        service.create()
    assert "no warehouse today" in (raised.value.details or "")
    assert Supervisor(Path(service.inputs["supervisor"])).state("service-delays-api") is None


def test_a_create_after_a_crash_adopts_the_running_service(service: Managed) -> None:
    service.create()
    pid, port = pid_of(service), service.outputs["port"]
    service.create()
    assert (pid_of(service), service.outputs["port"]) == (pid, port)


def test_a_service_without_a_port_is_ready_when_it_has_run_for_a_second(service: Managed) -> None:
    service.inputs.update(portVariable="", health="", command=["sleep", "600"])
    service.create()
    assert (service.outputs["port"], service.outputs["url"]) == (0, "")


def test_a_deleted_service_leaves_no_process_and_no_port(service: Managed) -> None:
    service.create()
    pid, port = pid_of(service), service.outputs["port"]
    service.delete()
    service.delete()
    assert not is_alive(pid)
    socket.create_server(("127.0.0.1", port)).close()
    assert not service.refresh()


def test_a_service_is_deleted_when_its_supervisor_is_gone(service: Managed, supervisor: Managed) -> None:
    service.create()
    pid = pid_of(service)
    supervisor.delete()
    service.delete()
    assert not is_alive(pid)


@pytest.mark.parametrize(
    ("changes", "property_"),
    [
        ({"name": "a b"}, "name"),
        ({"command": []}, "command"),
        ({"health": "x"}, "health"),
        ({"portVariable": "A-B"}, "portVariable"),
    ],
)
def test_a_service_that_cannot_be_is_refused(service: Managed, changes: dict[str, object], property_: str) -> None:
    check = service.provider.check(service.urn, None, {**service.inputs, **changes})
    assert [failure.property for failure in check.failures] == [property_]


def test_a_port_that_is_taken_between_choice_and_use_is_replaced(service: Managed, environment: Path) -> None:
    noted = environment / "supervisor" / "programs" / "service-delays-api.json"
    taken: list[socket.socket] = []

    def grab() -> None:
        deadline = time.monotonic() + 30
        while not taken and time.monotonic() < deadline:
            try:
                port = json.loads(noted.read_text())["variables"]["PORT"]
                taken.append(socket.create_server(("127.0.0.1", int(port))))
            except (OSError, ValueError, KeyError):
                time.sleep(0.0005)

    thief = threading.Thread(target=grab)
    thief.start()
    service.create()
    thief.join()
    (stolen,) = taken
    with stolen:
        assert service.outputs["port"] != stolen.getsockname()[1]
        assert get(service) == "se cret"


def test_somebody_else_who_answers_on_the_port_is_not_taken_for_the_service(service: Managed) -> None:
    service.create()
    port = service.outputs["port"]
    Supervisor(Path(service.inputs["supervisor"])).halt(service.id)

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        service.update()
        stranger.shutdown()
    assert service.outputs["port"] != port and get(service) == "se cret"


def test_a_service_that_would_reach_production_is_refused_and_never_started(
    service: Managed, environment: Path
) -> None:
    remember_addresses(environment, ["127.0.0.1:15432"])
    (environment / "environment.env").write_text("FEED='host=localhost port=15432 password=hunter2'\n")
    with pytest.raises(PolicyError) as raised:
        service.create()
    assert "FEED of the service delays-api" in raised.value.what and "hunter2" not in str(raised.value)
    assert Supervisor(Path(service.inputs["supervisor"])).state("service-delays-api") is None
