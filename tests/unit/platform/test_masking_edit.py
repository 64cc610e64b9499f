"""Rules that are added to a platform file as text: everything else stays, down to the last comment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.masking_edit import add_rules, replace_file

FILE = Path("dataops.yaml")
TEXT = """\
# ours
name: x   # a name
masking:
  tables:
    raw.a:             # people
      name: {rule: name}   # not unique

      keep:
        - one
        - two  # the last
    raw.b: {keep: [x]}
  # the lake has nothing yet

access: {}
"""


def test_rules_go_to_the_end_of_their_table_and_nothing_else_changes() -> None:
    new = add_rules(FILE, TEXT, {"tables": {"raw.a": {"mail": "{class: email}    # by its name"}}})
    assert new == TEXT.replace(
        "        - two  # the last\n", "        - two  # the last\n      mail: {class: email}    # by its name\n"
    )


def test_a_table_within_braces_stays_within_them() -> None:
    new = add_rules(FILE, TEXT, {"tables": {"raw.b": {"y": "hash    # why", '"odd name"': "keep"}}})
    assert 'raw.b: {keep: [x], y: hash, "odd name": keep}\n' in new


def test_new_tables_and_sections_are_added_where_they_belong() -> None:
    new = add_rules(FILE, TEXT, {"tables": {"raw.c": {"z": "hash"}}, "lake": {"a.parquet": {"z": "hash"}}})
    assert YAML(typ="safe").load(new)["masking"]["lake"] == {"a.parquet": {"z": "hash"}}
    assert list(YAML(typ="safe").load(new)["masking"]["tables"]) == ["raw.a", "raw.b", "raw.c"]
    assert [line for line in new.splitlines() if line in TEXT.splitlines()] == TEXT.splitlines()


def test_a_file_without_a_policy_gets_one() -> None:
    new = add_rules(FILE, "name: x", {"tables": {"raw.c": {"z": "hash"}}})
    assert new == "name: x\nmasking:\n  tables:\n    raw.c:\n      z: hash\n"


@pytest.mark.parametrize("text", ["masking:\n", "masking: {tables: {}}\n", "masking:\n  tables: {raw.a: {}}\n"])
def test_what_has_no_room_for_text_is_refused_and_not_spoilt(text: str) -> None:
    with pytest.raises(ConfigurationError):
        add_rules(FILE, text, {"tables": {"raw.c": {"z": "hash"}}})


names = st.text(st.sampled_from("abc_"), min_size=1, max_size=3)
tables = st.dictionaries(names.map(lambda name: f"raw.{name}"), st.dictionaries(names, st.just("hash"), min_size=1))


new_columns = st.dictionaries(names.map("new{}".format), st.just("hash"), min_size=1)
new_tables = st.dictionaries(names.map("raw.{}".format), new_columns)


@given(tables, new_tables, st.booleans())
@settings(max_examples=30, deadline=None)
def test_whatever_is_added_is_there_and_whatever_was_there_stays(old: object, new: object, flow: bool) -> None:
    import io

    yaml, stream = YAML(), io.StringIO()
    yaml.default_flow_style = flow
    yaml.dump({"name": "x", "masking": {"tables": {"raw.first": {"x": "keep"}, **old}}, "z": 1}, stream)  # type: ignore[dict-item]
    try:
        text = add_rules(FILE, stream.getvalue(), {"tables": new})  # type: ignore[dict-item]
    except ConfigurationError:
        assert flow
        return
    found = YAML(typ="safe").load(text)
    for table, columns in new.items():  # type: ignore[attr-defined]
        assert found["masking"]["tables"][table].items() >= columns.items()
    assert found["z"] == 1


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "dataops.yaml"
    file.write_text("a: 1\n")
    file.chmod(0o640)
    replace_file(file, "a: 2\n")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("a: 2\n", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["dataops.yaml"]
