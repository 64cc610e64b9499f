"""The image of the S3 server of lakes, without a registry: one program, built from Go modules or given as a file."""

from __future__ import annotations

import io
import os
import platform
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from dataops.infra.errors import NotFoundError, ResourceError
from dataops.infra.process.commands import run_command
from dataops.infra.process.s3_gateway import PROGRAM, VERSION
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.marks import fingerprint

SOURCE = Path(__file__).parents[2] / "s3_gateway"
NEEDED_GO = (1, 25)
OLDEST_GO = (1, 21)
"""From this one on Go fetches by itself the version that a module needs."""

IMAGE = f"dataops-s3:{VERSION}"
ENTRYPOINT = f'ENTRYPOINT ["{PROGRAM}"]'
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def content_of(given: Path | None = None) -> str:
    """The hash of all that decides what the image becomes: our sources, or the file that was given."""
    files = [given] if given else sorted(SOURCE.glob("*"))
    return fingerprint([ENTRYPOINT, platform.machine(), *(fingerprint(file.read_bytes().hex()) for file in files)])


def import_gateway(engine: Engine, given: Path | None, changes: list[str], say: Callable[[str], None]) -> None:
    """Makes the image of the program alone.

    Args:
        given: a `versitygw` for Linux that somebody has built; None to build it.
        changes: labels and the like, as lines of a Dockerfile.
        say: is told what is about to be done.

    Raises:
        NotFoundError: there is no such file, or no Go that could build it.
        ResourceError: it cannot be built, or is no program of Linux.
    """
    with tempfile.TemporaryDirectory() as scratch:
        program = given or Path(scratch, PROGRAM)
        if given is None:
            say(f"building the S3 server {VERSION} from Go modules, which takes a minute or two")
            build_gateway(program)
        name, _, tag = IMAGE.partition(":")
        with translated(f"import {IMAGE}"):
            engine.client.import_image_from_data(
                _archive(program), repository=name, tag=tag, changes=[ENTRYPOINT, *changes]
            )


def build_gateway(program: Path) -> None:
    """Builds the server for the Linux of this machine's architecture.

    Raises:
        NotFoundError: there is no Go, or too old a one.
        CommandError: it cannot be built.
    """
    go = _go()
    variables = {name: value for name, value in os.environ.items() if name.startswith("GO")}
    target = {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": _ARCHITECTURES.get(platform.machine().lower(), "amd64")}
    with tempfile.TemporaryDirectory() as folder:
        for file in SOURCE.glob("*"):
            if file.suffix in (".go", ".mod", ".sum"):
                shutil.copy(file, folder)
        run_command(
            [go, "build", "-trimpath", "-gcflags=all=-dwarf=false", "-ldflags=-s -w", "-o", program, "."],
            purpose="build the S3 server of lakes",
            directory=Path(folder),
            environment={**variables, **target},
        )


def _go() -> str:
    hint = f"install Go {_dotted(NEEDED_GO)}, or give a built server: `dataops images bootstrap --s3-gateway FILE`"
    go = shutil.which("go")
    if go is None:
        raise NotFoundError("there is no `go` on PATH, which builds the S3 server of lakes", hint=hint)
    told = run_command([go, "env", "GOVERSION"], purpose="tell its version", directory=Path("/")).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", told)
    if found is None or tuple(map(int, found.groups())) < OLDEST_GO:
        raise NotFoundError(f"{go} is {told or 'of no known version'}, too old for the S3 server of lakes", hint=hint)
    return go


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _archive(program: Path) -> bytes:
    try:
        content = program.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"the S3 server cannot be read: {error.strerror}",
            where=str(program),
            hint="name a `versitygw` that was built for Linux",
        ) from None
    if not content.startswith(b"\x7fELF"):
        raise ResourceError(
            "the S3 server is no program of Linux",
            where=str(program),
            hint="name a `versitygw` that was built for Linux",
        )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder, mode in (("usr", 0o755), ("usr/local", 0o755), ("usr/local/bin", 0o755), ("tmp", 0o1777)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        entry = tarfile.TarInfo(f"usr/local/bin/{PROGRAM}")
        entry.size, entry.mode = len(content), 0o755
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
