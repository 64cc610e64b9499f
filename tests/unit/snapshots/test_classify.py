"""What `snapshot classify` proposes and `snapshot check-masking` finds, on a real server and a real lake."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.masking_edit import add_paths, add_rules
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.check_masking import check_masking, summary_of
from dataops.snapshots.classify import classify
from dataops.snapshots.proposals import Proposal, additions, path_additions
from dataops.snapshots.suspicions import Canaries, ColumnCheck
from support.small_production import DATABASE, POLICY, Production, Restored, platform
from support.stored_snapshots import opened

pytestmark = pytest.mark.slow

PEOPLE = """
CREATE TABLE public.people (
  id int PRIMARY KEY, email text UNIQUE, full_name text, contact text, card text, dob date, password_hash text NOT NULL,
  kind text, notes text, profile jsonb, code varchar(12), updated_at timestamptz, score numeric, friend int REFERENCES
  public.people, flag boolean NOT NULL
);
INSERT INTO public.people SELECT i, 'canary' || i || '@secret.example.net', 'Canary ' || i,
  'canary' || i || '@secret.example.net', '4111 1111 1111 1111', '1980-01-01'::date + i, md5(i::text),
  (ARRAY['a','b'])[i % 2 + 1], 'write to canary' || i || '@secret.example.net today',
  jsonb_build_object('mail', 'canary' || i || '@x.org', 'tags', jsonb_build_array('canary'), 'n', i), 'C' || i, now(),
  i, 1, true FROM generate_series(1, 200) i;
"""


@pytest.fixture
def people(production: Production, tmp_path: Path) -> Iterator[Production]:
    lake = tmp_path / "lake"
    lake.mkdir()
    rows = [{"mail": f"canary{i}@x.org", "tags": ["canary"]} for i in range(100)]
    pq.write_table(pa.table({"who": pa.array(rows), "n": list(range(100))}), lake / "who.parquet")
    (lake / "notes.txt").write_text("canary\n")
    with connect(production.connection, DATABASE) as admin:
        admin.execute(PEOPLE.encode())
        try:
            yield Production(production.elsewhere("people-00000000").layout, production.connection, lake)
        finally:
            admin.execute(b"DROP TABLE public.people")


def proposals_for(production: Production, policy: dict[str, Any]) -> list[Proposal]:
    binaries = install_binaries(production.layout.home, server_user())
    return classify(platform(policy).policy, production.connection, DATABASE, production.lake, binaries)


def test_rules_are_proposed_from_names_types_and_values_and_no_value_is_told(people: Production) -> None:
    policy = {"tables": POLICY["tables"], "lake": {}}
    found = proposals_for(people, policy)
    assert "anary" not in str(found)
    rules = {proposal.missing.name: proposal.rule for proposal in found}
    assert rules == {
        "id": "keep",
        "email": "{class: email}",
        "full_name": "{class: person_name}",
        "contact": "{class: email}",
        "card": "{class: card}",
        "dob": "{class: date_of_birth}",
        "password_hash": "{class: token}",
        "kind": "keep",
        "notes": "{class: free_text}",
        "profile": '{rule: json, paths: {"mail": {class: email}, "n": keep, "tags[]": keep}}',
        "code": "{rule: fpe, alphabet: alphanumeric}",
        "updated_at": "keep",
        "score": "keep",
        "friend": "keep",
        "flag": "keep",
        "keep": "[]",
        "who.mail": "{class: email}",
        "who.tags[]": "keep",
        "n": "keep",
    }


def test_paths_that_a_rule_for_documents_does_not_name_are_proposed_where_it_is_written(people: Production) -> None:
    text = """\
tables:
  public.people:
    profile: {rule: json, paths: {"n": keep}}   # ours
    notes: {class: letters}
lake: {}
classes:
  letters:
    rule: json
    paths:
      "subject": text   # never more
