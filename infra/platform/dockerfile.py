"""What a platform's code is built into an image by: its own Dockerfile, else one for plain Python code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dataops.infra.errors import ConfigurationError

OWN = "Dockerfile"
UV = "0.13.9"
"""The version of uv that installs requirements in a build: a fixed one, since another makes another image."""

CA_SECRET, INDEX_SECRET, LOGIN_SECRET = "dataops-ca", "dataops-index", "dataops-netrc"
"""Build secrets: certificates to trust, shell variables that say where packages come from, and logins there."""

USER = "10001:10001"
CODE, ENVIRONMENT = "/app", "/opt/venv"
_INCLUDED = re.compile(r"^(?:-r|-c|--requirement|--constraint)[\s=]*(?P<path>[^\s#]+)")


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What an image of the code is built from.

    Args:
        dockerfile: the platform's own, a path below its folder; "" for a generated one.
        requirements: the files that requirements are installed from, the main one first; for a generated one.
    """

    dockerfile: str = ""
    requirements: tuple[str, ...] = ()


def plan_build(folder: Path, dockerfile: str | None, requirements: str) -> BuildPlan:
    """Decides how the code in a folder becomes an image.

    Args:
        folder: where `dataops.yaml` is.
        dockerfile: what it names as `code.dockerfile`.
        requirements: what it names as `code.requirements`.

    Raises:
        ConfigurationError: the Dockerfile that it names is missing, or the requirements are.
    """
    if dockerfile is not None:
        require_dockerfile(folder, dockerfile, "code.dockerfile")
        return BuildPlan(dockerfile)
    if (folder / OWN).is_file():
        return BuildPlan(OWN)
    _require(folder / requirements, "requirements file", "code.requirements")
    return BuildPlan("", tuple(_with_included(folder, requirements)))


def require_dockerfile(folder: Path, dockerfile: str, key: str) -> None:
    """Makes sure that a Dockerfile that `dataops.yaml` names at a key is there.

    Raises:
        ConfigurationError: it is not.
    """
    _require(folder / dockerfile, "Dockerfile", key)


def _require(path: Path, what: str, key: str) -> None:
    if not path.is_file():
        hint = f"commit the file, or name another as `{key}` in dataops.yaml"
        raise ConfigurationError(f"there is no {what} {path.name}", where=str(path), hint=hint)


def generated_dockerfile(base: str, requirements: Sequence[str]) -> str:
    """A Dockerfile for plain Python code: requirements in a layer of their own, no installer and no root in the result.

    Args:
        base: the image to start from: glibc and Python 3 with `venv`.
        requirements: see `BuildPlan`.
    """
    copied = "\n".join(
        f"COPY [{_quoted(path)}, {_quoted(f'/requirements/{PurePosixPath(path).parent}/')}]" for path in requirements
    )
    install = f"/opt/uv/bin/uv pip sync --compile-bytecode --allow-empty-requirements --python {ENVIRONMENT}/bin/python"
    return f"""\
FROM {base} AS requirements
USER 0
ENV PIP_CACHE_DIR=/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy
{_run(f"python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet uv=={UV}")}
{_run(f"/opt/uv/bin/uv venv --quiet --no-project --python python3 {ENVIRONMENT}")}
{copied}
WORKDIR /requirements
{_run(f"{install} '{requirements[0]}'")}

FROM {base} AS code
USER 0
COPY . {CODE}
RUN chmod -R a+rX {CODE} && (python3 -m compileall -qq {CODE} || true)

FROM {base}
COPY --from=requirements {ENVIRONMENT} {ENVIRONMENT}
COPY --from=code {CODE} {CODE}
ENV PATH={ENVIRONMENT}/bin:$PATH VIRTUAL_ENV={ENVIRONMENT} PYTHONUNBUFFERED=1
WORKDIR {CODE}
USER {USER}
ENTRYPOINT []
CMD ["python"]
"""


def _run(command: str) -> str:
    # a secret that nobody hands in is no file; what is here does not depend on it, and so neither does the image
    secrets = " ".join(f"--mount=type=secret,id={name}" for name in (CA_SECRET, INDEX_SECRET, LOGIN_SECRET))
    settings = f"/run/secrets/{INDEX_SECRET}"
    return (
        f"RUN {secrets} --mount=type=cache,id=dataops-packages,target=/cache \\\n"
        f"    if [ -f {settings} ]; then . {settings}; fi && {command}"
    )


def _with_included(folder: Path, name: str, seen: frozenset[str] = frozenset()) -> list[str]:
    """A requirements file and those that it refers to, as far as they are there."""
    found, path = [name], folder / name
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.splitlines():
        if match := _INCLUDED.match(line.strip()):
            other = PurePosixPath(name).parent / match["path"]
            if str(other) not in {*seen, *found} and ".." not in other.parts and (folder / other).is_file():
                found += [
                    each for each in _with_included(folder, str(other), seen | {*found}) if each not in {*seen, *found}
                ]
    return found


def _quoted(path: str) -> str:
    return f'"{path}"'
