"""The use case of `dataops verify`: what happens, in order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.checkout import Checkout
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools
from dataops.envs.up import UpRequest, commit_of
from dataops.envs.verification.checks import (
    access_checks,
    command_checks,
    outputs_of,
    pipeline_checks,
    replica_checks,
    service_checks,
)
from dataops.envs.verification.compare import compare_mart
from dataops.envs.verification.figures import TableFigures, read_figures
from dataops.envs.verification.servers import throwaway_server
from dataops.envs.verification.throwaway import throwaway
from dataops.envs.verification.verdict import Check, Result, Verdict
from dataops.infra.errors import DataopsError, PolicyError, ProgramError, ResourceError
from dataops.infra.platform.model import Platform
from dataops.services.journal import RunSink

if TYPE_CHECKING:
    from dataops.snapshots.manifest import Manifest

OF_THE_BRANCH = frozenset({"dataops:local:Service"})
"""Types of resources whose failure says something about the branch rather than about the machine."""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What the user asked for.

    Args:
        branch: whose code is verified.
        target: where its replica runs: `docker` or `local`.
        snapshot: where its data come from, see `dataops.snapshots.choosing`; "" for the newest.
        full_refresh: whether pipelines are told to build everything anew.
    """

    branch: str
    target: str
    snapshot: str = ""
    full_refresh: bool = False


def verify(request: VerifyRequest, checkout: Checkout, tools: Tools, clock: PhaseClock, on_step: RunSink) -> Verdict:
    """Proves a branch in a replica of its own, of which nothing is left.

    Returns:
        The verdict, good or bad. What keeps it from being reached is raised.

    Raises:
        NotFoundError: no such branch; no snapshot.
        ResourceError: there is no Docker Engine; something could not be made for a reason that is not the branch's.
        ConfigurationError: the branch's `dataops.yaml` is not valid.
        LockedError, DeadlineError, …: as `env up` and `env down`.
    """
    if request.target == "docker":
        from dataops.envs.verification.containers import require_engine

        require_engine()
    commit = commit_of(request.branch, checkout)
    manifest = _manifest(request, checkout)
    checks: list[Check] = []
    asked = UpRequest(request.branch, manifest.id, request.target)
    try:
        with throwaway(asked, checkout, tools, clock) as record:
            checks += _in_replica(record, request, manifest, checkout, clock, on_step)
    except DataopsError as error:
        if checks or not _is_of_the_branch(error, clock):
            raise
        for line in (error.details or "").splitlines():
            clock.note("deployment", line)
        checks.append(Check("replica", "comes up", Result.FAILED, "a replica of the branch", error.what))
    source = f"production as of the snapshot {manifest.id}"
    return Verdict(request.branch, commit, request.target, "snapshot", source, tuple(checks), clock.total())


def _manifest(request: VerifyRequest, checkout: Checkout) -> Manifest:
    from dataops.snapshots.choosing import NEWEST, choose_snapshot

    return choose_snapshot(request.snapshot or NEWEST, checkout.layout)


def _is_of_the_branch(error: DataopsError, clock: PhaseClock) -> bool:
    """Whether a replica did not come up because of what is on the branch."""
    if isinstance(error, (ProgramError, PolicyError)):
        return True
    types = {failure.type for failure in clock.failures() if failure.type}
    return bool(types) and types <= OF_THE_BRANCH


def _in_replica(
    record: EnvironmentRecord,
    request: VerifyRequest,
    manifest: Manifest,
    checkout: Checkout,
    clock: PhaseClock,
    on_step: RunSink,
) -> Iterator[Check]:
    """Everything that is looked at while the replica is there."""
    platform = checkout.branch_platform(record.commit)
    image = platform.targets.docker.image if request.target == "docker" else ""
    tables = sorted({*product_tables(platform), *_before(manifest, checkout)})
    masked = {table: masked_columns(platform, table) for table in tables}
    with clock.phase("production", "taking the figures of production's marts from the snapshot"):
        expected = production_figures(manifest, checkout, record, tables, masked, image)
    yield from replica_checks(record)
    with clock.phase("pipelines", f"running {len(platform.pipelines)}"):
        runs = list(
            pipeline_checks(record, platform, request.full_refresh, on_step, lambda line: clock.note("pipelines", line))
        )
    yield from runs
    with clock.phase("marts", "comparing marts with production's"):
        bad = {check.group.partition(" ")[2] for check in runs if check.result is not Result.PASSED}
        unmade = {dataset for name in bad for dataset in outputs_of(platform, name)}
        seen = read_figures(*_warehouse(record), tables, masked)
        for table in tables:
            if f"warehouse:{table}" in unmade:
                yield Check(f"mart {table}", "comparison", Result.SKIPPED, "as production's", "its pipeline failed")
            elif table not in product_tables(platform):
                yield Check(f"mart {table}", "product", Result.FAILED, "a table of a data product", "of none any more")
            else:
                yield from compare_mart(table, expected.get(table), seen.get(table), platform.verification)
    with clock.phase("checks", "rights, services, the branch's own checks"):
        yield from access_checks(record, platform)
        yield from service_checks(record, platform)
        yield from command_checks(record, platform.verification.checks, lambda line: clock.note("checks", line))


def production_figures(
    manifest: Manifest,
    checkout: Checkout,
    record: EnvironmentRecord,
    tables: list[str],
    masked: Mapping[str, Collection[str]],
    image: str,
) -> dict[str, TableFigures]:
    """The figures of production's marts, by a throwaway server on a clone of the snapshot: production is not asked."""
    from dataops.snapshots.golden import ensure_golden

    golden, root = ensure_golden(manifest, checkout.layout), Path(record.root)
    place = root / "production"
    with throwaway_server(golden.data_directory, place, checkout.layout.home, root, image) as connection:
        return read_figures(connection, manifest.database, tables, masked)


def product_tables(platform: Platform) -> set[str]:
    """The tables of all data products: what is called a mart here."""
    return {table for product in platform.products.values() for table in product.tables}


def masked_columns(platform: Platform, table: str) -> frozenset[str]:
    """The columns of a table that masking changes."""
    rules = platform.policy.table_rules(table) or {}
    return frozenset(name for name, rule in rules.items() if rule.rule != "keep")


def _before(manifest: Manifest, checkout: Checkout) -> set[str]:
    """The tables of data products in the commit that was captured; none where that commit is not to be had."""
    try:
        return product_tables(checkout.branch_platform(manifest.git_commit))
    except DataopsError:
        return set()


def _warehouse(record: EnvironmentRecord) -> tuple[Mapping[str, object], str]:
    from dataops.infra.process.postgres_server import status

    facts = record.facts.get("warehouse") or {}
    running = status(Path(str(facts.get("dataDirectory"))))
    if running is None or not running.ready:
        raise ResourceError("the warehouse does not answer", where=f"environment {record.name}")
    return running.connection, str(facts["database"])
