"""The use case of `dataops verify`: what happens, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataops.envs.checkout import Checkout
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools
from dataops.envs.up import commit_of
from dataops.envs.verification.checks import (
    access_checks,
    command_checks,
    outputs_of,
    pipeline_checks,
    replica_checks,
    service_checks,
)
from dataops.envs.verification.compare import compare_mart
from dataops.envs.verification.figures import read_figures
from dataops.envs.verification.sources import (
    SnapshotSource,
    Source,
    masked_columns,
    product_tables,
    synthetic_source,
    warehouse_of,
)
from dataops.envs.verification.throwaway import throwaway
from dataops.envs.verification.verdict import Check, Result, Verdict
from dataops.infra.errors import DataopsError, NotFoundError, PolicyError, ProgramError
from dataops.services.journal import RunSink

SNAPSHOT, SYNTHETIC = "snapshot", "synthetic"
DATA = (SNAPSHOT, SYNTHETIC)

OF_THE_BRANCH = frozenset({"dataops:local:Service"})
"""Types of resources whose failure says something about the branch rather than about the machine."""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What the user asked for.

    Args:
        branch: whose code is verified.
        target: where its replica runs: `docker` or `local`.
        data: `snapshot`, or `synthetic` for made-up rows.
        snapshot: which, see `dataops.snapshots.choosing`; "" for the newest.
        seed: what made-up rows are drawn from.
        full_refresh: whether pipelines are told to build everything anew.
    """

    branch: str
    target: str
    data: str = SNAPSHOT
    snapshot: str = ""
    seed: int = 0
    full_refresh: bool = False


def verify(request: VerifyRequest, checkout: Checkout, tools: Tools, clock: PhaseClock, on_step: RunSink) -> Verdict:
    """Proves a branch in a replica of its own, of which nothing is left.

    Returns:
        The verdict, good or bad. What keeps it from being reached is raised.

    Raises:
        NotFoundError: no such branch; no snapshot.
        ResourceError: there is no Docker Engine; something could not be made for a reason that is not the branch's.
        ConfigurationError: the branch's `dataops.yaml` is not valid.
        VerificationError: production's own code fails on made-up rows.
        LockedError, DeadlineError, …: as `env up` and `env down`.
    """
    if request.target == "docker":
        from dataops.envs.verification.containers import require_engine

        require_engine()
    commit = commit_of(request.branch, checkout)
    source = _source(request, checkout, tools, clock, on_step)
    checks: list[Check] = []
    try:
        with throwaway(source.asked(request.branch, request.target), commit, checkout, tools, clock) as made:
            checks += _in_replica(made.record, request, source, checkout, clock, on_step)
    except DataopsError as error:
        if checks or not _is_of_the_branch(error, clock):
            raise
        for line in (error.details or "").splitlines():
            clock.note("deployment", line)
        # an exception of the branch's program may quote anything: the report has its kind alone
        seen = error.what.partition(":")[0] if isinstance(error, ProgramError) else error.what
        checks.append(Check("replica", "comes up", Result.FAILED, "a replica of the branch", seen))
    return Verdict(request.branch, commit, request.target, request.data, source.words, tuple(checks), clock.total())


def _source(request: VerifyRequest, checkout: Checkout, tools: Tools, clock: PhaseClock, on_step: RunSink) -> Source:
    from dataops.snapshots.choosing import NEWEST, choose_snapshot

    if request.data == SYNTHETIC:
        return synthetic_source(request.seed, request.target, checkout, tools, clock, on_step)
    try:
        return SnapshotSource(choose_snapshot(request.snapshot or NEWEST, checkout.layout))
    except NotFoundError as error:
        error.hint = f"{error.hint}; or verify with made-up rows: --data synthetic"
        raise


def _is_of_the_branch(error: DataopsError, clock: PhaseClock) -> bool:
    """Whether a replica did not come up because of what is on the branch."""
    if isinstance(error, (ProgramError, PolicyError)):
        return True
    types = {failure.type for failure in clock.failures() if failure.type}
    return bool(types) and types <= OF_THE_BRANCH


def _in_replica(
    record: EnvironmentRecord,
    request: VerifyRequest,
    source: Source,
    checkout: Checkout,
    clock: PhaseClock,
    on_step: RunSink,
) -> Iterator[Check]:
    """Everything that is looked at while the replica is there."""
    platform = checkout.branch_platform(record.commit)
    own = product_tables(platform)
    tables = sorted(own | source.tables(checkout))
    masked = masked_columns(platform, tables)
    source.prepare(record, platform)
    with clock.phase("production", "taking the figures of production's marts"):
        expected = source.expected(record, checkout, tables, masked)
    yield from replica_checks(record)
    with clock.phase("pipelines", f"running {len(platform.pipelines)}"):
        full = request.full_refresh or request.data == SYNTHETIC
        made_up = request.data == SYNTHETIC
        runs = list(
            pipeline_checks(record, platform, made_up, full, on_step, lambda line: clock.note("pipelines", line))
        )
    yield from runs
    with clock.phase("marts", "comparing marts with production's"):
        bad = {check.group.partition(" ")[2] for check in runs if check.result is not Result.PASSED}
        unmade = {dataset for name in bad for dataset in outputs_of(platform, name)}
        seen = read_figures(*warehouse_of(record), tables, masked)
        for table in tables:
            if f"warehouse:{table}" in unmade:
                yield Check(f"mart {table}", "comparison", Result.SKIPPED, "as production's", "its pipeline failed")
            elif table not in own:
                meant = platform.verification.changes(table) == "any"
                yield Check.of(f"mart {table}", "product", meant, "a table of a data product", "of none any more")
            else:
                yield from compare_mart(table, expected.get(table), seen.get(table), platform.verification)
    with clock.phase("checks", "rights, services, the branch's own checks"):
        yield from access_checks(record, platform)
        yield from service_checks(record, platform)
        yield from command_checks(record, platform.verification.checks, lambda line: clock.note("checks", line))
