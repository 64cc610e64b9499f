"""How two environments' resources are compared: what differs of each, and nothing that is secret or a place."""

from __future__ import annotations

import pytest

from dataops.envs.diff_resources import SECRET_SIGNATURE, _leaves, differing
from dataops.envs.registry import EnvironmentRecord


def record(name: str) -> EnvironmentRecord:
    return EnvironmentRecord(
        name=name, platform="shop", role="replica", branch=name, commit="c" * 40, repository="/r", directory="",
        root=f"/home/{name}", backend="file:///s", project="shop", stack=name, passphrase={},
    )  # fmt: skip


def declared(inputs: object, name: str = "one") -> dict[str, str]:
    return dict(_leaves(inputs, (), record(name)))


def test_only_the_properties_that_differ_are_told() -> None:
    a = declared({"port": 1, "grants": [{"role": "reader", "tables": ["a"]}]})
    b = declared({"port": 1, "grants": [{"role": "reader", "tables": ["a", "b"]}]})
    assert differing(a, b) == ("", "grants.0.tables.1=b")


def test_a_document_in_a_text_is_compared_as_what_it_says() -> None:
    a, b = declared({"content": '{"paused": true, "x": 1}'}), declared({"content": '{"x": 1,  "paused": false}'})
    assert differing(a, b) == ("content.paused=True", "content.paused=False")


def test_an_environments_own_name_folder_and_commit_are_no_difference() -> None:
    of = {
        n: declared({"path": f"/home/{n}/lake", "environment": n, "commit": "c" * 12}, n) for n in ("one", "production")
    }
    assert of["one"] == of["production"]
    assert declared({"role": "production"}, "production") == {"role": "production"}


@pytest.mark.parametrize("value", ["hunter2", "x" * 1000, "two\nlines"])
def test_secrets_and_long_texts_are_not_shown(value: str) -> None:
    hidden = declared({"password": {SECRET_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": value}})
    assert hidden == {"password": "[secret]"}
    shown = differing(declared({"text": value}), declared({"text": "other"}))[0]
    assert shown == ("text=hunter2" if value == "hunter2" else f"text=({len(value):,} characters)")
