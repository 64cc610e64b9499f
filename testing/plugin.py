"""The pytest plugin: options and fixtures. It imports nothing heavy until a test asks for a fixture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dataops.testing.pipelines import TestedPlatform
    from dataops.testing.replica import TestedReplica
    from dataops.testing.settings import Settings
    from dataops.testing.stores import TestedLake, TestedWarehouse
    from dataops.testing.template import Template


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("dataops", "data platforms")
    group.addoption(
        "--dataops-target",
        choices=["local", "docker"],
        default="local",
        help="where throwaway servers and replicas run: as processes, or in containers of this machine",
    )
    group.addoption(
        "--dataops-data",
        choices=["synthetic", "snapshot"],
        default="synthetic",
        help="the rows of warehouses, lakes and replicas: made up from the schema, or those of a snapshot",
    )
    group.addoption("--dataops-snapshot", metavar="ID", default="", help="which snapshot; by default the newest")
    group.addoption("--dataops-seed", metavar="N", type=int, default=0, help="what made-up rows are drawn from")
    group.addoption(
        "--dataops-branch", metavar="NAME", default="", help="whose replica; by default what is checked out"
    )
    group.addoption("--dataops-folder", metavar="PATH", help="the platform's folder; by default found from the tests")


@pytest.fixture(scope="session")
def dataops_settings(request: pytest.FixtureRequest) -> Settings:
    """What the options say."""
    from dataops.testing.settings import Settings, find_folder

    config = request.config
    told = config.getoption("--dataops-folder")
    named = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
    starts = [Path(told)] if told else [*named, config.invocation_params.dir, config.rootpath]
    return Settings(
        find_folder(starts),
        config.getoption("--dataops-target"),
        config.getoption("--dataops-data"),
        config.getoption("--dataops-snapshot"),
        config.getoption("--dataops-seed"),
        config.getoption("--dataops-branch"),
    )


@pytest.fixture(scope="session")
def platform(dataops_settings: Settings) -> TestedPlatform:
    """The platform: its `dataops.yaml`, and its pipelines with the code of the work tree."""
    from dataops.infra.platform.loader import load_platform
    from dataops.testing.pipelines import TestedPlatform

    return TestedPlatform(dataops_settings.folder, load_platform(dataops_settings.folder))


@pytest.fixture(scope="session")
def dataops_template(dataops_settings: Settings, platform: TestedPlatform) -> Iterator[Template]:
    """What warehouses and lakes are copies of."""
    from dataops.envs.checkout import Checkout
    from dataops.infra.errors import NotFoundError
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.testing.template import template

    try:
        layout = Checkout.find(dataops_settings.folder).layout
    except NotFoundError:  # in no git repository
        layout = PlatformLayout.of(platform.model.name, dataops_settings.folder)
    with template(dataops_settings, platform.model, layout) as made:
        yield made


@pytest.fixture
def warehouse(dataops_template: Template) -> Iterator[TestedWarehouse]:
    """A database with the tables and rows of the platform, for this test alone."""
    from dataops.testing.stores import TestedWarehouse

    with dataops_template.database_copy() as url:
        yield TestedWarehouse(url)


@pytest.fixture
def lake(dataops_template: Template) -> Iterator[TestedLake]:
    """The objects of the platform, for this test alone."""
    with dataops_template.lake_copy() as made:
        yield made


@pytest.fixture(scope="session")
def dataops_replica(dataops_settings: Settings) -> Iterator[TestedReplica]:
    """The replica that tests share."""
    from dataops.cli.wiring import environment_tools
    from dataops.testing.replica import tested_replica

    before = os.environ.get("DATAOPS_FORCE")
    os.environ["DATAOPS_FORCE"] = "1"  # what tests write into its code is nobody's work
    try:
        with tested_replica(dataops_settings, environment_tools()) as made:
            yield made
    finally:
        if before is None:
            os.environ.pop("DATAOPS_FORCE", None)
        else:
            os.environ["DATAOPS_FORCE"] = before


@pytest.fixture
def replica(dataops_replica: TestedReplica) -> TestedReplica:
    """The whole environment of the commit that is checked out, with the data of the beginning."""
    return dataops_replica.fresh()
