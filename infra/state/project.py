"""Pulumi.yaml: which program a folder holds, and how to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.state.config_value import ObjectText, config_text
from dataops.infra.state.yaml_source import place, plain_yaml, read_yaml, wrong_type

FILE_NAMES = ("Pulumi.yaml", "Pulumi.yml")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A project as its Pulumi.yaml describes it.

    Args:
        path: the file.
        name, description: as written.
        runtime: `python`.
        virtualenv: the virtual environment that runs the program, absolute; None for the one that runs this.
        main: the program, a folder or a file, absolute.
        backend_url: where state is kept; "" when the file does not say.
        stack_config_dir: the folder of the Pulumi.<stack>.yaml files.
        defaults: configuration for stacks that do not set it, by full key; values that are not text are JSON.
        plugins: the `plugins` section, as written.
        always_refreshes: whether operations refresh first unless they are told not to (`options: {refresh: always}`).
    """

    path: Path
    name: str
    runtime: str
    main: Path
    virtualenv: Path | None = None
    description: str = ""
    backend_url: str = ""
    stack_config_dir: Path = Path()
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    plugins: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    always_refreshes: bool = False

    @property
    def root(self) -> Path:
        """The folder that the project lies in."""
        return self.path.parent

    def stack_file(self, stack: str) -> Path:
        """The configuration file of a stack."""
        return self.stack_config_dir / f"Pulumi.{stack}.yaml"


def find_project(start: Path) -> ProjectFile:
    """The project that a folder belongs to: the nearest Pulumi.yaml, upwards.

    Raises:
        NotFoundError: there is none.
        ConfigurationError: it is not right; with file and line.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        for name in FILE_NAMES:
            if (folder / name).is_file():
                return load_project(folder / name)
    raise NotFoundError(
        f"no Pulumi.yaml in {start} or a folder above it", hint="run this inside a project, or start one: dataops init"
    )


def load_project(path: Path) -> ProjectFile:
    """Reads a Pulumi.yaml. Raises as `find_project` does."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise ConfigurationError("a project file must be a mapping", where=f"{path}:1", hint="begin with `name: NAME`")
    name = _text(path, document, "name")
    if not name:
        raise ConfigurationError("the project has no name", where=f"{path}:1", hint="add a line `name: NAME`")
    runtime, options = _runtime(path, document)
    if runtime != "python":
        raise ConfigurationError(
            f"programs in {runtime!r} cannot be run here",
            where=place(path, document, "runtime"),
            hint="write `runtime: python`, or use the pulumi command for this project",
        )
    root = path.parent
    virtualenv = _text(path, options, "virtualenv")
    config_dir = _text(path, document, "stackConfigDir")
    backend = _mapping(path, document, "backend")
    return ProjectFile(
        path=path,
        name=name,
        runtime=runtime,
        main=(root / _text(path, document, "main")),
        virtualenv=(root / virtualenv) if virtualenv else None,
        description=_text(path, document, "description"),
        backend_url=_text(path, backend, "url"),
        stack_config_dir=(root / config_dir) if config_dir else root,
        defaults=_defaults(path, name, _mapping(path, document, "config")),
        plugins=plain_yaml(_mapping(path, document, "plugins")),
        always_refreshes=_text(path, _mapping(path, document, "options"), "refresh") == "always",
    )


def _runtime(path: Path, document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    runtime = document.get("runtime")
    if isinstance(runtime, dict):
        return _text(path, runtime, "name"), _mapping(path, runtime, "options")
    if "runtime" not in document:
        raise ConfigurationError(
            "the project does not name its runtime", where=f"{path}:1", hint="add a line `runtime: python`"
        )
    return _text(path, document, "runtime"), {}


def _text(path: Path, node: dict[str, Any], key: str) -> str:
    value = node.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    raise wrong_type(path, node, key, "text")


def _mapping(path: Path, node: dict[str, Any], key: str) -> dict[str, Any]:
    value = node.get(key)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise wrong_type(path, node, key, "a mapping")


def _defaults(path: Path, project: str, config: dict[str, Any]) -> dict[str, str]:
    """Values of the `config` section: given plainly, or as `value` or `default` of a declaration."""
    found: dict[str, str] = {}
    for key, declared in config.items():
        value = declared
        if isinstance(declared, dict):
            if declared.get("secret") and ("value" in declared or "default" in declared):
                raise ConfigurationError(
                    f"the secret {key!r} cannot have its value in the project file",
                    where=place(path, config, key),
                    hint=f"set it in each stack: dataops stack config set --secret {key}",
                )
            value = declared.get("value", declared.get("default"))
        if value is not None:
            full = str(key) if ":" in str(key) else f"{project}:{key}"
            raw = plain_yaml(value)
            found[full] = ObjectText(config_text(raw), raw) if isinstance(raw, (dict, list)) else config_text(raw)
    return found
