"""The settings of commands, and which source decides each: option, variable, dataops.yaml, git, default.

The first source that gives a value wins, in this order. An option that is absent decides nothing, whatever its default
in a help text. `resolve` is what commands use, so what `dataops config explain` prints is what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataops.envs.surroundings import Surroundings
from dataops.infra.errors import ConfigurationError, NotFoundError

LAYERS = ("flag", "variable", "file", "git", "default")
"""The sources, strongest first."""

YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0", "")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and where it may be given.

    Args:
        key: its name; also `dataops.<key>` in git's configuration where `git` is true.
        help: what it decides.
        flag: the option that gives it, as typed; "" where there is none.
        variable: the variable that gives it.
        implied: variables that imply a value when they are set to anything but no: pairs of name and value.
        file: its place in `dataops.yaml`.
        git: whether `git config dataops.<key>` gives it.
        derived: what git itself says, such as the current branch, with words for where that comes from.
        default: what holds otherwise; a function where it depends on the machine.
        choices: the values it may have; () for any.
        number: whether it is a whole number from 1.
    """

    key: str
    help: str
    flag: str = ""
    variable: str = ""
    implied: tuple[tuple[str, str], ...] = ()
    file: tuple[str, ...] = ()
    git: bool = True
    derived: tuple[Callable[[Surroundings], str], str] | None = None
    default: str | Callable[[], str] = ""
    choices: tuple[str, ...] = ()
    number: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one source says: `value` is None where it says nothing; `where` is the place to look at or to write to."""

    layer: str
    value: Any
    where: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A setting with what decided it, and what every source says, strongest first.

    `problem` is what is wrong with the value, None where it is one that the setting may have.
    """

    setting: Setting
    value: Any
    source: str
    where: str
    candidates: tuple[Candidate, ...]
    problem: ConfigurationError | None = None


def _home() -> str:
    from dataops.infra.platform.layout import usual_home

    return str(usual_home())


SETTINGS = (
    Setting("env", "The environment that is meant.", "--env NAME", "DATAOPS_ENV"),
    Setting(
        "branch",
        "The branch of a replica.",
        "--branch BRANCH",
        "DATAOPS_BRANCH",
        derived=(lambda around: around.branch, "the branch that is checked out"),
    ),
    Setting(
        "target",
        "Where a replica runs: `local` or `docker`; by default where it is, else `local`.",
        "--target TARGET",
        "DATAOPS_TARGET",
        file=("defaults", "target"),
        choices=("local", "docker"),
    ),
    Setting(
        "snapshot",
        "The data of a replica: an id, `newest`, `empty` or `subset:RULE`; by default what it has, else the newest.",
        "--snapshot ID",
        "DATAOPS_SNAPSHOT",
        file=("defaults", "snapshot"),
    ),
    Setting(
        "warm",
        "How many copies of a replica's database are made ahead where clones cannot share blocks.",
        variable="DATAOPS_WARM",
        file=("defaults", "warm"),
        default="0",
        choices=("0", "1", "2", "3", "4"),
    ),
    Setting("home", "Where environments, snapshots and keys lie.", variable="DATAOPS_HOME", git=False, default=_home),
    Setting(
        "folder",
        "The folder that a command works in; its platform is the nearest dataops.yaml in it or above.",
        "-C FOLDER",
        git=False,
        derived=(lambda around: around.top, "the top of the work tree"),
        default=lambda: str(Path.cwd()),
    ),
    Setting(
        "backend",
        "Where state is kept.",
        file=("backend",),
        git=False,
        default=".dataops/state",
    ),
    Setting(
        "passphrase",
        "Where the passphrase of the state's secrets comes from.",
        file=("passphrase",),
        git=False,
        default="file: .dataops/passphrase",
    ),
    Setting(
        "engine",
        "What makes resources of programs: the engine that comes with dataops, or the `pulumi` command on PATH.",
        "--engine ENGINE",
        "DATAOPS_ENGINE",
        file=("engine",),
        default="auto",
        choices=("auto", "embedded", "pulumi"),
    ),
    Setting(
        "parallel",
        "How many resources `dataops stack` works on at once.",
        "--parallel N",
        "DATAOPS_PARALLEL",
        file=("defaults", "parallel"),
        default="16",
        number=True,
    ),
    Setting(
        "output",
        "The form of results.",
        "--output FORM",
        "DATAOPS_OUTPUT",
        default="table",
        choices=("table", "json", "yaml", "md"),
    ),
    Setting(
        "log-format",
        "The form of progress and errors.",
        "--log-format FORM",
        "DATAOPS_LOG_FORMAT",
        default="auto",
        choices=("auto", "plain", "json", "tty"),
    ),
    Setting(
        "non-interactive",
        "Whether questions are left out; what would need an answer fails.",
        "--non-interactive",
        "DATAOPS_NON_INTERACTIVE",
        implied=(("CI", "true"),),
        default="false",
        choices=("true", "false"),
    ),
    Setting(
        "color",
        "Whether text is coloured; auto means at a terminal.",
        "--color WHEN",
        "DATAOPS_COLOR",
        implied=(("NO_COLOR", "never"),),
        default="auto",
        choices=("auto", "always", "never"),
    ),
)
"""Every setting, in the order of `dataops config ls`."""


