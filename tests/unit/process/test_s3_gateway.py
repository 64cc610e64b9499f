"""What the S3 server of a lake keeps in files: accounts, the policy, what it knows of objects."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from dataops.infra.platform.lake_objects import objects_of
from dataops.infra.process.dotenv import read_variables
from dataops.infra.process.s3_gateway import (
    GatewayFolder,
    bucket_name,
    forget_objects,
    read_accounts,
    read_policy,
    write_accounts,
    write_policy,
)


def test_a_key_is_kept_as_long_as_its_name_is_wanted(tmp_path: Path) -> None:
    folder = GatewayFolder.of(tmp_path)
    first = write_accounts(folder, ["pipeline", "reader"])
    administrator = read_variables(folder.administrator)
    second = write_accounts(folder, ["pipeline", "writer"])
    assert second["pipeline"] == first["pipeline"] and set(second) == {"pipeline", "writer"}
    assert read_accounts(folder) == second and read_variables(folder.administrator) == administrator
    assert len({*first.values(), *second.values(), administrator["ROOT_SECRET_KEY"]}) == 4
    assert write_accounts(folder, ["pipeline", "reader"])["reader"] != first["reader"]


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = GatewayFolder.of(tmp_path)
    write_accounts(folder, ["pipeline"])
    write_policy(folder, "x-lake", {"Version": "2012-10-17", "Statement": []})
    for path in (folder.accounts, folder.administrator, folder.policy("x-lake")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700


def test_accounts_that_were_written_over_are_made_anew(tmp_path: Path) -> None:
    folder = GatewayFolder.of(tmp_path)
    write_accounts(folder, ["pipeline"])
    for damage in ("", "{", "[]", '{"accessAccounts": {"pipeline": 1}}'):
        folder.accounts.write_text(damage)
        assert read_accounts(folder) == {}
        assert set(write_accounts(folder, ["pipeline"])) == {"pipeline"}
        assert json.loads(folder.accounts.read_text())["accessAccounts"]["pipeline"]["role"] == "user"


def test_what_is_known_of_objects_goes_with_them(tmp_path: Path) -> None:
    folder = GatewayFolder.of(tmp_path)
    write_policy(folder, "x-lake", {"Statement": [1]})
    assert read_policy(folder, "x-lake") == {"Statement": [1]}
    forget_objects(folder)
    assert read_policy(folder, "x-lake") == {} and list(folder.meta.iterdir()) == []


def test_buckets_of_environments_have_names_that_s3_allows_and_that_differ() -> None:
    names = [bucket_name(environment) for environment in ("production", "staging", "feature-x", "my_branch", "a")]
    assert len(set(names)) == 5 and all(3 <= len(name) <= 63 and "_" not in name for name in names)


def test_what_a_server_keeps_in_the_folder_of_a_lake_is_no_object(tmp_path: Path) -> None:
    for name in ("raw/a.csv", "raw/.a.csv.partial", ".sgwtmp/multipart/1", "b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in objects_of(tmp_path)] == ["b", "raw/a.csv"]
    assert objects_of(tmp_path / "none") == []
