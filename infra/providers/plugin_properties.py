"""What the properties of our resources are and mean, for the schema of the package.

A property that means the same everywhere stands under its name; one that does not, under `<Type>.<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANY: Mapping[str, Any] = {"$ref": "pulumi.json#/Any"}
TEXT: Mapping[str, Any] = {"type": "string"}
WHOLE: Mapping[str, Any] = {"type": "integer"}
TRUTH: Mapping[str, Any] = {"type": "boolean"}
TEXTS: Mapping[str, Any] = {"type": "array", "items": TEXT}
TEXT_BY_NAME: Mapping[str, Any] = {"type": "object", "additionalProperties": TEXT}
TEXTS_BY_NAME: Mapping[str, Any] = {"type": "object", "additionalProperties": TEXTS}
ANY_BY_NAME: Mapping[str, Any] = {"type": "object", "additionalProperties": ANY}
OBJECTS: Mapping[str, Any] = {"type": "array", "items": ANY_BY_NAME}


@dataclass(frozen=True, slots=True)
class Described:
    """A property: its type as the schema has it, what it means, and whether its values are secret wherever it is."""

    type: Mapping[str, Any]
    text: str
    secret: bool = False


PROPERTIES: Mapping[str, Described] = {
    "agrees": Described(TRUTH, "Whether what is granted is what was declared."),
    "accessKeys": Described(TEXT_BY_NAME, "The secret of each account's key.", secret=True),
    "accounts": Described(TEXTS, "Those who have a key, and no others."),
    "bucket": Described(TEXT, "The bucket of the lake."),
    "checks": Described(OBJECTS, "Each check that was passed, and what was found."),
    "cloned": Described(TEXT, "How its files came from the source: by `reflink`, by `copy`; empty when there is none."),
    "command": Described(TEXTS, "The program and its arguments; never a secret."),
    "commit": Described(TEXT, "The full id of the git commit."),
    "content": Described(TEXT, "The text of the file."),
    "connection": Described(ANY_BY_NAME, "How the superuser connects: `host`, a socket directory, `port` and `user`."),
    "dataDirectory": Described(TEXT, "The data directory of the Postgres cluster."),
    "database": Described(TEXT, "The database."),
    "declared": Described(TEXTS_BY_NAME, "The privileges that were asked for, table by table."),
    "digest": Described(TEXT, "A keyed hash of the content, to tell that it has changed."),
    "directory": Described(TEXT, "The folder that it works in."),
    "endpoints": Described(TEXT_BY_NAME, "Name to URL, without credentials."),
    "environment": Described(TEXT, "The environment's name."),
    "environmentDigest": Described(TEXT, "The digest of the environment file: another one restarts the program."),
    "environmentFile": Described(TEXT, "The dotenv file that the program's variables come from."),
    "forbiddenRoles": Described(TEXTS, "Roles that must not exist here."),
    "generation": Described(TEXT, "Any text; another one makes its content, or the program, anew."),
    "granted": Described(TEXTS_BY_NAME, "The privileges that the role has, table by table."),
    "grants": Described(OBJECTS, "The declared matrix of rights."),
    "health": Described(TEXT, "The path that answers with a status below 400 when the program is ready."),
    "host": Described(TEXT, "Where it listens."),
    "keys": Described(TEXT, "The folder of the keys that open and verify snapshots."),
    "lake": Described(TEXT, "The lake's folder."),
    "lakeDirectory": Described(TEXT, "The snapshot's lake objects, restored."),
    "listenVariable": Described(TEXT, "The variable that tells the program where to listen, as host and port."),
    "logFile": Described(TEXT, "Where its output goes."),
    "login": Described(TRUTH, "Whether the role may log in; then it gets a password."),
    "manifestHash": Described(TEXT, "BLAKE3 of the snapshot's signed manifest."),
    "memberOf": Described(TEXTS, "Roles whose rights it has."),
    "name": Described(TEXT, "Its name."),
    "owner": Described(TEXT, "The role that owns it."),
    "password": Described(TEXT, "A generated password.", secret=True),
    "path": Described(TEXT, "Where it lies."),
    "policy": Described(ANY_BY_NAME, "The policy of the bucket, in the language of S3."),
    "port": Described(WHOLE, "The port that it listens on."),
    "portVariable": Described(TEXT, "The variable that tells the program its port; empty for one without a port."),
    "privileges": Described(TEXTS, "What the role may do: `select`, `insert`, `update` and so on."),
    "productionHosts": Described(TEXTS, "`host` or `host:port` of production, which nothing here may name."),
    "python": Described(TEXT, "The interpreter."),
    "repository": Described(TEXT, "The git repository."),
    "requirements": Described(TEXT, "The requirements file."),
    "requirementsHash": Described(TEXT, "The hash of the requirements: another one makes another environment."),
    "role": Described(TEXT, "The role that the rights are given to."),
    "roles": Described(TEXTS, "The roles that there must be, and no others."),
    "running": Described(TRUTH, "Whether it runs, as last looked."),
    "schema": Described(TEXT, "The schema of the tables."),
    "schemas": Described(TEXTS, "The schemas of the database."),
    "serverVersion": Described(TEXT, "The version of the Postgres server."),
    "setRole": Described(TEXT, "The role that it acts as once it has logged in."),
    "settings": Described(TEXT_BY_NAME, "Postgres settings over the defaults."),
    "snapshot": Described(TEXT, "The snapshot's id."),
    "socket": Described(TEXT, "The socket that it is spoken to on."),
    "source": Described(TEXT, "What it is cloned from; empty to begin with nothing."),
    "store": Described(TEXT, "The folder of the snapshots."),
    "supervisor": Described(TEXT, "The folder of the supervisor that keeps it running."),
    "systemIdentifier": Described(TEXT, "What Postgres calls the cluster, unique to it."),
    "tables": Described(TEXTS, "Tables; `*` for all of the schema."),
    "Golden.tables": Described(WHOLE, "How many tables the snapshot has."),
    "url": Described(TEXT, "Where it answers, without credentials."),
    "variables": Described(TEXT_BY_NAME, "Environment variables."),
    "EnvironmentFile.variables": Described(TEXT_BY_NAME, "The variables of the file.", secret=True),
    "Verification.variables": Described(TEXT_BY_NAME, "The variables that are searched for production's hosts.", True),
    "verifiedAt": Described(TEXT, "When the checks were passed."),
    # of containers
    "arguments": Described(TEXT_BY_NAME, "Arguments of the build; they end in the image's history: never a secret."),
    "capabilities": Described(TEXTS, "The capabilities that are not dropped."),
    "carriedBytes": Described(WHOLE, "The bytes that were copied into a volume of the engine, where it has copies."),
    "container": Described(ANY_BY_NAME, "The container that it runs in, on a Docker Engine; without it, a process."),
    "containerId": Described(TEXT, "The id of the container on the engine."),
    "context": Described(TEXT, "The folder that an image is built from: what is in it counts, not where it lies."),
    "dockerfile": Described(TEXT, "The Dockerfile, below the context."),
    "dockerfileText": Described(TEXT, "The text of the Dockerfile, instead of a file."),
    "driver": Described(TEXT, "The driver of the volume."),
    "driverOptions": Described(TEXT_BY_NAME, "Options of the driver."),
    "entrypoint": Described(TEXTS, "What is run instead of the image's own entry point."),
    "exitCode": Described(WHOLE, "The exit status of the command."),
    "files": Described(TEXT, "`shared` where the engine mounts files of this machine, `carried` where it has copies."),
    "handed": Described(
        ANY_BY_NAME, "Files that are put into a volume before the start: `files` by name, below `into`."
    ),
    "hostname": Described(TEXT, "The name of the host inside of the container."),
    "image": Described(TEXT, "The image that containers are made from: a name with a tag, a digest or an id."),
    "imageId": Described(TEXT, "The id of the image on the engine."),
    "internal": Described(TRUTH, "Whether there is no way out of the network."),
    "key": Described(TEXT, "Any text; another one makes another image."),
    "limits": Described(ANY_BY_NAME, "`memory`, `cpus`, `pids` and `sharedMemory`."),
    "log": Described(TEXT, "The last lines that were printed."),
    "logs": Described(ANY_BY_NAME, "How logs are rotated: `maxSize` and `maxFiles`."),
    "mountpoint": Described(TEXT, "Where the engine keeps the volume."),
    "mounts": Described(OBJECTS, "What is mounted: `type` (bind, volume, tmpfs), `source`, `target`, `readOnly`."),
    "network": Described(TEXT, "The network on the engine."),
    "networkId": Described(TEXT, "The id of the network on the engine."),
    "networks": Described(OBJECTS, "The networks it is on: `name` and `aliases`; without one there is none."),
    "platform": Described(TEXT, "The platform's name."),
    "ports": Described(ANY, "Ports of the container and those of this machine, at 127.0.0.1, that lead there."),
    "push": Described(TRUTH, "Whether the image goes to the registry that its name begins with."),
    "readOnly": Described(TRUTH, "Whether the root file system is read-only."),
    "readySeconds": Described(ANY, "Seconds that it may take to become healthy."),
    "record": Described(TEXT, "The file in which is kept what the name of the image meant; empty for none."),
    "reference": Described(TEXT, "What containers are made from: name and tag, digest or id."),
    "registry": Described(
        TEXT, "The repository that images are pulled from rather than built, and pushed to; empty for none."
    ),
    "release": Described(TEXT, "The release that it belongs to, for its label."),
    "restart": Described(TEXT, "`no`, `always`, `unless-stopped` or `on-failure:N`."),
    "root": Described(TEXT, "The environment's folder."),
    "seconds": Described(ANY, "Seconds that the command may take."),
    "secrets": Described(TEXT_BY_NAME, "Id to the path of a file, for `RUN --mount=type=secret`."),
    "stage": Described(TEXT, "The stage of the Dockerfile that is built."),
    "stopSignal": Described(TEXT, "The signal that asks it to end."),
    "stopTimeout": Described(ANY, "Seconds that it has to end before it is killed."),
    "triggers": Described(ANY, "Values whose change runs it again."),
    "user": Described(TEXT, "The user that it runs as."),
    "workingDirectory": Described(TEXT, "The folder in the container that it works in."),
    "Container.health": Described(ANY_BY_NAME, "How it is known to be ready: `command`, or `path` and `port`."),
    "Exec.container": Described(TEXT, "The name of the container."),
    "Image.digest": Described(TEXT, "`name@sha256:…` in the registry; empty unless it was pushed."),
    "PulledImage.digest": Described(TEXT, "`name@sha256:…`; empty for one that was in no registry."),
}
