"""Pulumi.<stack>.yaml and paths into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.resources.values import Secret
from dataops.infra.state.config_path import adjust, parse_path
from dataops.infra.state.passphrase import PassphraseSecrets
from dataops.infra.state.stack_config import StackConfig
from support.stacks import stack_secrets

# As the Pulumi CLI wrote it, with two comments added.
WRITTEN = """\
encryptionsalt: v1:u/RwoRf7/1s=:v1:ofwebFCfLM3h7pDN:ZHa7WFg2bzRHIZ2lxKkN2Mpt8y52YQ==
config:
  # what it says
  probe:plain: hello
  probe:tok:
    secure: v1:JqxNnufGV7d/mmt/:zi1CBvr0FQHyE5pWWPzBqcXT9FmJ6Ik=
  probe:a:
    b:
      - c: 5
    d: true
    s:
      secure: v1:xQ9q+b1wmGbuPuP0:cVIsuEdC3t8Bj5RxSM2tYG6CXQ==
  probe:n: "5"
  probe:multi: |-
    line1
    line2
  probe:t: "yes"
  probe:d: "2024-01-01"
  probe:it: 'a: b # c'
  probe:quote: it's "q"
  aws:region: us-east-1 # where
  probe:empty: ""
  probe:port: 8080
  probe:on: true
