"""Building an image: with BuildKit through the `docker` command, else with the engine's classic builder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dataops.infra.process.commands import last_lines, printed_by
from dataops.infra.process.docker_faults import EngineUnavailableError, full, is_full
from dataops.infra.process.environment import child_environment
from dataops.infra.process.redaction import Redactor
from dataops.infra.providers import plugin_launch
from dataops.infra.providers.docker.build_secrets import found_secrets, index_settings
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import BuildFailedError, translated

LOG_LINES = 30
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_MOUNT = re.compile(r"^\s*RUN\s+--mount", re.MULTILINE | re.IGNORECASE)
_FAILED_STEP = re.compile(r"^ > \[[^\]]*\] (.+)$", re.MULTILINE)
_BEGUN_STEP = re.compile(r"^Step \d+/\d+ : (.+)$", re.MULTILINE)
_INSTALLS = re.compile(r"/opt/uv/bin/")
_HINT = (
    "indexes and certificates come from the variables and files of pip and uv on this machine; "
    "requirements that need a compiler or libraries need a Dockerfile of your own (`code.dockerfile` in dataops.yaml)"
)
_LAST_WITH_BUILDKIT_INSIDE = 23
"""The `docker` command before this version has BuildKit itself, later ones leave it to a plugin, buildx."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build.

    Args:
        context: the folder whose files the Dockerfile may copy.
        dockerfile: the text of the Dockerfile.
        reference: the name and tag of the result.
        labels, arguments: of the image; of the build. Arguments end in the image's history.
        ignored: patterns, as in a `.dockerignore`, of what is left out of the context.
        secrets: id to the path of a file, mounted while a step runs and in no layer.
        stage: the stage to build, "" for the last.
        network: what steps reach: "" for the default, `host`, `none`.
    """

    context: Path
    dockerfile: str
    reference: str
    labels: Mapping[str, str]
    arguments: Mapping[str, str] = field(default_factory=dict)
    ignored: Sequence[str] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""
    network: str = ""


def build(engine: Engine, recipe: Recipe) -> None:
    """Builds an image and names it.

    Raises:
        BuildFailedError: it cannot be built; the step is named, and the end of the log is in the details.
        EngineFullError: the engine's disk is full.
    """
    if command := buildkit_command(os.environ.get("PATH", "")):
        _with_buildkit(engine, recipe, command)
    elif recipe.secrets or _MOUNT.search(recipe.dockerfile):
        raise BuildFailedError(
            f"{recipe.reference} is built with mounts, for secrets and caches, that the classic builder has not",
            hint="install a docker command that has BuildKit: the package docker.io or docker-buildx-plugin",
        )
    else:
        _with_classic_builder(engine, recipe)


@cache
def buildkit_command(path: str) -> str | None:
    """A `docker` command that can build with BuildKit, on PATH or where systems keep it; None when there is none."""
    for folder in dict.fromkeys([*path.split(os.pathsep), *SYSTEM_PATH.split(os.pathsep)]):
        program = shutil.which("docker", path=folder) if folder else None
        if program and (_says(program, "buildx", "version") is not None or _has_buildkit_inside(program)):
            return program
    return None


def _has_buildkit_inside(program: str) -> bool:
    said = _says(program, "--version") or ""
    major = "".join(said.partition("version ")[2].split(".")[:1])
    return major.isdigit() and 19 <= int(major) < _LAST_WITH_BUILDKIT_INSIDE


def _says(*words: str) -> str | None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=child_environment(), stdin=subprocess.DEVNULL
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _with_buildkit(engine: Engine, recipe: Recipe, command: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "Dockerfile")
        file.write_text(recipe.dockerfile, encoding="utf-8")
        # it stands in for the context's own
        Path(scratch, "Dockerfile.dockerignore").write_text("\n".join(recipe.ignored) + "\n", encoding="utf-8")
        secrets = {**found_secrets(engine.variables, Path(scratch)), **recipe.secrets}
        words = [command, "build", "--progress=plain", "--file", str(file), "--tag", recipe.reference]
        words += _options(recipe, secrets)
        variables = child_environment({**engine.command_variables(), "DOCKER_BUILDKIT": "1"})
        # the build ends with its client, and the client with us: a build that nobody waits for names no image later
        launch = [sys.executable, "-I", "-S", plugin_launch.__file__, str(os.getpid())]
        try:
            status, log = printed_by([*launch, *words, str(recipe.context)], variables)
        except OSError as error:
            raise BuildFailedError(f"{command} could not be started: {error.strerror}") from error
    if status != 0:
        raise _failed(engine, recipe, log)


def _options(recipe: Recipe, secrets: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(recipe.labels.items()):
        yield from ("--label", f"{name}={value}")
    for name, value in sorted(recipe.arguments.items()):
        yield from ("--build-arg", f"{name}={value}")
    for name, path in sorted(secrets.items()):
        yield from ("--secret", f"id={name},src={path}")
    if recipe.stage:
        yield from ("--target", recipe.stage)
    if recipe.network:
        yield from ("--network", recipe.network)


def _with_classic_builder(engine: Engine, recipe: Recipe) -> None:
    from dataops.infra.providers.docker.library import APIError, tar

    said: list[str] = []
    context = tar(
        str(recipe.context),
        exclude=list(recipe.ignored),
        dockerfile=("Dockerfile.dataops", recipe.dockerfile),
        gzip=True,
    )
    try:
        with context, translated(f"build {recipe.reference}"):
            for line in engine.client.build(
                fileobj=context,
                custom_context=True,
                encoding="gzip",
                dockerfile="Dockerfile.dataops",
                tag=recipe.reference,
                labels=dict(recipe.labels),
                buildargs=dict(recipe.arguments),
                target=recipe.stage or None,
                network_mode=recipe.network or None,
                rm=True,
                forcerm=True,
                decode=True,
            ):
                said.append(str(line.get("stream") or line.get("error") or ""))
                if "error" in line:
                    raise _failed(engine, recipe, "".join(said))
    except APIError as error:
        raise _failed(engine, recipe, str(error.explanation)) from error


def _failed(engine: Engine, recipe: Recipe, log: str) -> Exception:
    try:
        with translated("build an image"):
            engine.client.ping()
    except EngineUnavailableError as error:
        return error
    if is_full(log):
        return full()
    step = failed_step(log)
    return BuildFailedError(
        f"the image {recipe.reference} could not be built" + (f": it failed at `{step}`" if step else ""),
        details=last_lines(Redactor(index_settings(engine.variables))(log), LOG_LINES),
        hint=_HINT if _INSTALLS.search(step) else None,
    )


def failed_step(log: str) -> str:
    """The step of a Dockerfile at which a build failed, without its mounts; "" where the log does not tell."""
    named = _FAILED_STEP.findall(log) or _BEGUN_STEP.findall(log)
    words = [word for word in named[-1].rstrip(":").split() if not word.startswith("--mount=")] if named else []
    return " ".join(words)
