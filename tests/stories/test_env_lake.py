"""The lake of an environment in containers: behind an S3 server, with a key for each role that opens what it may."""

from __future__ import annotations

import json
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.providers.docker.bootstrap import S3
from support.docker_engine import docker, require_images
from support.scratch_platform import ScratchPlatform
from support.worlds import World, containable_platform

pytestmark = [pytest.mark.slow, pytest.mark.docker]

ORDERS = "raw/orders.parquet"
MART = "marts/2026/sales.csv"


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    require_images()
    with containable_platform() as made:
        yield made


@pytest.fixture(scope="module")
def world(platform: ScratchPlatform) -> World:
    made = World(platform, "docker", "feature/lake")
    platform.branch(made.branch)
    made.up()
    return made


def client(endpoint: str, key: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}),
    )


class Key:
    """What a role may do in the lake, with the variables that `env connect` tells."""

    def __init__(self, world: World, role: str) -> None:
        found = world.shop.do("env", "connect", world.name, "--role", role, "--show-password", "-o", "json").json
        told = found["lake"]
        self.bucket, self.endpoint = told["LAKE_URL"].removeprefix("s3://"), told["AWS_ENDPOINT_URL_S3"]
        self.secret = told["AWS_SECRET_ACCESS_KEY"]
        self.client = client(self.endpoint, told["AWS_ACCESS_KEY_ID"], self.secret)

    def get(self, name: str) -> bytes:
        found: bytes = self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()
        return found

    def put(self, name: str, content: bytes = b"orders\n50\n") -> None:
        self.client.put_object(Bucket=self.bucket, Key=name, Body=content)

    def names(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def tag(self, name: str) -> str:
        found: str = self.client.head_object(Bucket=self.bucket, Key=name)["ETag"]
        return found


def status_of(action: Callable[[], object]) -> int:
    """The HTTP status with which the server refuses."""
    with pytest.raises(ClientError) as caught:
        action()
    found: int = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return found


def test_objects_of_the_snapshot_are_listed_and_read_though_nobody_wrote_them_through_the_server(world: World) -> None:
    developer = Key(world, "developer")
    assert developer.names() == [ORDERS]
    assert developer.get(ORDERS) == (world.root / "lake" / ORDERS).read_bytes()
    tag = developer.tag(ORDERS)
    assert tag.strip('"') and tag == developer.tag(ORDERS)
    developer.put(ORDERS, b"another")
    assert developer.tag(ORDERS) != tag
    world.shop.do("env", "reset", world.name, "--yes")
    developer = Key(world, "developer")
    assert developer.names() == [ORDERS] and developer.tag(ORDERS) not in ("", tag)


def test_a_role_reads_its_products_and_nothing_else(world: World) -> None:
    developer, reader = Key(world, "developer"), Key(world, "sales_reader")
    developer.put(MART)
    assert reader.get(MART) == b"orders\n50\n" and reader.names("marts/") == [MART]
    refused = (
        lambda: reader.get(ORDERS),
        lambda: reader.names(),
        lambda: reader.names("raw/"),
        lambda: reader.put(MART),
        lambda: reader.client.delete_object(Bucket=reader.bucket, Key=MART),
        lambda: reader.client.delete_bucket_policy(Bucket=reader.bucket),
        lambda: developer.client.delete_bucket_policy(Bucket=developer.bucket),
        lambda: developer.client.create_bucket(Bucket="elsewhere"),
    )
    assert [status_of(action) for action in refused] == [403] * len(refused)


def test_nobody_gets_in_without_a_key_or_with_that_of_another_environment(world: World) -> None:
    developer = Key(world, "developer")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{developer.endpoint}/{developer.bucket}/{ORDERS}", timeout=10)
    assert caught.value.code == 403
    caught.value.close()
    # `pipeline` is a name in every environment, and the key of another one is another key
    assert (
        status_of(
            lambda: client(developer.endpoint, "pipeline", "x" * 40).get_object(Bucket=developer.bucket, Key=ORDERS)
        )
        == 403
    )


def test_pipelines_and_commands_have_the_key_of_pipelines(world: World) -> None:
    script = (
        "import os; from pyarrow import fs; files, lake = fs.FileSystem.from_uri(os.environ['LAKE_URL']);"
        "made = files.open_output_stream(f'{lake}/made/by-hand'); made.write(b'x'); made.close();"
        "print(os.environ['AWS_ACCESS_KEY_ID'], files.get_file_info(f'{lake}/raw/orders.parquet').size > 0)"
    )
    ran = world.shop.do("env", "exec", world.name, "--", "python", "-c", script)
    assert ran.stdout == "pipeline True\n"
    assert "made/by-hand" in Key(world, "developer").names()
    assert not list((world.root / "lake").glob("made/.*"))


def test_every_upload_of_many_arrives(world: World) -> None:
    script = (
        "import os; from pyarrow import fs; files, lake = fs.FileSystem.from_uri(os.environ['LAKE_URL'])\n"
        "for number in range(150):\n"
        "    made = files.open_output_stream(f'{lake}/many/{number}'); made.write(b'x' * number); made.close()\n"
        "    assert files.open_input_stream(f'{lake}/many/{number}').read() == b'x' * number\n"
    )
    world.shop.do("env", "exec", world.name, "--", "python", "-c", script)
    assert len(Key(world, "developer").names("many/")) == 150


def test_containers_of_the_code_do_not_see_the_folder_of_the_lake(world: World) -> None:
    assert world.shop.run("env", "exec", world.name, "--", "ls", str(world.root / "lake")).status == 2


def test_secrets_stand_in_files_of_their_owner_alone(world: World) -> None:
    folder = world.root / "s3"
    secrets = [*folder.glob("*.env"), *folder.glob("iam/*.json"), *folder.glob("meta/*/meta/policy")]
    assert len(secrets) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    administrator = dict(line.split("=", 1) for line in (folder / "admin.env").read_text().splitlines())
    secret = administrator["ROOT_SECRET_KEY"].strip("'")
    texts = [world.shop.do("env", "logs", world.name, "--tail", "all").stdout, json.dumps(world.status)]
    texts += [path.read_text() for path in (world.root / "environment.env", world.root / "endpoints.json")]
    texts += [path.read_text() for path in (world.root / "supervisor").rglob("*.json")]
    assert not any(secret in text for text in texts)


def test_a_policy_that_somebody_changed_is_put_back(world: World) -> None:
    reader = Key(world, "sales_reader")
    (policy,) = (world.root / "s3" / "meta").glob("*/meta/policy")
    policy.write_text(policy.read_text().replace("marts/*", "*"))
    assert reader.get(ORDERS)
    world.up()
    assert status_of(lambda: reader.get(ORDERS)) == 403


def test_what_differs_in_the_lake_is_told_wherever_environments_run(world: World) -> None:
    Key(world, "developer").put("raw/more.csv", b"1")
    told = world.shop.do("env", "diff", "production", world.name).stdout
    assert "raw/more.csv" in told and "sgwtmp" not in told
    assert "AWS_SECRET_ACCESS_KEY" in told and Key(world, "pipeline").secret not in told
    found = world.shop.do("env", "fingerprint", world.name, "-o", "json").json
    assert found["objects"]["raw/more.csv"]["bytes"] == 1 and "raw.orders" in found["tables"]


def test_the_address_of_a_lake_moves_everywhere_when_its_port_was_taken_while_it_slept(world: World) -> None:
    before = Key(world, "developer")
    port = urlsplit(before.endpoint).port
    world.shop.do("env", "sleep", world.name)
    with socket.create_server(("127.0.0.1", port or 0)):
        moved = world.shop.do("env", "wake", world.name, "-o", "json").json["moved"]
    after = Key(world, "developer")
    assert moved == {str(port): urlsplit(after.endpoint).port} and after.secret == before.secret
    assert after.get(ORDERS)
    world.shop.do("pipeline", "run", "sales", "--env", world.name, "--step", "extract")
    world.up()  # the state learns of it
    assert Key(world, "developer").endpoint == after.endpoint


def test_a_lake_goes_with_its_environment(world: World) -> None:
    root = world.root
    world.shop.do("env", "down", world.name, "--yes")
    assert not root.exists() and DockerEngine().owned(str(root)) == []
    assert "lake" not in docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"label=io.dataops.root={root}")


def test_an_image_that_is_nowhere_is_told_with_the_way_to_make_one(platform: ScratchPlatform) -> None:
    text = Path(platform.folder, "dataops.yaml").read_text()
    platform.branch("feature/no-image", {"dataops.yaml": text.replace(S3, "nowhere.invalid/gateway:1")})
    failed = platform.run("env", "up", "--branch", "feature/no-image", "--target", "docker")
    assert failed.status == 4
    assert "nowhere.invalid/gateway:1" in failed.stderr and "dataops images bootstrap" in failed.stderr
    platform.do("env", "down", "feature-no-image", "--yes")