"""
    with connect(people.connection, DATABASE) as admin:
        admin.execute("""UPDATE public.people SET notes = '{"subject": "canary", "to": ["canary@x.org"]}'""")
    policy = YAML(typ="safe").load(text)
    kept = [c for c in people_columns(people) if c not in ("profile", "notes")]
    policy["tables"]["public.people"]["keep"] = kept
    policy["tables"] |= POLICY["tables"]
    found = [one for one in proposals_for(people, policy) if one.missing.section == "tables"]
    assert "anary" not in str(found)
    assert {(one.missing.name, one.missing.path): one.rule for one in found} == {
        ("profile", "mail"): "{class: email}",
        ("profile", "tags[]"): "keep",
        ("notes", "to[]"): "{class: email}",
    }
    new = add_paths(Path("masking.yaml"), text, path_additions(found), apart=True)
    paths = YAML(typ="safe").load(new)
    assert list(paths["tables"]["public.people"]["profile"]["paths"]) == ["n", "mail", "tags[]"]
    assert list(paths["classes"]["letters"]["paths"]) == ["subject", "to[]"]
    assert "# ours" in new and "# never more" in new
    policy["classes"] = paths["classes"]
    policy["tables"]["public.people"]["profile"] = paths["tables"]["public.people"]["profile"]
    assert not [one for one in proposals_for(people, policy) if one.missing.section == "tables"]
    with pytest.raises(ConfigurationError, match="is not written here"):
        add_paths(Path("dataops.yaml"), "name: x\n", path_additions(found))


def people_columns(production: Production) -> list[str]:
    with connect(production.connection, DATABASE) as session:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'people'"
        return [str(row[0]) for row in session.execute(query)]


def test_a_capture_goes_through_with_the_rules_that_were_proposed(people: Production) -> None:
    text = "masking:\n  tables: # of the warehouse\n    raw.empty: {keep: [id]}\n"
    before = YAML(typ="safe").load(text)["masking"]
    tables = {name: rules for name, rules in POLICY["tables"].items() if name != "raw.empty"}
    proposals = proposals_for(people, {"tables": {**tables, **before["tables"]}, "lake": {}})
    new = YAML(typ="safe").load(add_rules(Path("dataops.yaml"), text, additions(proposals)))["masking"]
    policy = {"tables": {**tables, **new["tables"]}, "lake": new["lake"]}
    manifest = people.capture(policy)
    assert manifest.masking["public.people.email"].changed == 200
    assert proposals_for(people, policy) == []
    columns = {c.label: c for c in check_masking(opened(people.layout, manifest))}
    assert columns["public.people.email"].unique == "kept"
    assert columns["lake:who.parquet.who.mail"].findings == []


def test_the_check_counts_per_column_and_finds_nothing_where_masking_did_its_work(restored: Restored) -> None:
    columns = {c.label: c for c in check_masking(opened(restored.production.layout, restored.manifest))}
    assert [c for c in columns.values() if c.word != "keep" and c.findings] == []
    email = summary_of(columns["raw.passengers.email"])
    assert (email["changed"], email["unique"], email["distinctBefore"]) == (1.0, "kept", email["distinct"])
    assert columns["raw.events.kind"].rows == 3000, "partitions count together"
    assert columns["raw.passengers.secret"].nulls == columns["raw.passengers.secret"].rows
    assert columns["lake:raw/passengers.parquet.tier"].after == 3


def test_a_column_that_was_kept_by_mistake_and_a_canary_are_found(people: Production) -> None:
    policy = copy.deepcopy(POLICY)
    every = "id email full_name contact card dob password_hash kind notes profile code updated_at score friend flag"
    policy["tables"]["public.people"] = {"keep": every.split()}
    policy["lake"] = {"who.parquet": {"keep": ["who", "n"]}, "notes.txt": {}}
    manifest = people.capture(policy)
    canaries = Canaries(["Canary 7", "canary9@x.org", "x"])
    columns = {c.label: c for c in check_masking(opened(people.layout, manifest), canaries)}
    found = {label.rpartition("public.people.")[2]: c.findings for label, c in columns.items() if c.findings}
    assert "e-mail address" in found["lake:who.parquet.who.mail"][1]
    assert "email" not in found, "the domain is one that nobody has"
    assert "keys or tokens" in found["password_hash"][0]
    assert found["full_name"] == ["11 different values hold a canary"]
    assert "1 different values hold a canary" in found["lake:who.parquet.who.mail"]
    assert "anary" not in str([summary_of(c)["findings"] for c in columns.values()]).replace("hold a canary", "")


def test_values_that_became_equal_or_did_not_change_are_told() -> None:
    lost = ColumnCheck("raw.t.c", "hash", 10, 10, rows=10)
    lost.add(["a", "b"], Canaries())
    lost.conclude()
    assert lost.findings == ["8 different values became equal"]
    same = ColumnCheck("raw.t.c", "name(part=full)", 10, 2, rows=10)
    same.add(list("abcdef"), Canaries())
    same.conclude()
    assert same.findings == ["only 20% of the values changed"]
