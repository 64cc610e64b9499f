"""What a branch is verified with and compared with: a snapshot of production, or made-up rows and production's code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dataops.envs.checkout import Checkout
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.stack import Tools
from dataops.envs.synthetic.fill import fill, make_tables, schema_files
from dataops.envs.up import UpRequest
from dataops.envs.variables import working_directory
from dataops.envs.verification.checks import pipeline_checks
from dataops.envs.verification.figures import TableFigures, read_figures
from dataops.envs.verification.servers import throwaway_server
from dataops.envs.verification.throwaway import throwaway
from dataops.envs.verification.verdict import Result
from dataops.infra.errors import DataopsError, NotFoundError, ResourceError, VerificationError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.model import Platform
from dataops.infra.process.containers import CARRIED
from dataops.infra.process.lake_volume import lake_at_hand
from dataops.services.journal import RunSink

if TYPE_CHECKING:
    from dataops.snapshots.manifest import Manifest

Masked = Mapping[str, Collection[str]]
"""For each table, the columns that masking changes."""


class Source(Protocol):
    """Where the data of a verification come from, and what its marts are compared with."""

    @property
    def words(self) -> str:
        """What marts are compared with, for people."""

    def asked(self, branch: str, target: str) -> UpRequest:
        """The replica that is asked for."""

    def prepare(self, record: EnvironmentRecord, platform: Platform) -> None:
        """Puts into a replica what its pipelines begin with."""

    def tables(self, checkout: Checkout) -> set[str]:
        """The tables of data products of what it is compared with; none where that cannot be told."""

    def expected(
        self, record: EnvironmentRecord, checkout: Checkout, tables: list[str], masked: Masked
    ) -> dict[str, TableFigures]:
        """The figures of the marts as they should be."""


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """Production as of a snapshot, which its figures are taken from: production itself is not asked."""

    manifest: Manifest

    @property
    def words(self) -> str:
        return f"production as of the snapshot {self.manifest.id}"

    def asked(self, branch: str, target: str) -> UpRequest:
        return UpRequest(branch, self.manifest.id, target)

    def prepare(self, record: EnvironmentRecord, platform: Platform) -> None:
        """The replica is a clone of the snapshot."""

    def tables(self, checkout: Checkout) -> set[str]:
        try:
            return product_tables(checkout.branch_platform(self.manifest.git_commit))
        except DataopsError:
            return set()

    def expected(
        self, record: EnvironmentRecord, checkout: Checkout, tables: list[str], masked: Masked
    ) -> dict[str, TableFigures]:
        """By a throwaway server on a clone of the snapshot: services may have begun to write in the replica's own.

        It runs in a container where the replica does and the engine sees that clone, else as a process.
        """
        from dataops.snapshots.golden import ensure_golden

        golden, root = ensure_golden(self.manifest, checkout.layout), Path(record.root)
        contained = record.target == "docker" and record.facts["warehouse"].get("cloned") != CARRIED
        image = checkout.branch_platform(record.commit).images.server if contained else ""
        with throwaway_server(
            golden.data_directory, root / "production", checkout.layout.home, root, image
        ) as connection:
            return read_figures(connection, self.manifest.database, tables, masked)


@dataclass(frozen=True, slots=True)
class SyntheticSource:
    """Made-up rows, and what production's own code makes of the same rows.

    Args:
        seed: what rows are drawn from.
        schema: the snapshot whose schema they have, "" where the files of the branch make the tables.
        branch, commit: production's code.
        found: the figures of the marts that it made.
        products: its tables of data products.
    """

    seed: int
    schema: str
    branch: str
    commit: str
    found: Mapping[str, TableFigures]
    products: frozenset[str]

    @property
    def words(self) -> str:
        made = f"what production's code, {self.commit[:12]} of {self.branch}, makes of the same made-up rows"
        return f"{made} (seed {self.seed})"

    def asked(self, branch: str, target: str) -> UpRequest:
        return synthetic_request(branch, target, self.schema)

    def prepare(self, record: EnvironmentRecord, platform: Platform) -> None:
        fill_replica(record, platform, self.seed)

    def tables(self, checkout: Checkout) -> set[str]:
        return set(self.products)

    def expected(
        self, record: EnvironmentRecord, checkout: Checkout, tables: list[str], masked: Masked
    ) -> dict[str, TableFigures]:
        return dict(self.found)


def synthetic_source(
    seed: int, target: str, checkout: Checkout, tools: Tools, clock: PhaseClock, on_step: RunSink
) -> SyntheticSource:
    """Runs production's code on made-up rows, in a throwaway replica of its own.

    Raises:
        VerificationError: production's own code fails on them.
        ConfigurationError: there is nothing that the tables could be made from; nothing is known of a type.
    """
    branch, commit = production_code(checkout)
    schema = schema_snapshot(checkout)
    platform = checkout.branch_platform(commit)
    tables = sorted(product_tables(platform))
    if not schema:
        schema_files(platform)
    with throwaway(synthetic_request(branch, target, schema), commit, checkout, tools, clock) as made:
        record = made.record
        fill_replica(record, platform, seed)
        said: list[str] = []
        with clock.phase("production", f"running production's code, {commit[:12]}"):
            runs = list(pipeline_checks(record, platform, True, True, on_step, said.append))
        if bad := [run for run in runs if run.result is not Result.PASSED]:
            raise VerificationError(
                f"production's own code fails on made-up rows: {bad[0].group}: {bad[0].seen}",
                where=f"commit {commit[:12]} of {branch}",
                hint="say more of what rows look like below `verification.synthetic` in dataops.yaml",
                details="\n".join(said) or None,
            )
        figures = read_figures(*warehouse_of(record), tables, masked_columns(platform, tables))
    return SyntheticSource(seed, schema, branch, commit, figures, frozenset(tables))


def synthetic_request(branch: str, target: str, schema: str) -> UpRequest:
    """A replica that begins with the schema of a snapshot, without rows; with nothing at all for ""."""
    return UpRequest(branch, schema, target, bare=not schema)


def fill_replica(record: EnvironmentRecord, platform: Platform, seed: int) -> None:
    """Puts made-up rows into a replica, whose tables are made first where it has none."""
    connection, database = warehouse_of(record)
    if not record.snapshot:
        make_tables(connection, database, platform, working_directory(record))
    with lake_at_hand(EnvironmentLayout(Path(record.root)).lake, writing=True) as lake:
        fill(connection, database, lake, platform, seed)


def production_code(checkout: Checkout) -> tuple[str, str]:
    """Branch and commit that production runs; where it is not deployed here, what its branch is at."""
    record = Registry(checkout.layout.registry).load("production")
    if record is not None:
        return record.branch, record.commit
    branch = checkout.platform.environments.production.branch
    return branch, checkout.repository.commit_of(branch)


def schema_snapshot(checkout: Checkout) -> str:
    """The newest snapshot without its rows, "" where there is none."""
    from dataops.snapshots.choosing import EMPTY, choose_snapshot

    try:
        return choose_snapshot(EMPTY, checkout.layout).id
    except NotFoundError:
        return ""


def product_tables(platform: Platform) -> set[str]:
    """The tables of all data products: what is called a mart here."""
    return {table for product in platform.products.values() for table in product.tables}


def masked_columns(platform: Platform, tables: Collection[str]) -> dict[str, frozenset[str]]:
    """For each table, the columns that masking changes."""
    rules = {table: platform.policy.table_rules(table) or {} for table in tables}
    return {
        table: frozenset(name for name, rule in found.items() if rule.rule != "keep") for table, found in rules.items()
    }


def warehouse_of(record: EnvironmentRecord) -> tuple[Mapping[str, object], str]:
    """How the superuser connects to the warehouse of a replica, and its database.

    Raises:
        ResourceError: it does not answer.
    """
    from dataops.infra.process.postgres_status import status

    facts = record.facts.get("warehouse") or {}
    running = status(Path(str(facts.get("dataDirectory"))))
    if running is None or not running.ready:
        raise ResourceError("the warehouse does not answer", where=f"environment {record.name}")
    return running.connection, str(facts["database"])
