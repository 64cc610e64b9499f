from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.errors import PolicyError
from dataops.infra.platform.addresses import ProductionAddresses, refuse_values, remember_addresses

PRODUCTION = ProductionAddresses.of(
    ["db.prod.example.com", "127.0.0.1:15432", "s3://prod-lake", "file:///srv/environments/production", "localhost"]
)


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:p@db.prod.example.com/x",
        "DB%2Eprod.example.com",
        "x.db.prod.example.com",
        "postgresql://u:p@127.0.0.1:15432/x",
        "postgresql://u:p@[::1]:15432/x",
        "postgresql://a.example.com:5432,localhost:15432/x",
        "postgresql://u@%31%32%37.0.0.1:15432/x",
        "postgresql:///shop?port=15432",
        "postgresql:///x?host=%2Fsrv%2Fenvironments%2Fproduction%2Fpostgres",
        "host=localhost port=15432",
        "port='15432' host='127.0.0.1' dbname=x",
        "dbname=x port=15432",
        "host=/srv/environments/production/postgres port=5432",
        "PGHOST=127.0.0.1 PGPORT=15432",
        "jdbc:postgresql://localhost:15432/x?user=u",
        "jdbc:sqlserver://localhost:15432;databaseName=x",
        "Server=localhost,15432;Database=x",
        "Host=127.0.0.1;Port=15432;Database=x",
        '{"host": "localhost", "port": 15432}',
        "http://127.1:15432",
        "http://2130706433:15432/",
        "http://0x7f000001:15432/",
        "http://[::ffff:127.0.0.1]:15432",
        "http://0.0.0.0:15432/",
        "tcp(127.0.0.1:15432)/x",
        "localhost.:15432",
        "api.localhost:15432",
        f"{socket.gethostname()}:15432",
        "s3://prod-lake/raw",
        "s3a://prod-lake",
        "https://prod-lake.s3.eu-central-1.amazonaws.com/x",
        "https://s3.amazonaws.com/prod-lake/x",
        "arn:aws:s3:::prod-lake/x",
        "file:///srv/environments/production/lake",
        "file:///srv/environments/x/../production/lake",
        "/srv/environments/production",
        "a:/srv/environments/production",
    ],
)
def test_every_spelling_of_production_is_recognised(value: str) -> None:
    assert PRODUCTION.named_in(value) is not None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "hello",
        "15432",
        "localhost",
        "127.0.0.1:154321",
        "127.0.0.1:1543",
        "postgresql://u@127.0.0.1:15433/x",
        "host=localhost port=15433",
        "http://example.com/?port=15432",
        "http://example.com:15432/",
        "xdb.prod.example.com",
        "s3://prod-lake2/x",
        "s3://my-prod-lake/x",
        "/srv/environments/productions",
        "/srv/environments/feature-x",
        "2026-11-23 10:15:43",
    ],
)
def test_other_places_are_not(value: str) -> None:
    assert PRODUCTION.named_in(value) is None


def test_a_link_into_productions_folder_is_followed(tmp_path: Path) -> None:
    lake = tmp_path / "production" / "lake"
    lake.mkdir(parents=True)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "data").symlink_to("../production/lake")
    guarded = ProductionAddresses.of([str(tmp_path / "production")])
    for value in ("data", "./data/raw.csv", "../production", str(tmp_path / "code" / "data")):
        assert guarded.named_in(value, tmp_path / "code") == str(tmp_path / "production")
    assert guarded.named_in("other", tmp_path / "code") is None


def test_host_and_port_in_two_variables_are_seen_together() -> None:
    found = dict(PRODUCTION.named_by({"FEED_HOST": "localhost", "FEED_PORT": "15432", "OTHER_HOST": "localhost"}))
    assert found == {"FEED_HOST": "127.0.0.1:15432"}


def test_a_resolved_value_is_refused_without_being_shown(tmp_path: Path) -> None:
    refuse_values({"FEED": "http://u:hunter2@localhost:15432"}, tmp_path, "the service api")
    remember_addresses(tmp_path, ["127.0.0.1:15432"])
    with pytest.raises(PolicyError) as caught:
        refuse_values({"FEED": "http://u:hunter2@localhost:15432"}, tmp_path, "the service api")
    assert "FEED of the service api" in caught.value.what and "hunter2" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_makes_it_stumble(text: str) -> None:
    PRODUCTION.named_in(text)
    ProductionAddresses.of([text])
