"""The tree of commands is one: examples everywhere, the same option under the same name, results in every form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from dataops.cli.main import dataops
from dataops.cli.parameter_types import Named


def walk(command: click.Command, words: str = "dataops") -> Iterator[tuple[str, click.Command]]:
    """Every command with its words, groups included."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            if not below.hidden:
                yield from walk(below, f"{words} {name}")


TREE = dict(walk(dataops))
LEAVES = {words: command for words, command in TREE.items() if not isinstance(command, click.Group)}
WITHOUT_RESULT = {"dataops env exec", "dataops env shell", "dataops env logs", "dataops completion", "dataops schema"}
"""They print what somebody else prints, a script or a document of one form."""

OWN = {words: command for words, command in TREE.items() if not words.startswith("dataops stack")}
"""Commands of our own: `dataops stack` has the options of the `pulumi` command, letter by letter."""

LETTERS = {"-f": {"--file", "--follow"}}
"""Letters that stand for more than one option, as they do in every tool."""


def options(command: click.Command) -> Iterator[click.Option]:
    return (parameter for parameter in command.params if isinstance(parameter, click.Option))


@pytest.mark.parametrize("words", sorted(TREE))
def test_every_help_has_an_example_of_the_command_itself(words: str) -> None:
    text = TREE[words].help or ""
    _, found, examples = text.partition("Example")
    assert found, f"{words} --help has no example"
    assert words in examples, f"the example of {words} is of another command"


@pytest.mark.parametrize("words", sorted(LEAVES))
def test_every_argument_and_option_is_explained(words: str) -> None:
    bare = [option.opts[-1] for option in options(LEAVES[words]) if not (option.help or "").strip()]
    assert bare == []
    assert (LEAVES[words].help or "").strip().splitlines()[0].endswith((".", ":"))


def test_a_letter_means_the_same_everywhere() -> None:
    meanings = defaultdict(set)
    for command in OWN.values():
        for option in options(command):
            long = next((name for name in option.opts if name.startswith("--")), "")
            for letter in (name for name in option.opts if len(name) == 2):
                meanings[letter].add(long)
    assert {letter: m for letter, m in meanings.items() if len(m) > 1 and not m <= LETTERS.get(letter, set())} == {}


def test_what_stack_commands_share_with_ours_has_the_same_letter() -> None:
    ours = {name: letter for command in OWN.values() for name, letter in _letters(command)}
    theirs = {name: letter for w, c in TREE.items() if w.startswith("dataops stack") for name, letter in _letters(c)}
    shared = {"--cwd", "--output", "--yes"}
    assert shared <= ours.keys() & theirs.keys()
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def _letters(command: click.Command) -> Iterator[tuple[str, str]]:
    for option in options(command):
        yield option.opts[-1], next((name for name in option.opts if len(name) == 2), "")


def test_a_name_has_the_same_letter_and_takes_the_same_everywhere() -> None:
    forms: defaultdict[str, defaultdict[tuple[tuple[str, ...], bool], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for words, command in OWN.items():
        for option in options(command):
            name = next((n for n in option.opts if n.startswith("--")), option.opts[0])
            letters = tuple(n for n in option.opts if len(n) == 2)
            forms[name].setdefault((letters, option.is_flag), []).append(words)
    assert {name: dict(f) for name, f in forms.items() if len(f) > 1} == {}


@pytest.mark.parametrize("words", sorted(w for w in set(LEAVES) - WITHOUT_RESULT if not w.startswith("dataops stack ")))
def test_every_result_comes_in_every_form(words: str) -> None:
    found = {name: option for option in options(LEAVES[words]) for name in option.opts}
    assert {"--output", "--log-format", "--non-interactive"} <= found.keys()
    choice = found["--output"].type
    assert isinstance(choice, click.Choice) and {"table", "json", "yaml", "md"} <= set(choice.choices)


NAMING = {"environment", "branch", "snapshot", "snapshot_id", "step", "stack"}


def test_whatever_names_something_completes() -> None:
    silent = [
        f"{words} {parameter.human_readable_name}"
        for words, command in LEAVES.items()
        for parameter in command.params
        if parameter.name in NAMING
        and not words.startswith("dataops stack ")
        and not isinstance(parameter.type, (Named, click.Choice))
    ]
    assert silent == []
