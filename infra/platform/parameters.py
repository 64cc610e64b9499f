"""What differs from one environment to the next: the parameters of the stacks, as Pulumi configuration.

Each field is the configuration key `dataops:<fieldInCamelCase>` of the environment's stack; nothing here is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.layout import EnvironmentLayout, PlatformLayout

NAMESPACE = "dataops"
ROLES = ("production", "staging", "replica")
TARGETS = ("local",)


@dataclass(frozen=True, slots=True)
class EnvironmentParameters:
    """Everything a stack needs to know beside `dataops.yaml`.

    Args:
        environment: its name; also the stack's.
        role: `production`, `staging` or `replica`.
        target: where it runs: `local`.
        repository: the git repository (a work tree or its common directory).
        commit: the full id of the commit it runs.
        branch: the branch the commit was taken from.
        home: dataops' home directory.
        directory: the platform's folder below `<home>/platforms`, `PlatformLayout.directory`.
        subdirectory: where the platform's folder lies in the repository; "" at its top.
        snapshot: id of the snapshot a replica is made of; "" elsewhere.
        developer: whose replica it is; "" elsewhere.
        production_hosts: `host` or `host:port` where production answers: a replica must not point there.
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

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ConfigurationError(f"no environment can be a `{self.role}`", hint=f"use one of {', '.join(ROLES)}")
        if self.target not in TARGETS:
            raise ConfigurationError(f"there is no target `{self.target}`", hint=f"use one of {', '.join(TARGETS)}")
        if self.role == "replica" and not self.snapshot:
            raise ConfigurationError(f"the replica `{self.environment}` has no snapshot to be made of")

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

    def to_config(self) -> dict[str, str]:
        """The stack configuration that carries these parameters; empty ones are left out."""
        values = {key: getattr(self, name) for name, key in _keys().items()}
        texts = {key: ",".join(value) if isinstance(value, tuple) else str(value) for key, value in values.items()}
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
                    hint="run it with `dataops env up` or `dataops env deploy`, which set it",
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
        )


def config_keys() -> tuple[str, ...]:
    """Every configuration key that carries a parameter."""
    return tuple(_keys().values())


def _keys() -> dict[str, str]:
    keys = {}
    for field in fields(EnvironmentParameters):
        head, *rest = field.name.split("_")
        keys[field.name] = f"{NAMESPACE}:{head}{''.join(part.title() for part in rest)}"
    return keys