"""


def config_in(folder: Path, text: str | None = None) -> StackConfig:
    path = folder / "Pulumi.dev.yaml"
    if text is not None:
        path.write_text(text)
    return StackConfig(path, "probe")


def test_what_pulumi_wrote_is_understood(tmp_path: Path) -> None:
    secrets = PassphraseSecrets("tr0ub4dor", "v1:u/RwoRf7/1s=:v1:ofwebFCfLM3h7pDN:ZHa7WFg2bzRHIZ2lxKkN2Mpt8y52YQ==")
    config = config_in(tmp_path, WRITTEN)
    assert config.encryption_salt == secrets.salt
    assert config.values(secrets) == {
        "aws:region": "us-east-1",
        "probe:a": Secret('{"b":[{"c":5}],"d":true,"s":"shh"}'),
        "probe:d": "2024-01-01",
        "probe:empty": "",
        "probe:it": "a: b # c",
        "probe:multi": "line1\nline2",
        "probe:n": "5",
        "probe:on": "true",
        "probe:plain": "hello",
        "probe:port": "8080",
        "probe:quote": 'it\'s "q"',
        "probe:t": "yes",
        "probe:tok": Secret("hunter2"),
    }


def test_a_program_gets_of_an_object_the_text_that_pulumi_makes_of_it(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text('config:\n  p:o: {z: "<&>ü", a: [1.50, true, null], n: {b: 1, a: 2}}\n  p:text: "<&>"\n')
    values = StackConfig(file, "p").values(stack_secrets())
    escaped = "".join(f"\\u{ord(char):04x}" for char in "<&>")
    assert values["p:o"] == f'{{"a":[1.5,true,null],"n":{{"a":2,"b":1}},"z":"{escaped}ü"}}'
    assert values["p:text"] == "<&>"


def test_saving_without_a_change_keeps_every_byte(tmp_path: Path) -> None:
    config_in(tmp_path, WRITTEN).save()
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == WRITTEN


def test_a_change_touches_only_its_own_lines(tmp_path: Path) -> None:
    config = config_in(tmp_path, WRITTEN)
    config.set("plain", "bye")
    config.set("new", "0123")
    config.save()
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == (WRITTEN.replace("hello", "bye") + '  probe:new: "0123"\n')


def test_a_secret_is_written_encrypted(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    config.encryption_salt = stack_secrets().salt
    config.set("token", "hunter2", secrets=stack_secrets())
    config.set("outer.inner[0]", "hush", secrets=stack_secrets(), path=True)
    config.save()
    text = (tmp_path / "Pulumi.dev.yaml").read_text()
    assert text.startswith("encryptionsalt: v1:") and "hunter2" not in text and "hush" not in text
    again = config_in(tmp_path)
    assert again.get("token").text(stack_secrets()) == Secret("hunter2")
    assert again.get("outer.inner[0]", path=True).text(stack_secrets()) == Secret("hush")
    assert again.get("outer").is_object and again.get("outer").secret


def test_values_at_paths_are_set_read_and_removed(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    config.set("a.b[0].c", "5", path=True)
    config.set("a.b[1]", "true", path=True)
    config.set('a["x.y"]', "text", path=True)
    config.set("aws:tags.env", "dev", path=True)
    assert config.get("a").raw == {"b": [{"c": 5}, True], "x.y": "text"}
    assert config.get("aws:tags.env", path=True).raw == "dev"
    config.remove("a.b[0]", path=True)
    assert config.get("a.b", path=True).raw == [True]
    for gone in ("a.b[1]", "a.c", "b"):
        with pytest.raises(NotFoundError, match="not set"):
            config.get(gone, path=True)
        with pytest.raises(NotFoundError, match="not set"):
            config.remove(gone, path=True)


def test_paths_through_something_else_are_refused(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    config.set("text", "x")
    config.set("list[0]", "x", path=True)
    for path in ("text.inner", "text[0]", "list.key", "list[2]"):
        with pytest.raises(ConfigurationError, match="leads through"):
            config.set(path, "y", path=True)


@pytest.mark.parametrize("path", ["", "a.", ".a", "a..b", "a[x]", "a[-1]", "a]b", "[0]", 'a["b', "a[0]b"])
def test_malformed_paths_are_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="not a path"):
        parse_path(path)


def test_keys_are_completed_with_the_project(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    assert [config.full_key(key) for key in ("a", "aws:a", "aws:config:a")] == ["probe:a", "aws:a", "aws:a"]
    for key in ("", ":", "a:", "a:b:c", "a:b:c:d"):
        with pytest.raises(ConfigurationError):
            config.full_key(key)


def test_text_at_a_path_is_what_it_spells() -> None:
    assert [adjust(text) for text in ("true", "5", "-7", "007", "1.5", "1e3", "")] == [
        True, 5, -7, "007", "1.5", "1e3", "",
    ]  # fmt: skip


def test_the_last_value_takes_the_file_with_it(tmp_path: Path) -> None:
    config = config_in(tmp_path, "config:\n  probe:a: x\n")
    config.remove("a")
    config.save()
    assert not (tmp_path / "Pulumi.dev.yaml").exists()


def test_a_linked_file_stays_a_link_and_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("config:\n  probe:a: x\n")
    (tmp_path / "real.yaml").chmod(0o640)
    (tmp_path / "Pulumi.dev.yaml").symlink_to("real.yaml")
    config = config_in(tmp_path)
    config.set("a", "z")
    config.save()
    assert (tmp_path / "Pulumi.dev.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_text() == "config:\n  probe:a: z\n"
    assert (tmp_path / "real.yaml").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("config: [1]\n", 1),
        ("encryptionsalt: v1\nconfig: text\n", 2),
        ("encryptionsalt: [v1]\n", 1),
        ("config:\n  a: x\n", 2),
        ("config:\n  p:a: x\n  p:b: {\n", 4),
        ("- 1\n", 1),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ConfigurationError) as told:
        config_in(tmp_path, text)
    assert told.value.where == f"{tmp_path}/Pulumi.dev.yaml:{line}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\n\t")))
def test_any_text_comes_back_as_it_was(tmp_path: Path, value: str) -> None:
    config = config_in(tmp_path, "")
    config.set("a", value)
    config.set("b", "after")
    config.save()
    again: dict[str, Any] = config_in(tmp_path).values(stack_secrets())
    assert again == {"probe:a": value, "probe:b": "after"}
