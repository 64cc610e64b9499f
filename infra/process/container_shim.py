"""Runs one container in the foreground and leaves nothing of it behind: `python -I -S container_shim.py <JSON>`.

It stands for its container: whoever watches over a process, the supervisor or the runner of a step, thereby watches
over the container. What the container prints is printed, signals end it as it wants to be ended, its exit status
becomes ours, and it is removed. One of the same name that an earlier shim left, because it was killed, goes first.

It stands alone, importing the standard library only, since there is one beside every container. The argument holds no
secret: the variables of the container are those of this process.

The argument is JSON: `socket` (the engine's), `name`, `body` (what the engine is asked to create, without variables),
`hidden` (names of variables that stay outside), `variables` {..} (set in the container on top of ours), `portVariable`
("" or the variable that names the port to publish), `portFile` ("" or the file that holds it), `pidFile` ("" or where
to note the container's process id and ours), `stopSeconds` (what it has to end by itself).

Where the engine does not see the files of this machine, files go in and come out by the engine: `handed` (null, or
`into`, a folder inside, `uid` and `gid`, `folders` [..] and `files` {name inside: path here}, put there before it
starts), `returned` (null, or `variable`, which names a file, and `below`, the folder that it lies in: the file has the
same path on both sides, and is fetched when the container has ended by itself).
"""

import ctypes
import http.client
import io
import json
import os
import signal
import socket
import sys
import time
from typing import Any
from urllib.parse import quote

API = "/v1.41"
PR_SET_PDEATHSIG = 1
LOOPBACK = "127.0.0.1"
NEVER_STARTED = 125
"""Exit status when there was no container, as that of `docker run`."""
YOUNG, LISTENS = 5.0, 1.0
"""Seconds after which a program surely handles signals, and those in which it may not yet: as the first process of its
container it then never hears of them."""
LARGEST_RETURNED = 4 << 20
"""Bytes that a file which comes out of a container may have."""


class EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's unix socket."""

    def __init__(self, path: str, timeout: float | None = None) -> None:
        """Args: the socket, and seconds to wait for an answer."""
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class RefusedError(Exception):
    """The engine's answer was not what was wanted; `status` is that of HTTP."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Ended(BaseException):
    """Somebody asked us to end."""


def ask(path: str, method: str, resource: str, body: object = None, timeout: float | None = None) -> Any:
    """One question to the engine; its answer as JSON, None for an empty one. Bytes are sent as an archive.

    Raises:
        RefusedError: it refused.
        OSError: it is not there.
    """
    connection = EngineConnection(path, timeout)
    try:
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        connection.request(method, API + resource, sent, {"Content-Type": kind} if sent else {})
        response = connection.getresponse()
        answer = response.read().decode(errors="replace")
        if response.status >= 400:
            raise RefusedError(response.status, message_of(answer))
        # what reports progress answers line by line; the last line tells how it ended
        lines = answer.strip().splitlines()
        return json.loads(lines[-1]) if lines else None
    finally:
        connection.close()


def message_of(answer: str) -> str:
    """What the engine said, in its own words."""
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.strip() or "the engine said nothing"


class Container:
    """The container of a specification."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.told = specification
        self.begun = 0.0
        self.busy = self.ended = False
        self.path = f"/containers/{quote(specification['name'])}"

    def ask(self, method: str, resource: str, body: object = None) -> Any:
        return ask(self.told["socket"], method, resource, body)

    def end(self, number: int, frame: object) -> None:
        """Takes a signal: what the engine is about to do is waited for, since it does that whoever waits."""
        self.ended = True
        if not self.busy:
            raise Ended

    def change(self, resource: str, body: object = None) -> None:
        """Asks for something that is not broken off half-way; `Ended` when a signal came meanwhile."""
        self.busy = True
        try:
            self.ask("POST", resource, body)
        finally:
            self.busy = False
        if self.ended:
            raise Ended

    def remove(self) -> None:
        """Ends it as it wants to be ended, and removes it; one that is not there is no error."""
        young = min(YOUNG, self.told["stopSeconds"])
        while self.begun and time.monotonic() - self.begun < young and not self.ends():
            pass
        for method, resource in (
            ("POST", f"{self.path}/stop?t={self.told['stopSeconds']}"),
            ("DELETE", f"{self.path}?force=1&v=1"),
        ):
            try:
                self.ask(method, resource)
            except RefusedError as error:
                if error.status not in (304, 404, 409):
                    raise

    def ends(self) -> bool:
        """Tells it to end; whether it has after a moment, since one that does not listen yet loses the signal."""
        try:
            self.ask("POST", f"{self.path}/kill?signal={self.told['body']['StopSignal']}")
            ask(self.told["socket"], "POST", f"{self.path}/wait", timeout=LISTENS)
        except TimeoutError:
            return False
        except RefusedError as error:
            if error.status not in (404, 409):
                raise
        return True

    def create(self) -> None:
        """Makes it, with our variables and the port that it is to be published at."""
        hidden = set(self.told["hidden"])
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        variables = {**kept, **self.told["variables"]}
        body = {**self.told["body"], "Env": [f"{name}={value}" for name, value in variables.items()]}
        if port := self.port():
            body["ExposedPorts"] = {f"{port}/tcp": {}}
            published = {f"{port}/tcp": [{"HostIp": LOOPBACK, "HostPort": port}]}
            body["HostConfig"] = {**body["HostConfig"], "PortBindings": published}
        self.change(f"/containers/create?name={quote(self.told['name'])}", body)
        if handed := self.told.get("handed"):
            self.hand(handed["into"], handed)
        if returned := self.told.get("returned"):
            folders = self.folders_of(os.environ[returned["variable"]], returned["below"])
            self.hand(returned["below"], {**returned, "folders": folders, "files": {}})

    def hand(self, into: str, what: dict[str, Any]) -> None:
        """Puts folders and files into a folder of a volume; all of them are for their owner alone."""
        import tarfile  # few containers need it, and there is one of us beside each

        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name in what["folders"]:
                member = tarfile.TarInfo(name)
                member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, 0o700, what["uid"], what["gid"]
                tar.addfile(member)
            for name, path in what["files"].items():
                with open(path, "rb") as file:
                    content = file.read()
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.uid, member.gid = len(content), 0o600, what["uid"], what["gid"]
                tar.addfile(member, io.BytesIO(content))
        self.ask("PUT", f"{self.path}/archive?path={quote(into)}", archive.getvalue())

    @staticmethod
    def folders_of(path: str, below: str) -> list[str]:
        """The folders between one and a file below it, outermost first, relative to it."""
        parts = os.path.relpath(os.path.dirname(path), below).split("/")
        return ["/".join(parts[: number + 1]) for number in range(len(parts))]

    def fetch(self, path: str) -> None:
        """Brings a file out to where it has the same path here; one that is not there, or too large, is left."""
        import tarfile

        connection = EngineConnection(self.told["socket"])
        try:
            connection.request("GET", f"{API}{self.path}/archive?path={quote(path)}")
            response = connection.getresponse()
            if response.status >= 400:
                return
            with tarfile.open(fileobj=response, mode="r|") as tar:
                member = tar.next()
                content = tar.extractfile(member) if member and member.isreg() else None
                if content is None or (member and member.size > LARGEST_RETURNED):
                    return
                text = content.read()
        except tarfile.TarError as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()
        with open(path, "wb") as file:
            file.write(text)

    def port(self) -> str:
        """The port, "" for none."""
        if name := self.told["portFile"]:
            with open(name, encoding="utf-8") as file:
                return file.read().strip()
        return os.environ.get(self.told["portVariable"], "") if self.told["portVariable"] else ""

    def run(self) -> int:
        """Starts it and passes on what it prints until it ends; its exit status."""
        stream = EngineConnection(self.told["socket"])
        stream.request("POST", f"{API}{self.path}/attach?stream=1&stdout=1&stderr=1")
        printed = stream.getresponse()
        if printed.status >= 400:
            raise RefusedError(printed.status, message_of(printed.read().decode(errors="replace")))
        self.begun = time.monotonic()
        self.change(f"{self.path}/start")
        if self.told["pidFile"]:
            pid = self.ask("GET", f"{self.path}/json")["State"]["Pid"]
            partial = self.told["pidFile"] + ".new"
            with open(partial, "w", encoding="utf-8") as file:
                file.write(f"{pid} {os.getpid()}")
            os.rename(partial, self.told["pidFile"])
        while header := read_exactly(printed, 8):
            if text := read_exactly(printed, int.from_bytes(header[4:], "big")):
                sys.stdout.buffer.write(text)
                sys.stdout.buffer.flush()
        status = int(self.ask("POST", f"{self.path}/wait")["StatusCode"])
        if returned := self.told.get("returned"):
            self.fetch(os.environ[returned["variable"]])
        state = self.ask("GET", f"{self.path}/json")["State"]
        if state.get("OOMKilled"):
            limit = self.told["body"]["HostConfig"].get("Memory") or 0
            say(f"out of memory: it needed more than its limit of {limit >> 20} MiB")
        return status


def read_exactly(stream: http.client.HTTPResponse, size: int) -> bytes:
    """So many bytes of a stream, fewer where it ends."""
    found = b""
    while len(found) < size and (piece := stream.read(size - len(found))):
        found += piece
    return found


def say(text: str) -> None:
    """A line beside what the container prints."""
    sys.stdout.buffer.write(f"[dataops: {text}]\n".encode())
    sys.stdout.buffer.flush()


def main() -> int:
    """Runs the container; see the module."""
    container = Container(json.loads(sys.argv[1]))
    if sys.platform == "linux":  # whoever watches over us may die: then nothing of the container may be left
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    ending = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in ending:
        signal.signal(number, container.end)
    status = NEVER_STARTED
    try:
        container.remove()
        container.create()
        status = container.run()
    except Ended:
        status = 0
    except RefusedError as error:
        say(f"the container {container.told['name']} cannot be run: {error}")
    except OSError as error:
        say(f"the Docker Engine does not answer: {error.strerror or error}")
    for number in ending:
        signal.signal(number, signal.SIG_IGN)
    try:
        container.remove()
    except (RefusedError, OSError) as error:
        say(f"the container {container.told['name']} may be left: {error}")
    return status


if __name__ == "__main__":
    sys.exit(main())
