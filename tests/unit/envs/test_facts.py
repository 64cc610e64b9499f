from __future__ import annotations

from dataops.envs.facts import facts_of, password_of, ports
from dataops.infra.resources.state import Deployment, ResourceState
from dataops.infra.resources.urn import make_urn
from dataops.infra.resources.values import Secret


def resource(type_: str, name: str, /, **outputs: object) -> ResourceState:
    urn = make_urn("x", "shop", None, type_, name)
    return ResourceState(urn, type_, custom=True, inputs={"name": name, "login": True}, outputs=dict(outputs))


DEPLOYMENT = Deployment(
    [
        ResourceState(
            make_urn("x", "shop", None, "dataops:components:Pipeline", "sales"), "dataops:components:Pipeline"
        ),
        resource("pulumi:providers:dataops", "default"),
        resource("dataops:local:Worktree", "worktree", path="/x/code/1"),
        resource("dataops:local:Worktree", "worktree", path="/x/code/0").copy(delete=True),
        resource("dataops:local:VirtualEnvironment", "venv", path="/x/venv/1", python="/x/venv/1/bin/python"),
        resource(
            "dataops:local:PostgresCluster", "postgres", host="127.0.0.1", port=15432, connection=Secret({"a": 1})
        ),
        resource("dataops:postgres:Database", "shop", name="shop"),
        resource("dataops:postgres:Role", "developer", name="developer", password=Secret("hunter2")),
        resource("dataops:local:Service", "api", port=18000, url="http://127.0.0.1:18000"),
        resource("dataops:local:Service", "worker", port=0, url=""),
        resource("team:own:Thing", "thing", anything="else"),
    ]
)


def test_facts_are_read_from_what_is_there_and_not_from_what_waits_for_deletion() -> None:
    facts = facts_of(DEPLOYMENT, "data/shop")
    assert facts["directory"] == "/x/code/1/data/shop"
    assert facts["warehouse"] == {"host": "127.0.0.1", "port": 15432, "database": "shop"}
    assert facts["services"] == {"api": {"url": "http://127.0.0.1:18000", "port": 18000}, "worker": {}}
    assert facts["pipelines"] == ["sales"] and facts["resources"] == 8
    assert ports(facts) == [15432, 18000]


def test_no_secret_becomes_a_fact() -> None:
    assert "hunter2" not in str(facts_of(DEPLOYMENT))


def test_a_password_is_found_by_the_name_of_its_role() -> None:
    assert password_of(DEPLOYMENT, "developer") == "hunter2"
    assert password_of(DEPLOYMENT, "nobody") is None
