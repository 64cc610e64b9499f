"""Starts a program as its specification says: `python -I -S launch.py <specification.json>`.

It stands alone, importing the standard library only: the supervisor keeps a copy of it beside the specifications, so
that programs come back even when the code of dataops has moved. The specification is a file because arguments can be
read by every user of the machine. It ends by becoming the program (`exec`), with the same process id.

The specification is JSON: `command` [..], `directory`, `variables` {..}, `variablesFile` ("" or a dotenv file), `uid`
and `gid` (null to stay), `deathSignal` (sent when the supervisor dies), `staleLock` ("" or a Postgres lock file),
`pidFile` ("" or where to note the process id), `parentFile` ("" or where the process id of the supervisor is noted).
"""

import ctypes
import json
import os
import sys

PR_SET_PDEATHSIG = 1


def read_variables(path: str) -> dict[str, str]:
    """The variables of a dotenv file, quoted as `dataops.infra.process.dotenv` writes them."""
    variables = {}
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            name, equals, text = line.partition("=")
            if not equals or name.startswith("#"):
                continue
            if text[:1] == '"':
                text = unquote(text)
            elif text[:1] == "'":
                text = text[1:-1]
            variables[name.strip()] = text
    return variables


def unquote(text: str) -> str:
    """The inside of a double-quoted value."""
    out: list[str] = []
    i = 1
    while i < len(text) - 1:
        if text[i] == "\\":
            i += 1
            out.append({"n": "\n", "r": "\r", "t": "\t"}.get(text[i], text[i]))
        else:
            out.append(text[i])
        i += 1
    return "".join(out)


def remove_stale(lock: str, directory: str) -> None:
    """Removes a Postgres lock file whose process is gone or is somebody else who was given the same id since."""
    try:
        with open(lock, encoding="utf-8") as file:
            pid = int(file.readline())
    except (OSError, ValueError):
        return
    try:
        alive = os.path.samefile(f"/proc/{pid}/cwd", directory)
    except OSError:
        alive = False
    if not alive and os.path.isdir("/proc/self"):
        os.unlink(lock)


def main() -> None:
    """Becomes the program."""
    with open(sys.argv[1], encoding="utf-8") as file:
        specification = json.load(file)
    environment = dict(os.environ)
    for name in [n for n in environment if n.startswith("SUPERVISOR_")]:
        del environment[name]
    if specification["variablesFile"]:
        environment.update(read_variables(specification["variablesFile"]))
    environment.update(specification["variables"])
    environment["DATAOPS_PROGRAM"] = os.path.abspath(sys.argv[1])
    # the working directory is entered before privileges are dropped: its parents may be closed to the program's user
    os.chdir(specification["directory"])
    if specification["staleLock"]:
        remove_stale(specification["staleLock"], specification["directory"])
    if specification["pidFile"]:
        with open(specification["pidFile"], "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    parent_noted = ""
    if specification["parentFile"]:
        with open(specification["parentFile"], encoding="utf-8") as file:
            parent_noted = file.read()
    if specification["uid"] is not None:
        os.setgroups([])
        os.setgid(specification["gid"])
        os.setuid(specification["uid"])
    if specification["deathSignal"] and sys.platform == "linux":
        # after the change of user, which clears it
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, specification["deathSignal"], 0, 0, 0)
        # it may have died before: then there is no signal any more
        expected = environment.pop("DATAOPS_PARENT", "") or parent_noted
        if expected and os.getppid() != int(expected):
            sys.exit(1)
    command = specification["command"]
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
