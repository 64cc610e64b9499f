"""Whether the platform at hand is well: its file, its state and passphrase, its environments, their secrets' files."""

from __future__ import annotations

import stat
from pathlib import Path

from dataops.envs.checkout import FILE_NAME, Checkout, find_layout, platform_folder
from dataops.envs.git import Repository
from dataops.envs.lock import Holder, holder_of
from dataops.envs.probes.probe import Finding, Probe, Scene, absent, failed, ok, output_of, warning
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.infra.errors import DataopsError

NONE = absent("no platform here", "in a git repository: dataops init")


def definition(scene: Scene) -> Finding:
    """Whether dataops.yaml is valid and the repository has a commit."""
    if not _is_here(scene):
        return NONE
    checkout = Checkout.find(scene.start, scene.home)
    if not checkout.repository.branches():
        return failed(
            f"platform {checkout.platform.name}, and nothing is committed yet", "git add --all && git commit -m Begin"
        )
    return ok(f"platform {checkout.platform.name} in {checkout.folder}")


def passphrase(scene: Scene) -> Finding:
    """Whether the passphrase of the state's secrets can be found; it is not shown."""
    if not _is_here(scene):
        return NONE
    checkout = Checkout.find(scene.start, scene.home)
    source = checkout.passphrase_source
    if "variable" in source:
        name = str(source["variable"])
        return ok(f"in {name}") if scene.environment.get(name) else failed(f"{name} is not set", f"export {name}=…")
    if "command" in source:
        words = [str(word) for word in source["command"]]
        if output_of(words, scene, seconds=8):
            return ok(f"printed by {words[0]}")
        return failed(f"{words[0]} prints no passphrase in 8 s", f"run it yourself: {' '.join(words)}")
    path = Path(str(source["file"]))
    if not path.exists():
        if _records(scene):
            return failed(f"{path} is gone", "put back the file that the environments were made with")
        return ok(f"{path}, made at first use")
    return _private(path) or ok(f"in {path}, readable by its owner alone")


def backend(scene: Scene) -> Finding:
    """Whether the state can be read."""
    if not _is_here(scene):
        return NONE
    checkout = Checkout.find(scene.start, scene.home)
    stacks = scene.open_backend(checkout.backend_url).stacks(checkout.platform.name)
    return ok(f"{checkout.backend_url} answers, {len(stacks)} stacks")


def environments(scene: Scene) -> Finding:
    """Whether what should answer does."""
    from dataops.envs.status import status

    records = _records(scene)
    if not records:
        return absent("no environment yet", "dataops env deploy production")
    unwell, hints = [], []
    for registry, record in records:
        if record.state is State.SLEEPING:
            continue
        found = status(record, registry)
        silent = [part.name for part in found.parts if not part.answers]
        if found.stopped or silent or record.state is not State.READY:
            unwell.append(f"{record.name}: {found.state}" + (f", no answer from {', '.join(silent)}" if silent else ""))
            hints.append(_again(record))
    if unwell:
        return warning("; ".join(unwell), "; ".join(dict.fromkeys(hints)))
    return ok(f"{len(records)} environments, all parts answer")


def locks(scene: Scene) -> Finding:
    """Whether somebody who died still holds an environment."""
    held = [
        (record, holder) for registry, record in _records(scene) if (holder := holder_of(registry.folder, record.name))
    ]
    stale = [(record, holder) for record, holder in held if not holder.alive()]
    if stale:
        told = "; ".join(f"{record.name}: {_describe(holder)}" for record, holder in stale)
        return warning(f"stale: {told}", "; ".join(dict.fromkeys(_again(record) for record, _ in stale)))
    working = ", ".join(f"{record.name} by {holder.describe()}" for record, holder in held)
    return ok(f"held: {working}" if working else "nobody holds an environment")


def secret_files(scene: Scene) -> Finding:
    """Whether files with passwords are readable by their owner alone."""
    paths = [Path(record.root) / "environment.env" for _, record in _records(scene)]
    layout = find_layout(scene.start, scene.home)
    if layout is not None and layout.keys.is_dir():
        paths += [path for path in layout.keys.iterdir() if path.is_file() and path.suffix != ".pub"]
    found = [path for path in paths if path.is_file()]
    for path in found:
        if complaint := _private(path):
            return complaint
    return ok(f"{len(found)} files with secrets, readable by their owners alone")


def _is_here(scene: Scene) -> bool:
    try:
        return (platform_folder(scene.start, Repository.find(scene.start)) / FILE_NAME).is_file()
    except DataopsError:
        return False


def _records(scene: Scene) -> list[tuple[Registry, EnvironmentRecord]]:
    layout = find_layout(scene.start, scene.home)
    registry = Registry(layout.registry) if layout else None
    return [(registry, record) for record in registry.survey()[0]] if registry else []


def _private(path: Path) -> Finding | None:
    mode = stat.S_IMODE(path.stat().st_mode)
    return failed(f"{path} has mode {mode:04o}: others may read it", f"chmod 600 {path}") if mode & 0o077 else None


def _describe(holder: Holder) -> str:
    return f"{holder.describe()} died during `{holder.command}`"


def _again(record: EnvironmentRecord) -> str:
    from dataops.envs.variables import again

    if record.state is State.DESTROYING:
        return f"dataops env down {record.name}"
    return again(record)


PLATFORM = (
    Probe("dataops.yaml", "platform", definition),
    Probe("passphrase", "platform", passphrase),
    Probe("state", "platform", backend),
    Probe("environments", "platform", environments, deadline=30),
    Probe("locks", "platform", locks),
    Probe("secret files", "platform", secret_files),
)
"""Whether the platform at hand is well."""
