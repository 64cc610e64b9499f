"""`dataops stack config` on real files, read and written as the `pulumi` command does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataops.cli.commands.stack_config import looks_secret
from support.console import Console, SameProcess, project


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A project with the stack `dev` selected."""
    console = project(tmp_path / "shop", kind=SameProcess)
    console.stack("init", "dev")
    return console


def stored(console: Console, stack: str = "dev") -> str:
    return (console.folder / f"Pulumi.{stack}.yaml").read_text()


def test_values_are_kept_as_text_and_listed(console: Console) -> None:
    console.stack("config", "set", "step", "0", "--non-interactive")
    console.stack("config", "set", "aws:region", "eu-west-1")
    assert 'shop:step: "0"' in stored(console)
    assert console.stack("config", "--json").json == {
        "aws:region": {"value": "eu-west-1", "secret": False},
        "shop:step": {"value": "0", "secret": False},
    }
    assert console.stack("config").stdout.splitlines() == [
        "KEY         VALUE",
        "aws:region  eu-west-1",
        "step        0",
    ]
    assert console.stack("config", "get", "step").stdout == "0\n"
    console.stack("config", "rm", "step")
    assert console.run("stack", "config", "get", "step").status == 6


def test_secrets_are_encrypted_and_shown_only_when_asked_for(console: Console) -> None:
    console.stack("config", "set", "--secret", "token", "open sesame")
    assert "open sesame" not in stored(console)
    assert "open sesame" not in console.stack("config").stdout
    assert console.stack("config", "ls", "--json").json == {"shop:token": {"secret": True}}
    assert console.stack("config", "get", "token").stdout == "open sesame\n"
    assert console.stack("config", "--show-secrets", "--json").json["shop:token"]["value"] == "open sesame"


def test_paths_reach_into_mappings_and_lists(console: Console) -> None:
    console.stack("config", "set", "--path", "servers[0].host", "db")
    console.stack("config", "set", "--path", "servers[0].port", "5432")
    console.stack("config", "set", "--path", "servers[0].password", "hush", "--secret")
    assert json.loads(console.stack("config", "get", "servers").stdout) == [
        {"host": "db", "port": 5432, "password": "hush"}
    ]
    assert console.stack("config", "get", "--path", "servers[0].password").stdout == "hush\n"
    assert '"password":"[secret]"' in console.stack("config").stdout
    console.stack("config", "rm", "--path", "servers[0].password")
    assert console.stack("config", "--json").json["shop:servers"]["objectValue"] == [{"host": "db", "port": 5432}]


def test_a_value_may_be_given_with_its_type(console: Console) -> None:
    # What pulumi 3.250 writes for the same commands.
    for key, text, kind in (("n", "05", "int"), ("f", "1.50", "float"), ("e", "1e3", "float"), ("b", "True", "bool")):
        console.stack("config", "set", key, text, "--type", kind)
    console.stack("config", "set", "--path", "a.b", "5", "--type", "string")
    console.stack("config", "set", "--path", "a.c", "5", "--type", "int")
    console.stack("config", "set", "--path", "a.d", "2.5", "--type", "float")
    found = console.stack("config", "--json").json
    assert [found[f"shop:{key}"]["value"] for key in "nfeb"] == ["5", "1.5", "1000", "true"]
    assert 'shop:n: "5"' in stored(console) and 'shop:b: "true"' in stored(console)
    assert found["shop:a"]["objectValue"] == {"b": "5", "c": 5, "d": 2.5}
    refused = console.run("stack", "config", "set", "n", "x", "--type", "int")
    assert refused.status == 2 and "'x' is not of the type int" in refused.stderr
    assert console.run("stack", "config", "set", "n", "1", "--type", "int", "--secret").status == 2
    assert console.stack("config", "get", "n").stdout == "5\n"


def test_a_value_may_come_from_standard_input(console: Console) -> None:
    console.stack("config", "set", "--secret", "note", stdin="two\nlines\n")
    assert console.stack("config", "get", "note").stdout == "two\nlines\n"


def test_what_looks_like_a_secret_is_not_stored_in_the_open(console: Console) -> None:
    refused = console.run("stack", "config", "set", "password", "hdH7dkj3kd9Dkk3lskd92")
    assert refused.status == 2
    assert "--secret" in refused.stderr
    assert "hdH7" not in refused.stderr
    console.stack("config", "set", "password", "hdH7dkj3kd9Dkk3lskd92", "--plaintext")
    assert "hdH7" in stored(console)


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("password", "correct-Horse7battery", True),
        ("apiKey", "AKIA8sd7f6s8d7fs6d8f", True),
        ("region", "hdH7dkj3kd9Dkk3lskd92", False),
        ("password", "short", False),
        ("tokenLifetime", "3600", False),
        ("secretName", "aaaaaaaaaaaaaaaaaaaaaaa", False),
    ],
)
def test_only_random_text_under_a_telling_name_looks_secret(key: str, value: str, secret: bool) -> None:
    assert looks_secret(key, value) is secret


def test_a_wrong_passphrase_is_told(console: Console) -> None:
    console.stack("config", "set", "--secret", "token", "x")
    wrong = {"PULUMI_CONFIG_PASSPHRASE": "wrong"}
    for words in (("get", "token"), ("set", "--secret", "token", "y")):
        outcome = console.run("stack", "config", *words, variables=wrong)
        assert outcome.status == 3
        assert "passphrase" in outcome.stderr
    missing = console.run("stack", "config", "get", "token", variables={"PULUMI_CONFIG_PASSPHRASE": None})
    assert missing.status == 3
    assert "PULUMI_CONFIG_PASSPHRASE" in missing.stderr


def test_the_passphrase_may_be_in_a_file(console: Console) -> None:
    path = console.write("passphrase", "correct horse\n")
    variables = {"PULUMI_CONFIG_PASSPHRASE": None, "PULUMI_CONFIG_PASSPHRASE_FILE": str(path)}
    console.stack("config", "set", "--secret", "token", "x", variables=variables)
    assert console.stack("config", "get", "token").stdout == "x\n"


def test_defaults_of_the_project_are_listed_until_a_stack_sets_them(console: Console) -> None:
    console.write("Pulumi.yaml", "name: shop\nruntime: python\nconfig:\n  size:\n    default: 3\n")
    assert console.stack("config", "get", "size").stdout == "3\n"
    console.stack("config", "set", "size", "4")
    assert console.stack("config", "get", "size").stdout == "4\n"


def test_a_damaged_configuration_is_named_with_its_line(console: Console) -> None:
    console.write("Pulumi.dev.yaml", "config:\n  shop:a: 1\n  b: 2\n")
    outcome = console.run("stack", "config")
    assert outcome.status == 2
    assert "Pulumi.dev.yaml:3" in outcome.stderr


def test_a_bad_key_is_refused(console: Console) -> None:
    assert console.run("stack", "config", "set", "a:b:c", "1").status == 2
    assert console.run("stack", "config", "set", "--path", "[", "1").status == 2
