"""The version of a state's layout, in `.pulumi/meta.yaml`."""

from __future__ import annotations

from dataops.infra.errors import ConfigurationError, VerificationError
from dataops.infra.state.checkpoint import SUFFIXES
from dataops.infra.state.storage import Storage

META = ".pulumi/meta.yaml"
STACKS = ".pulumi/stacks"
VERSION = b"version: 1\n"


def require_projects(storage: Storage) -> bool:
    """Makes sure that stacks lie by project, as version 1 has them; gives whether the state is new and has no version.

    Raises:
        ConfigurationError: it is the layout without projects, or one of a newer version.
        VerificationError: the file that says so is damaged.
    """
    said = storage.read(META)
    if said is None:
        # Version 0 had no such file; its stacks lie directly in the folder.
        if any(name.endswith(tuple(f".json{suffix}" for suffix in SUFFIXES)) for name in storage.names(STACKS)):
            raise _without_projects(storage)
        return True
    version = 1 if said == VERSION else _version(said, storage)
    if version == 0:
        raise _without_projects(storage)
    if version != 1:
        raise ConfigurationError(
            f"the state has layout version {version}, this version of dataops reads 1",
            where=storage.describe(META),
            hint="use a newer dataops; nothing has been changed",
        )
    return False


def _version(said: bytes, storage: Storage) -> int:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        version = YAML(typ="safe", pure=True).load(said)["version"]
        if type(version) is int:
            return version
    except (YAMLError, UnicodeDecodeError, TypeError, KeyError):
        pass
    raise VerificationError(
        "the file with the version of the state's layout is damaged",
        where=storage.describe(META),
        hint="if stacks lie in folders of their projects beside it, let it say `version: 1`",
    )


def _without_projects(storage: Storage) -> ConfigurationError:
    return ConfigurationError(
        "the state is in the old layout, without projects",
        where=storage.describe(STACKS),
        hint="bring it up to date with `pulumi state upgrade`",
    )
