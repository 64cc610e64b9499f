"""What differs from one environment to the next: the parameters of the stacks, as Pulumi configuration.

Each field is the configuration key `dataops:<fieldInCamelCase>` of the environment's stack; only `variables` may be
secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.layout import EnvironmentLayout, PlatformLayout

NAMESPACE = "dataops"
ROLES = ("production", "staging", "replica")
TARGETS = ("local", "docker")


@dataclass(frozen=True, slots=True)
class EnvironmentParameters:
    """Everything a stack needs to know beside `dataops.yaml`.

    Args:
        environment: its name; also the stack's.
        role: `production`, `staging` or `replica`.
        target: where it runs: `local`, as processes, or `docker`, as containers of this machine.
        repository: the git repository (a work tree or its common directory).
        commit: the full id of the commit it runs.
        branch: the branch the commit was taken from.
        home: dataops' home directory.
        directory: the platform's folder below `<home>/platforms`, `PlatformLayout.directory`.
        subdirectory: where the platform's folder lies in the repository; "" at its top.
        snapshot: id of the snapshot a replica is made of; "" elsewhere, and for one that begins empty.
        developer: whose replica it is; "" elsewhere.
        production_hosts: `host` or `host:port` where production answers: a replica must not point there.
        warehouse_generation, lake_generation: how often a replica's data were laid anew, as text; "" for never.
        variables: variables that override those of `dataops.yaml`; may be secret.
    """

    environment: str
    role: str
    repository: Path
    commit: str
    home: Path
    directory: str
    target: str = "local"
    branch: str = ""
    subdirectory: str = ""
    snapshot: str = ""
    developer: str = ""
    production_hosts: tuple[str, ...] = ()
    warehouse_generation: str = ""
    lake_generation: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ConfigurationError(f"no environment can be a `{self.role}`", hint=f"use one of {', '.join(ROLES)}")
        if self.target not in TARGETS:
            raise ConfigurationError(f"there is no target `{self.target}`", hint=f"use one of {', '.join(TARGETS)}")

    @property
    def platform(self) -> PlatformLayout:
        """Where the platform's files lie."""
        return PlatformLayout(self.home, self.directory)

    @property
    def layout(self) -> EnvironmentLayout:
        """Where the environment's files lie."""
        return self.platform.environment(self.environment)

    @property
    def worktree(self) -> Path:
        """The checkout of the commit."""
        return self.layout.code(self.commit)

    @property
    def root(self) -> Path:
        """The platform's folder in that checkout: where `dataops.yaml` and `Pulumi.yaml` are."""
        return self.worktree / self.subdirectory if self.subdirectory else self.worktree

    @property
    def warehouse_data(self) -> str:
        """Names the data of a replica's warehouse: with another name they are laid anew; "" where they are no copy."""
        return self._data(self.warehouse_generation)

    @property
    def lake_data(self) -> str:
        """The same for the lake."""
        return self._data(self.lake_generation)

    def _data(self, generation: str) -> str:
        return f"{self.snapshot}/{generation or 0}" if self.role == "replica" else ""

    def to_config(self) -> dict[str, str]:
        """The stack configuration that carries these parameters; empty ones are left out."""
        values = {key: getattr(self, name) for name, key in _keys().items()}
        texts = {key: _text(value) for key, value in values.items()}
        return {key: text for key, text in texts.items() if text}

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> EnvironmentParameters:
        """Reads what `to_config` wrote; other keys are ignored.

        Raises:
            ConfigurationError: a parameter that has no default is missing, or one is not valid.
        """
        keys = _keys()
        found = {name: config.get(key, "") for name, key in keys.items()}
        for name in ("environment", "role", "repository", "commit", "home", "directory"):
            if not found[name]:
                raise ConfigurationError(
                    f"the stack configuration lacks `{keys[name]}`",
                    hint="run it with `dataops env up` or `dataops env deploy`, which set it; to go on with another "
                    "tool, `pulumi config refresh` takes it from the environment's last update",
                )
        return cls(
            environment=found["environment"],
            role=found["role"],
            repository=Path(found["repository"]),
            commit=found["commit"],
            home=Path(found["home"]),
            directory=found["directory"],
            target=found["target"] or "local",
            branch=found["branch"],
            subdirectory=found["subdirectory"],
            snapshot=found["snapshot"],
            developer=found["developer"],
            production_hosts=tuple(filter(None, found["production_hosts"].split(","))),
            warehouse_generation=found["warehouse_generation"],
            lake_generation=found["lake_generation"],
            variables=_variables(found["variables"]),
        )


def config_keys() -> tuple[str, ...]:
    """Every configuration key that carries a parameter."""
    return tuple(_keys().values())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(dict(value), sort_keys=True) if value else ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _variables(text: str) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ConfigurationError(f"`{NAMESPACE}:variables` of the stack configuration is no JSON object of texts")
    return found


def _keys() -> dict[str, str]:
    keys = {}
    for each in fields(EnvironmentParameters):
        head, *rest = each.name.split("_")
        keys[each.name] = f"{NAMESPACE}:{head}{''.join(part.title() for part in rest)}"
    return keys