def find_setting(key: str) -> Setting | None:
    """A setting by its key, or by the name of its variable or option."""
    names = {key, key.removeprefix("--")}
    return next((s for s in SETTINGS if s.key in names or (s.variable and s.variable == key)), None)


def resolve(key: str, around: Surroundings, flag: Any = None) -> Resolved:
    """What a setting is, and why; a value that it may not have is told as its problem.

    Args:
        key: its name.
        around: where to look.
        flag: what the option says; None where it was not given.

    Raises:
        NotFoundError: there is no such setting.
    """
    setting = _setting(key)
    candidates = tuple(_candidates(setting, around, flag))
    chosen = next(c for c in candidates if c.value is not None)
    try:
        return Resolved(setting, _checked(setting, chosen), chosen.layer, chosen.where, candidates)
    except ConfigurationError as problem:
        return Resolved(setting, chosen.value, chosen.layer, chosen.where, candidates, problem)


def value_of(key: str, around: Surroundings, flag: Any = None) -> Any:
    """The value alone, looking no further than the source that decides.

    Raises:
        NotFoundError: there is no such setting.
        ConfigurationError: the value that wins is not one it may have; `where` says who gives it.
    """
    setting = _setting(key)
    return next(_checked(setting, c) for c in _candidates(setting, around, flag) if c.value is not None)


def _setting(key: str) -> Setting:
    setting = find_setting(key)
    if setting is None:
        raise NotFoundError(f"there is no setting {key}", hint="`dataops config ls` lists them")
    return setting


def _candidates(setting: Setting, around: Surroundings, flag: Any) -> Any:
    """One candidate per source, in order; lazily, since the later ones cost more."""
    yield Candidate("flag", flag, setting.flag)
    yield _variable(setting, around)
    given = around.in_file(setting.file)
    place = f"{around.file or 'dataops.yaml'}: {'.'.join(setting.file)}" if setting.file else ""
    yield Candidate("file", given[0] if given else None, given[1] if given else place)
    yield _git(setting, around)
    default = setting.default() if callable(setting.default) else setting.default
    yield Candidate("default", default, "")


def _variable(setting: Setting, around: Surroundings) -> Candidate:
    if setting.variable and (value := around.environment.get(setting.variable)):
        return Candidate("variable", value, setting.variable)
    for name, implied in setting.implied:
        if around.environment.get(name, "").lower() not in NO:
            return Candidate("variable", implied, name)
    return Candidate("variable", None, setting.variable)


def _git(setting: Setting, around: Surroundings) -> Candidate:
    if setting.git and (found := around.in_git(setting.key)):
        return Candidate("git", found[0], f"dataops.{setting.key} in {found[1]}")
    if setting.derived and (value := setting.derived[0](around)):
        return Candidate("git", value, setting.derived[1])
    return Candidate("git", None, f"git config dataops.{setting.key}" if setting.git else "")


def _checked(setting: Setting, chosen: Candidate) -> Any:
    """The value as the setting has it: a number where it is one, `true` or `false` in one spelling."""
    value = chosen.value
    if setting.choices == ("true", "false"):
        text = str(value).lower()
        value = "true" if text in YES else "false" if text in NO else text
    value = str(value) if setting.choices and isinstance(value, int) else value
    if setting.number and str(value).isdecimal() and int(value) > 0:
        return int(value)
    if setting.number or (setting.choices and value not in (*setting.choices, setting.default)):
        # what is asked how it prints must not have to print in a form that there is not
        shown = {"output": " -o table", "log-format": " --log-format plain"}.get(setting.key, "")
        wanted = "a whole number from 1" if setting.number else f"one of {', '.join(setting.choices)}"
        raise ConfigurationError(
            f"{setting.key} cannot be {str(value)!r}: it is {wanted}",
            where=chosen.where or None,
            hint=f"correct it there; `dataops config explain {setting.key}{shown}` shows every source",
        )
    return value


def with_value(candidate: Candidate, value: Any) -> Candidate:
    """The same candidate with another value, such as one that hides a secret."""
    return replace(candidate, value=value)
