from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.process.machine import own_spellings
from dataops.snapshots.hosts import HostSearch, is_local

ADDRESSES = ("db.prod.example.com", "127.0.0.1:15432", "s3://prod-lake", "file:///srv/Production", "localhost")


def found(text: str) -> dict[str, int]:
    search = HostSearch(ADDRESSES)
    search.look("here", text.encode())
    return {reference.host: reference.count for reference in search.references()}


def test_each_kind_of_address_is_found_in_running_text() -> None:
    assert found("see DB.prod.example.com and localhost:15432, or [::1]:15432") == {
        "db.prod.example.com": 1,
        "127.0.0.1:15432": 2,
    }
    assert found('{"host": "localhost", "port": 15432}') == {"127.0.0.1:15432": 1}
    assert found("port=15432 dbname=x host=127.0.0.1 user=y") == {"127.0.0.1:15432": 1}
    assert found("s3a://prod-lake/x and https://prod-lake.s3.amazonaws.com/") == {"s3://prod-lake": 2}
    assert found("file:///srv/Production/lake/x") == {"file:///srv/production": 1}


def test_what_only_resembles_an_address_is_not_found() -> None:
    text = "localhost 15432 127.0.0.1:154321 example.com:15432 s3://prod-lake-2 /srv/productions xdb.prod.example.com"
    assert found(text) == {}


def test_rows_tell_the_column() -> None:
    search = HostSearch(ADDRESSES)
    search.look_rows("raw.links", ("id", "url"), b"1\thttp://localhost:15432/\n2\tnone\n3\tdb.prod.example.com\n")
    assert [(r.where, r.host, r.count) for r in search.references()] == [
        ("raw.links.url", "127.0.0.1:15432", 1),
        ("raw.links.url", "db.prod.example.com", 1),
    ]


def test_this_machines_addresses_come_and_go() -> None:
    assert is_local("127.0.0.1:15432") and is_local("file:///srv/x") and not is_local("db.prod.example.com")


PIECES = ("localhost", "127.0.0.1", "host", "port", "15432", "1543", "2", ":", "=", ": ", '"', " ", "\n", "x", "é" * 40)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_a_port_of_this_machine_is_found_near_its_name_as_if_all_of_a_text_were_searched_for_both(text: str) -> None:
    names = "|".join(sorted((rf"\[?{re.escape(name)}\]?" for name in own_spellings()), key=len, reverse=True))
    host = rf"(?:host|hostaddr|server|address)\W{{1,5}}(?<![a-z0-9_-])(?:{names})"
    port = r"port\W{1,5}15432(?!\d)"
    ways = (
        rf"(?<![a-z0-9_-])(?:{names})[:,]15432(?!\d)",
        rf"{host}\W[^\n]{{0,80}}?{port}",
        rf"{port}[^\n]{{0,80}}?{host}(?![a-z0-9_-])",
    )
    expected = len(re.findall("|".join(ways).encode(), text.encode()))
    assert found(text).get("127.0.0.1:15432", 0) == expected
