"""What the stacks declare: the same components in every environment, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataops.infra.platform.parameters import EnvironmentParameters
from support.declared import Declared, declare_stack
from support.platform_file import write_platform

pytestmark = pytest.mark.slow


PIPELINE = """\
  own_one:
    dockerfile: own.Dockerfile
    steps:
      - {name: own, run: [own]}
      - {name: plain, run: [plain], image: "python:3.11-slim", needs: [own]}
services:
"""


def declare(role: str, folder: Path, target: str = "local", pipeline: str = "services:\n") -> Declared:
    write_platform(folder, "services:\n", pipeline)
    (folder / "own.Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (folder / "requirements.txt").write_text("pyarrow==1\n", encoding="utf-8")
    (folder / "stacks").mkdir()
    parameters = EnvironmentParameters(
        environment="feature-x" if role == "replica" else role,
        role=role,
        repository=folder,
        commit="c" * 40,
        home=folder / "home",
        directory="shop-12345678",
        snapshot="snap-1" if role == "replica" else "",
        production_hosts=("127.0.0.1:5433",) if role == "replica" else (),
        target=target,
    )
    return declare_stack(folder / "stacks", parameters.to_config())


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Declared]:
    return {role: declare(role, tmp_path_factory.mktemp(role)) for role in ("production", "staging", "replica")}


@pytest.fixture(scope="module")
def replica(environments: dict[str, Declared]) -> Declared:
    return environments["replica"]


@pytest.fixture(scope="module")
def production(environments: dict[str, Declared]) -> Declared:
    return environments["production"]


def test_every_environment_has_the_same_parts(environments: dict[str, Declared]) -> None:
    parts = {role: {f"{r.type}::{r.name}" for r in found.resources} for role, found in environments.items()}
    assert parts["production"] == parts["staging"]
    assert parts["production"] - parts["replica"] == {"dataops:postgres:Role::ada"}
    assert parts["replica"] - parts["production"] == {
        "dataops:postgres:Role::developer",
        "dataops:snapshots:Golden::golden",
        "dataops:snapshots:Verification::verification",
    }


def test_a_replica_is_cloned_from_its_snapshot(replica: Declared) -> None:
    assert replica.one("dataops:snapshots:Golden").inputs["snapshot"] == "snap-1"
    assert replica.one("dataops:local:PostgresCluster").inputs["source"] == "/golden/data"
    assert replica.one("dataops:local:Lake").inputs["source"] == "/golden/lake"


def test_production_starts_empty_and_gives_people_their_roles(production: Declared) -> None:
    assert production.one("dataops:local:PostgresCluster").inputs["source"] == ""
    ada = production.one("dataops:postgres:Role", "ada").inputs
    assert (ada["login"], ada["memberOf"]) == (True, ["sales_reader"])


def test_the_developer_acts_as_the_owner_of_everything(replica: Declared) -> None:
    developer = replica.one("dataops:postgres:Role", "developer").inputs
    assert (developer["login"], developer["setRole"]) == (True, "warehouse_owner")
    assert replica.one("dataops:postgres:Role", "warehouse_owner").inputs["login"] is False


def test_endpoints_come_after_everything_else(replica: Declared) -> None:
    everything = {f"{r.type}::{r.name}" for r in replica.resources if r.custom}
    last = "dataops:local:Endpoints::endpoints"
    assert replica.before(last) >= everything - {last}


def test_services_start_only_after_the_checks(replica: Declared) -> None:
    before = replica.before("dataops:local:Service::sales-api")
    assert {"dataops:snapshots:Verification::verification", "dataops:local:VirtualEnvironment::venv"} <= before


def test_checks_wait_for_roles_grants_lake_and_variables(replica: Declared) -> None:
    before = replica.before("dataops:snapshots:Verification::verification")
    assert {
        "dataops:postgres:Role::developer",
        "dataops:postgres:Grant::sales_reader-marts",
        "dataops:local:Lake::objects",
        "dataops:local:EnvironmentFile::variables",
    } <= before


def test_code_and_data_do_not_wait_for_each_other(replica: Declared) -> None:
    code = replica.before("dataops:local:VirtualEnvironment::venv")
    assert {key for key in code if "components" not in key} == {"dataops:local:Worktree::worktree"}
    cluster = replica.before("dataops:local:PostgresCluster::postgres")
    assert "dataops:local:Worktree::worktree" not in cluster


def test_variables_hold_quoted_urls_and_are_secret_where_they_must_be(replica: Declared) -> None:
    file = replica.one("dataops:local:EnvironmentFile")
    variables = file.inputs["variables"]
    assert variables["WAREHOUSE_URL"] == "postgresql://pipeline:pa%3Ass%20pipeline@127.0.0.1:5544/shop"
    assert variables["LAKE_URL"].startswith("file:///")
    assert variables["GREETING"] == "hi"
    assert (variables["PGPORT"], variables["DATAOPS_ROLE"]) == ("5544", "replica")
    assert "variables" in file.secret_inputs


def test_verification_knows_what_is_declared_and_what_is_forbidden(replica: Declared) -> None:
    inputs = replica.one("dataops:snapshots:Verification").inputs
    assert inputs["roles"] == ["developer", "pipeline", "sales_reader", "warehouse_owner"]
    assert inputs["grants"] == [
        {"role": "sales_reader", "schema": "marts", "tables": ["sales"], "privileges": ["select"]}
    ]
    assert inputs["forbiddenRoles"] == ["ada"]
    assert inputs["productionHosts"] == ["127.0.0.1:5433"]
    assert "variables" in replica.one("dataops:snapshots:Verification").secret_inputs


def test_endpoints_hold_no_password(replica: Declared) -> None:
    assert replica.outputs["endpoints"]["warehouse"] == "postgresql://127.0.0.1:5544/shop"
    assert replica.outputs["endpoints"]["sales-api"] == "http://127.0.0.1:8000"
    assert "endpoints" not in replica.secret_outputs


def test_passwords_are_secret_outputs_by_login(replica: Declared) -> None:
    assert replica.outputs["secrets"] == {"developer": "pa:ss developer", "pipeline": "pa:ss pipeline"}
    assert replica.secret_outputs == ["secrets"]


def test_python_is_that_of_the_branch(replica: Declared) -> None:
    service = replica.one("dataops:local:Service", "sales-api").inputs
    assert service["command"][0].endswith("/bin/python")
    assert service["command"][1:] == ["-m", "services.sales_api"]
    assert service["directory"].endswith("/code/cccccccccccc")


def test_inputs_are_those_that_the_providers_know(replica: Declared) -> None:
    for resource in replica.resources:
        assert all(key[0].islower() and "_" not in key for key in resource.inputs), resource


def test_the_runner_starts_beside_everything_and_its_plan_comes_late(replica: Declared, production: Declared) -> None:
    runner = replica.one("dataops:local:Service", "runner").inputs
    assert runner["command"][-2:] == ["dataops.services.scheduler", runner["directory"]]
    assert (runner["environmentFile"], runner["variables"]) == ("", {})
    assert "dataops:postgres:Role::developer" not in replica.before("dataops:local:Service::runner")
    assert "dataops:snapshots:Verification::verification" in replica.before("dataops:local:TextFile::plan")
    plans = [
        json.loads(found.one("dataops:local:TextFile", "plan").inputs["content"]) for found in (replica, production)
    ]
    sales = [plan["pipelines"]["sales"] for plan in plans]
    assert [found["schedule"]["paused"] for found in sales] == [True, False]
    assert sales[0]["steps"][1]["needs"] == ["extract"] and sales[0]["steps"][0]["command"][0].endswith("/bin/python")


def test_in_containers_code_is_an_image_that_is_built_while_data_are_cloned(tmp_path: Path) -> None:
    found = declare("replica", tmp_path, "docker")
    assert found.names("dataops:local:VirtualEnvironment") == set()
    image = found.one("dataops:docker:Image").inputs
    assert image["commit"] == "c" * 40 and image["context"].endswith(f"/code/{'c' * 12}")
    assert image["name"].startswith("dataops/shop-") and image["name"].endswith("/feature-x")
    assert image["dockerfileText"].startswith("FROM python:3.11-slim@sha256:0 AS requirements")
    assert image["key"] == "sha256:python:3.11-slim", "a base that is another makes another image"
    assert found.one("dataops:docker:PulledImage", "python").inputs["record"].endswith(f"/images/{'c' * 40}.json")
    assert found.one("dataops:local:Service", "sales-api").inputs["container"]["image"] == "sha256:code"
    cluster = found.one("dataops:local:PostgresCluster")
    assert cluster.inputs["container"]["image"] == "sha256:python:3.11-slim"
    assert "dataops:docker:Image::code" not in found.before("dataops:local:PostgresCluster::postgres")
    assert "dataops:local:Worktree::worktree" in found.before("dataops:docker:Image::code")
    assert "dataops:docker:Image::code" in found.before("dataops:local:Endpoints::endpoints")


def test_a_dockerfile_of_a_pipeline_builds_an_image_beside_that_of_the_code(tmp_path: Path) -> None:
    found = declare("replica", tmp_path, "docker", PIPELINE)
    own = found.one("dataops:docker:Image", "code-own_one").inputs
    assert own["dockerfile"] == "own.Dockerfile" and own["context"].endswith(f"/code/{'c' * 12}")
    assert "/feature-x__own-one-" in own["name"]
    plan = json.loads(found.one("dataops:local:TextFile", "plan").inputs["content"])["pipelines"]
    assert [step["image"] for step in plan["own_one"]["steps"]] == ["sha256:code-own_one", "sha256:python:3.11-slim"]
    assert {step["image"] for step in plan["sales"]["steps"]} == {""}
    assert len(found.names("dataops:docker:PulledImage")) == 2, "a name is looked up once"


def test_a_dockerfile_of_the_platform_builds_its_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    image = declare("replica", tmp_path, "docker").one("dataops:docker:Image").inputs
    assert image["dockerfile"] == "Dockerfile" and "dockerfileText" not in image
