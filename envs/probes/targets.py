"""What the targets beyond this machine need: a Docker engine, a Kubernetes cluster, AWS."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

from dataops.envs.probes.probe import Finding, Probe, Scene, absent, ok, output_of
from dataops.infra.platform.parameters import TARGETS

EVERY = ("local", "docker", "kubernetes", "aws")
"""Targets that the design knows; `TARGETS` are those that this version can deploy to."""


def support(target: str) -> Finding:
    """Whether this version deploys to a target."""
    if target in TARGETS:
        return ok(f"this version deploys to {target}")
    return absent(f"the target {target} is not part of this version", "use --target local")


def docker(scene: Scene) -> Finding:
    """An engine that answers."""
    program = shutil.which("docker", path=scene.environment.get("PATH"))
    if program is None:
        return absent("no `docker` on PATH", "apt-get install docker.io")
    said = output_of([program, "version", "--format", "{{.Server.Version}}"], scene, seconds=3)
    return ok(f"Docker engine {said}") if said else absent("no Docker engine answers", "start it: dockerd")


def builder(scene: Scene) -> Finding:
    """What images of code are built with."""
    from dataops.infra.providers.docker.build import buildkit_command

    if importlib.util.find_spec("docker") is None:
        return absent("the Python library for Docker is not installed", "pip install 'dataops[docker]'")
    program = buildkit_command(scene.environment.get("PATH", ""))
    if program is None:
        return absent("no `docker` command builds with BuildKit", "apt-get install docker.io, or docker-buildx-plugin")
    return ok(f"{program} builds with BuildKit")


def kubectl(scene: Scene) -> Finding:
    """The client, and a cluster that answers it."""
    program = shutil.which("kubectl", path=scene.environment.get("PATH"))
    if program is None:
        return absent("no `kubectl` on PATH", "install kubectl")
    said = output_of([program, "version", "-o", "json", "--request-timeout=2s"], scene, seconds=3)
    try:
        server = json.loads(said or "{}").get("serverVersion", {}).get("gitVersion")
    except ValueError:
        server = None
    return ok(f"cluster {server}") if server else absent("no cluster answers", "kubectl config use-context CONTEXT")


def credentials(scene: Scene) -> Finding:
    """Whether AWS credentials can be found; they are neither read nor used."""
    variables = scene.environment
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_URI"):
        if variables.get(name):
            return ok(f"{name} is set")
    folder = Path(variables.get("HOME", "/")) / ".aws"
    named = [variables.get("AWS_SHARED_CREDENTIALS_FILE"), folder / "credentials", folder / "config"]
    found = next((path for path in named if path and Path(path).is_file()), None)
    return (
        ok(f"{found} is there") if found else absent("no AWS credentials are set", "aws configure, or set AWS_PROFILE")
    )


def _supported(target: str) -> Probe:
    return Probe("support", target, lambda scene: support(target))


BEYOND = (
    _supported("docker"),
    Probe("engine", "docker", docker),
    Probe("builder", "docker", builder),
    _supported("kubernetes"),
    Probe("cluster", "kubernetes", kubectl),
    _supported("aws"),
    Probe("credentials", "aws", credentials),
)
"""What the other targets need."""
