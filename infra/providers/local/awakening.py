"""Starting again what an environment's supervisor kept, from its files alone: neither state nor program is needed.

Everything comes back where it was. A port that somebody else has taken meanwhile is replaced, and the addresses that
the environment's own files hold are rewritten; the state learns of it when its resources are read the next time.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops.infra.errors import DeadlineError, NotFoundError, ResourceError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.process import postgres_server, postgres_status
from dataops.infra.process.dotenv import format_variables, read_variables
from dataops.infra.process.ports import free_port, is_free
from dataops.infra.process.postgres_configuration import change_port
from dataops.infra.process.postgres_container import WAREHOUSE
from dataops.infra.process.programs import write_private
from dataops.infra.process.s3_gateway import LAKE
from dataops.infra.process.supervisor import Supervisor
from dataops.infra.process.users import server_user
from dataops.infra.providers.local.listening import accepts, listens

POSTGRES = "postgres"
SERVICE = "service-"
ATTEMPTS = 5
SERVICE_SECONDS = 60.0


@dataclass(slots=True)
class Moved:
    """Ports that had to be replaced, old to new."""

    ports: dict[int, int] = field(default_factory=dict)

    def rewrite(self, text: str) -> str:
        """A text with the new addresses."""
        if not self.ports:
            return text
        old = "|".join(map(str, self.ports))
        pattern = re.compile(rf"(127\.0\.0\.1|0\.0\.0\.0|localhost|{WAREHOUSE}|{LAKE}):({old})(?!\d)")
        return pattern.sub(lambda match: f"{match[1]}:{self.ports[int(match[2])]}", text)

    def rewrite_all(self, value: Any) -> Any:
        """A document with the new addresses; numbers under the key `port` are ports."""
        if isinstance(value, dict):
            return {
                key: self.ports.get(item, item) if key == "port" and isinstance(item, int) else self.rewrite_all(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.rewrite_all(item) for item in value]
        return self.rewrite(value) if isinstance(value, str) else value


def start_warehouse(layout: EnvironmentLayout, name: str, moved: Moved) -> None:
    """Starts the supervisor and, before anything else, the warehouse's server.

    Raises:
        NotFoundError: there is nothing that could be started.
        ResourceError, DeadlineError: the server does not come up; the details are the last lines of its log.
    """
    supervisor, data = Supervisor(layout.supervisor), layout.postgres
    if not supervisor.programs():
        raise NotFoundError("nothing is there that could be started", where=str(layout.supervisor))
    user = server_user()
    for attempt in range(ATTEMPTS):
        if (found := postgres_status.status(data)) and found.ready and supervisor.pid():
            return
        port = _port(data)
        if port and not found and not is_free(port):
            change_port(data, user, new := free_port({port}))
            moved.ports = {old: new if kept == port else kept for old, kept in moved.ports.items()} | {port: new}
            port = new
        postgres_server.sockets_of(data, user)
        if supervisor.pid() is None:
            postgres_server.stop(data)  # a child of a supervisor that was killed, about to end by itself
            supervisor.start(name, only=(POSTGRES,))
        else:
            supervisor.begin(POSTGRES)
        try:
            postgres_status.wait_ready(data, alive=lambda: _tries(supervisor))
            return
        except (ResourceError, DeadlineError) as error:
            if attempt == ATTEMPTS - 1 or not port or is_free(port):
                error.details = postgres_server.newest_log_lines(layout.logs / "postgres.log") or None
                raise
            supervisor.halt(POSTGRES)


def start_services(layout: EnvironmentLayout, name: str, services: Mapping[str, int], moved: Moved) -> None:
    """Starts every other program, once the files name the right addresses.

    Args:
        layout: the environment's folder.
        name: the environment.
        services: the services that listen, with the port that each had.
        moved: what was moved so far; gets the services' new ports.

    Raises:
        ResourceError, DeadlineError: a service does not come up; the details are the last lines of its log.
    """
    supervisor = Supervisor(layout.supervisor)
    for service, port in services.items():
        running = supervisor.state(SERVICE + service)
        if port and not (running and running.up) and not is_free(port):
            moved.ports[port] = free_port({*services.values(), *moved.ports.values()})
    _rewrite_files(layout, services, moved)
    supervisor.resume(name)
    for service, port in services.items():
        log = layout.logs / f"{service}.log"
        _wait(supervisor, SERVICE + service, moved.ports.get(port, port), log)


def _rewrite_files(layout: EnvironmentLayout, services: Mapping[str, int], moved: Moved) -> None:
    if not moved.ports:
        return
    if layout.variables.is_file():
        variables = read_variables(layout.variables)
        changed = {key: moved.rewrite(value) for key, value in variables.items()}
        if changed.get("PGPORT", "").isdigit():
            changed["PGPORT"] = str(moved.ports.get(int(changed["PGPORT"]), changed["PGPORT"]))
        write_private(layout.variables, format_variables(changed))
    for specification in (layout.supervisor / "programs").glob("*.json"):
        document = json.loads(specification.read_text(encoding="utf-8"))
        own = services.get(specification.stem.removeprefix(SERVICE), 0)
        document["variables"] = {
            key: str(moved.ports[own]) if own in moved.ports and value == str(own) else moved.rewrite(value)
            for key, value in document["variables"].items()
        }
        write_private(specification, json.dumps(document, indent=1, sort_keys=True))
    if layout.endpoints.is_file():
        published = moved.rewrite_all(json.loads(layout.endpoints.read_text(encoding="utf-8")))
        partial = layout.endpoints.with_name(f".{layout.endpoints.name}.new")
        partial.write_text(json.dumps(published, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(layout.endpoints)


def _port(data: Path) -> int:
    try:
        return int((data / "dataops.port").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def _tries(supervisor: Supervisor) -> bool:
    state = supervisor.state(POSTGRES)
    return state is not None and state.state in ("STARTING", "RUNNING", "BACKOFF")


def _wait(supervisor: Supervisor, program: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + SERVICE_SECONDS
    while True:
        state = supervisor.state(program)
        if state is None or state.state in ("FATAL", "EXITED", "STOPPED"):
            raise ResourceError(
                f"{program} ended while starting", details=postgres_server.newest_log_lines(log) or None
            )
        if state.up and (accepts(port) and listens(state.pid, port) if port else state.state == "RUNNING"):
            return
        if time.monotonic() > deadline:
            raise DeadlineError(f"{program} was not ready within {SERVICE_SECONDS:g} s")
        time.sleep(0.05)
