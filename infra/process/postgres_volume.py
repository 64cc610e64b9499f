"""A Postgres cluster in a volume of an engine that does not see the files of this machine.

The volume holds the data and the server's programs, of the very build that the data were made by. Here a folder stands
for it, at the place of the data directory: it holds what is written here (configuration, port, notes) and put into the
volume whenever the server starts, the superuser's password, and of the data what never changes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.process import postgres_server
from dataops.infra.process.containers import (
    ContainerPlace,
    ContainerProgram,
    Handed,
    container_name,
    shim_command,
)
from dataops.infra.process.copying import CopyReport
from dataops.infra.process.docker_engine import DockerEngine, Owned
from dataops.infra.process.engine_archives import Tree
from dataops.infra.process.engine_volumes import (
    add_to_volume,
    content_of,
    fill_volume,
    remove_volume,
    volume_name,
)
from dataops.infra.process.ports import LOOPBACK
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.infra.process.postgres_configuration import CONFIGURATION, SUPERUSER
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.postgres_container import WAREHOUSE
from dataops.infra.process.postgres_server import NOT_CLONED, STOP_SECONDS
from dataops.infra.process.postgres_status import ADMINISTRATION, CONTAINER_NOTE, PORT_NOTE
from dataops.infra.process.programs import LaunchSpecification, write_private
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.users import ServerUser

VOLUME = "/warehouse"
DATA, PROGRAMS = "data", "programs"
SOCKETS = Path("/tmp")
"""Where the socket is, in the container."""

UNCHANGING = ("PG_VERSION", "global/pg_control")
"""What the folder has of the data: the identifier of a cluster is in them, which never changes."""

ADMINISTERED = "dataops.administered"
"""In that folder: the superuser's password was set. Else it is not tried, since the log would tell of a refusal."""

PASSWORD_BYTES = 32
ITERATIONS = 4096


def carry_cluster(
    place: ContainerPlace, data: Path, source: str, binaries: PostgresBinaries, user: ServerUser
) -> tuple[str, CopyReport]:
    """Fills the volume with a copy of a stopped cluster, or with a new one for ""; makes the folder that stands for it.

    Returns:
        The volume's content, see `content_of`, and what was copied.

    Raises:
        EngineFullError: no room is left there.
        ResourceError: `source` cannot be copied, or the engine refuses.
    """
    draft = data.with_name(f".{data.name}.draft")
    postgres_server.remove(draft)
    try:
        if not source:
            postgres_server.initialize(draft, binaries, user, sync=False)
        origin = Path(source) if source else draft
        postgres_server.require_clonable(origin)
        remove_cluster(place)
        content, report = fill_volume(
            place,
            WAREHOUSE,
            [Tree(origin, DATA, user.uid, user.gid, skip=NOT_CLONED), _programs(binaries)],
        )
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in UNCHANGING:
            (data / name).parent.mkdir(exist_ok=True)
            (data / name).unlink(missing_ok=True)
            shutil.copyfile(origin / name, data / name)
        write_private(data / ADMINISTRATION, secrets.token_urlsafe(PASSWORD_BYTES))
        return content, report
    finally:
        remove_tree(draft)


def carry_programs(place: ContainerPlace, binaries: PostgresBinaries) -> None:
    """Puts the programs of another build of the server beside the data.

    Raises:
        EngineFullError, ResourceError: as `carry_cluster`.
    """
    add_to_volume(place, WAREHOUSE, [_programs(binaries)])


def carried_content(place: ContainerPlace) -> str:
    """The content of an environment's volume, "" when there is none."""
    return content_of(place, WAREHOUSE)


def remove_cluster(place: ContainerPlace) -> None:
    """Removes the volume, with a container of the server that nobody stands for any more; nothing is no error."""
    DockerEngine(place.socket).remove(Owned("container", container_name(place, WAREHOUSE), place.root))
    remove_volume(place, WAREHOUSE)


def volume_launch(
    place: ContainerPlace, data: Path, binaries: PostgresBinaries, user: ServerUser
) -> LaunchSpecification:
    """How the server is started in a container on its volume; it ends, cleanly, when whoever started it dies."""
    postgres = binaries.path("postgres").relative_to(_installed(binaries))
    program = ContainerProgram(
        name=WAREHOUSE,
        command=(f"{VOLUME}/{PROGRAMS}/{binaries.build}/{postgres}", "-D", f"{VOLUME}/{DATA}"),
        directory=f"{VOLUME}/{DATA}",
        volumes={VOLUME: volume_name(place, WAREHOUSE)},
        handed=Handed(VOLUME, {f"{DATA}/{name}": data / name for name in CONFIGURATION}),
        user=f"{user.uid}:{user.gid}",
        variables={"TZ": "UTC", "LC_ALL": "C"},
        port_file=str(data / PORT_NOTE),
        pid_file=str(data / CONTAINER_NOTE),
        stop_signal="SIGINT",
        stop_seconds=int(STOP_SECONDS) - 5,
    )
    return LaunchSpecification(
        command=shim_command(place, program), directory=str(data), variables={}, death_signal=signal.SIGTERM
    )


def ensure_password(place: ContainerPlace, data: Path, binaries: PostgresBinaries, user: ServerUser, port: int) -> None:
    """Sees to it that the superuser's password is the one that the folder holds; the server runs.

    It is set by the server's own user over the socket inside, as what the server keeps of it: nobody who lists
    processes learns more.

    Raises:
        ResourceError: it cannot be set.
    """
    known = {"host": LOOPBACK, "port": port, "user": SUPERUSER, "passwordFile": str(data / ADMINISTRATION)}
    if (data / ADMINISTERED).exists():
        with suppress(ResourceError):
            connect(known).close()
            return
    verifier = scram_verifier((data / ADMINISTRATION).read_text(encoding="utf-8"))
    psql = binaries.path("psql").relative_to(_installed(binaries))
    words = (
        *(f"{VOLUME}/{PROGRAMS}/{binaries.build}/{psql}", "--no-psqlrc", "--quiet", f"--host={SOCKETS}"),
        *(f"--port={port}", f"--username={SUPERUSER}", "--dbname=postgres", "--set=ON_ERROR_STOP=1"),
        f"--command=ALTER ROLE {SUPERUSER} PASSWORD '{verifier}'",
    )
    engine = DockerEngine(place.socket)
    name, who = container_name(place, WAREHOUSE), f"{user.uid}:{user.gid}"
    engine.run_inside(name, words, who, doing="giving the warehouse's superuser its password")
    connect(known).close()
    (data / ADMINISTERED).touch()


def scram_verifier(password: str) -> str:
    """What Postgres keeps of a password under SCRAM-SHA-256 (RFC 5802, section 3, and RFC 7677)."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client, server = (hmac.digest(salted, word, "sha256") for word in (b"Client Key", b"Server Key"))
    texts = [base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{texts[0]}${texts[1]}:{texts[2]}"


def _installed(binaries: PostgresBinaries) -> Path:
    return binaries.directory.parents[2]


def _programs(binaries: PostgresBinaries) -> Tree:
    return Tree(_installed(binaries), f"{PROGRAMS}/{binaries.build}", 0, 0, private=False)
