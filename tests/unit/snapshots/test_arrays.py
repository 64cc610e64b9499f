"""Arrays of Postgres are masked element by element, with the masks that the same values have elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dataops.infra.errors import VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.masking import MaskingRule
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.classify import classify
from dataops.snapshots.masking.arrays import ArrayMasker, elements_of, longest_element
from dataops.snapshots.masking.base import Family, UnmaskableError
from dataops.snapshots.masking.choose import masker_for
from support.postgres import open_directory, throwaway_cluster
from support.small_production import DATABASE, Production, platform
from support.stored_snapshots import texts

KEY = bytes(range(32))
VALUES = {
    "mails": '\'{ada@secret.org,NULL,"b \\"q\\" <b@secret.org>"}\'::text[]',
    "codes": "'{{AB12,CD34},{EF56,GH78}}'::varchar(8)[]",
    "numbers": "'[2:3]={4711,4712}'::bigint[]",
    "days": "'{2001-02-03,infinity}'::date[]",
    "documents": 'ARRAY[\'{"mail": "ada@secret.org"}\']::jsonb[]',
    "labels": "'{}'::public.label[]",
}
RULES: dict[str, Any] = {
    "id": "keep",
    "mails": "email",
    "codes": {"rule": "fpe"},
    "numbers": "digits",
    "days": {"rule": "date_shift", "days": 30},
    "documents": {"rule": "json", "paths": {"mail": "email"}},
    "labels": "hash",
    "mail": "email",
}


def masker(rule: Any, family: Family = Family.TEXT) -> ArrayMasker:
    made = masker_for(TypeAdapter(MaskingRule).validate_python(rule), family, KEY)
    assert made is not None
    return ArrayMasker(made)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Production]:
    with open_directory() as home, throwaway_cluster(home) as connection:
        with connect(connection) as admin:
            admin.execute(f"CREATE DATABASE {DATABASE}".encode())
        with connect(connection, DATABASE) as admin:
            admin.execute("CREATE DOMAIN public.label AS text")
            admin.execute(
                """CREATE TABLE public.a (id int PRIMARY KEY, mails text[], codes varchar(8)[], numbers bigint[],
                days date[], documents jsonb[], labels public.label[], mail text)"""
            )
            admin.execute(f"INSERT INTO public.a VALUES (1, {', '.join(VALUES.values())}, 'ada@secret.org')".encode())
        yield Production(PlatformLayout(home, "arrays-00000000"), connection, home / "lake")


@pytest.mark.slow
def test_elements_have_the_masks_that_they_have_in_other_columns(cluster: Production) -> None:
    manifest = cluster.capture({"tables": {"public.a": RULES}, "lake": {}})
    row = texts(cluster.layout, manifest)["tables/public.a"]
    assert b"secret" not in row and b"4711" not in row and b"AB12" not in row
    fields = dict(zip(manifest.tables["public.a"].columns, row.decode().rstrip("\n").split("\t"), strict=True))
    names = ("mails", "codes", "numbers", "days", "documents", "labels", "mail")
    mails, codes, numbers, days, documents, labels, mail = map(fields.__getitem__, names)
    first, second = elements_of(mails.replace("\\\\", "\\"))
    assert first == mail != second and ",NULL," in mails
    assert len(elements_of(codes)) == 4 and longest_element(codes) == 4 and codes.count("{") == 3
    assert numbers.startswith("[2:3]={") and len(elements_of(numbers)) == 2
    assert elements_of(days)[1] == "infinity" and labels == "{}"
    assert mail in documents
    assert manifest.masking["public.a.mails"].changed == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "rule", "what"),
    [
        ("codes", "hash", "longer than the 8 characters"),
        ("days", "email", "does not serve the type date[]"),
        ("days", {"rule": "date_shift", "days": 3, "by": "id"}, "within an array no rule can depend"),
    ],
)
def test_what_cannot_be_done_to_elements_stops_the_capture(
    cluster: Production, column: str, rule: Any, what: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        cluster.capture({"tables": {"public.a": {**RULES, column: rule}}, "lake": {}})
    assert what in caught.value.what and "secret" not in caught.value.what


@pytest.mark.slow
def test_rules_for_arrays_are_told_from_their_elements(cluster: Production) -> None:
    policy = platform({"tables": {"public.a": {"id": "keep"}}, "lake": {}}).policy
    binaries = install_binaries(cluster.layout.home, server_user())
    found = classify(policy, cluster.connection, DATABASE, cluster.lake, binaries)
    rules = {proposal.missing.name: proposal.rule for proposal in found}
    assert rules["mail"] == "{class: email}"
    assert rules["mails"] == "{class: free_text}"  # one of its two elements is an address with a name
    assert rules["documents"] == '{rule: json, paths: {"mail": {class: email}}}'
    assert rules["numbers"] == "keep" and rules["codes"] == "{rule: fpe, alphabet: alphanumeric}"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)))
def test_elements_are_found_and_written_as_they_were(elements: list[str | None]) -> None:
    def written(element: str | None) -> str:
        if element is None:
            return "NULL"
        escaped = element.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    array = "{" + ",".join(map(written, elements)) + "}"
    assert elements_of(array) == [element for element in elements if element is not None]
    kept = masker("keep").mask(array)
    assert kept is not None and elements_of(kept) == elements_of(array)
    assert masker("keep").mask(kept) == kept
    hashed = masker("hash").mask(array)
    assert hashed is not None
    assert elements_of(hashed) == [masker("hash").mask(f"{{{written(e)}}}")[1:-1] for e in elements if e is not None]  # type: ignore[index]


@pytest.mark.parametrize("text", ["", "x", '{"x', "{x\\", "[0:1]=x", "1 2"])
def test_what_is_no_array_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(UnmaskableError, match=r"^a value is no array$"):
        masker("hash").mask(text)
