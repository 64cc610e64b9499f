"""Whether what a platform file refers to exists: datasets, tables, products, people, rules, steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dataops.infra.platform.document import Document, Location
from dataops.infra.platform.graph import find_cycle
from dataops.infra.platform.masking_references import Finding, masking_findings, schema_finding
from dataops.infra.platform.model import Platform
from dataops.infra.platform.names import MANAGED_SETTINGS, RESERVED_ROLES, RESERVED_VARIABLES, Dataset
from dataops.infra.platform.pipelines import Pipeline
from dataops.infra.platform.problems import Problem, nearest, problem_at

OWN_SERVICES = ("lake", "runner", "warehouse")
"""Names of what dataops itself runs in environments: what starts pipelines, and the servers that hold data."""

RESERVED_NAMESPACE = "dataops"
"""Configuration keys of this namespace carry the parameters of our own stacks."""


def reference_problems(platform: Platform, document: Document) -> list[Problem]:
    """Every reference that leads nowhere; the file's shape has been checked before."""
    return [problem_at(document, place, what, hint) for check in _CHECKS for place, what, hint in check(platform)]


def known_datasets(platform: Platform) -> set[str]:
    """Every dataset that a step makes or that is declared, as `store:name`."""
    made = {output for pipeline in platform.pipelines.values() for step in pipeline.steps for output in step.outputs}
    tables = {f"warehouse:{table}" for table in platform.stores.warehouse.tables}
    return made | tables | {f"lake:{path}" for path in platform.stores.lake.objects}


def unmasked(platform: Platform) -> list[str]:
    """Datasets that have no masking rules at all, sorted: a capture will stop at them."""
    policy = platform.policy
    tables = {f"warehouse:{table}" for table in {*policy.tables, *policy.classified}}
    return sorted(known_datasets(platform) - tables - {f"lake:{path}" for path in platform.masking.lake})


def _datasets(platform: Platform) -> Iterator[Finding]:
    known, schemas = known_datasets(platform), set(platform.stores.warehouse.schemas)
    for i, table in enumerate(platform.stores.warehouse.tables):
        yield from schema_finding(("stores", "warehouse", "tables", i), table, schemas)
    for name, pipeline in platform.pipelines.items():
        for i, step in enumerate(pipeline.steps):
            place: Location = ("pipelines", name, "steps", i)
            for j, dataset in enumerate(step.inputs):
                if dataset not in known:
                    hint = nearest(dataset, known) or "let a step make it, or declare it in `stores`"
                    yield (*place, "inputs", j), f"no step makes `{dataset}` and no store declares it", hint
            for j, dataset in enumerate(step.outputs):
                parsed = Dataset.parse(dataset)
                if parsed.store == "warehouse":
                    yield from schema_finding((*place, "outputs", j), parsed.name, schemas)


def _steps(platform: Platform) -> Iterator[Finding]:
    for name, pipeline in platform.pipelines.items():
        place: Location = ("pipelines", name, "steps")
        names = [step.name for step in pipeline.steps]
        for i, step in enumerate(pipeline.steps):
            if step.name in names[:i]:
                yield (*place, i, "name"), f"another step is named `{step.name}` as well", "step names are unique"
            for j, need in enumerate(step.needs):
                if need not in names:
                    yield (*place, i, "needs", j), f"there is no step `{need}`", nearest(need, names, "steps")
        yield from _makers(place, pipeline)
        if cycle := find_cycle(pipeline):
            first = names.index(cycle[0])
            yield (*place, first), f"the steps wait for one another: {' → '.join(cycle)}", "remove one dependency"


def _makers(place: Location, pipeline: Pipeline) -> Iterator[Finding]:
    maker: dict[str, str] = {}
    for i, step in enumerate(pipeline.steps):
        for j, output in enumerate(step.outputs):
            if maker.setdefault(output, step.name) != step.name:
                yield (*place, i, "outputs", j), f"`{output}` is made by the step `{maker[output]}` as well", ""


def _products(platform: Platform) -> Iterator[Finding]:
    tables = {Dataset.parse(d).name for d in known_datasets(platform) if d.startswith("warehouse:")}
    owners = set(platform.access.people) | set(platform.access.teams)
    for name, product in platform.products.items():
        if product.owner not in owners:
            yield (
                ("products", name, "owner"),
                f"there is no person or team `{product.owner}`",
                nearest(product.owner, owners, "people and teams"),
            )
        for i, table in enumerate(product.tables):
            if table not in tables:
                hint = nearest(table, tables, "tables") or "name it in a step's outputs or in `stores.warehouse.tables`"
                yield ("products", name, "tables", i), f"no step makes the table `{table}`", hint


def _access(platform: Platform) -> Iterator[Finding]:
    access = platform.access
    for name, person in access.people.items():
        yield from _login(("access", "people", name), name)
        for i, team in enumerate(person.teams):
            if team not in access.teams:
                yield (
                    ("access", "people", name, "teams", i),
                    f"there is no team `{team}`",
                    nearest(team, access.teams, "teams"),
                )
    for name, role in access.roles.items():
        yield from _login(("access", "roles", name), name)
        if name in access.people:
            yield ("access", "roles", name), f"a person is named `{name}` as well", "roles and people share one space"
        if role.product not in platform.products:
            hint = nearest(role.product, platform.products, "products")
            yield ("access", "roles", name, "product"), f"there is no product `{role.product}`", hint
        for i, member in enumerate(role.members):
            kind, _, who = member.partition(":")
            there = access.people if kind == "person" else access.teams
            if who not in there:
                place = ("access", "roles", name, "members", i)
                yield place, f"there is no {kind} `{who}`", nearest(who, there, "ones")


def _login(place: Location, name: str) -> Iterator[Finding]:
    if name in RESERVED_ROLES or name.startswith("pg_"):
        yield place, f"the database role `{name}` belongs to dataops or to Postgres", "choose another name"


def _services(platform: Platform) -> Iterator[Finding]:
    for name in OWN_SERVICES:
        if name in platform.services:
            yield ("services", name), f"dataops itself runs `{name}` in environments", "choose another name"


def _variables(platform: Platform) -> Iterator[Finding]:
    places: dict[Location, object] = {
        ("environments", role, "variables", name): None
        for role in ("production", "staging", "replica")
        for name in platform.variables(role)
    }
    places |= {
        ("services", service, "variables", name): None
        for service, settings in platform.services.items()
        for name in settings.variables
    }
    for place in places:
        if place[-1] in RESERVED_VARIABLES:
            yield place, f"dataops itself sets `{place[-1]}` in every environment", "choose another name"


def _settings(platform: Platform) -> Iterator[Finding]:
    places: list[Location] = [("stores", "warehouse", "settings", name) for name in platform.stores.warehouse.settings]
    for role in ("production", "staging", "replica"):
        places += [("environments", role, "settings", name) for name in platform.environments.of(role).settings]
    for place in places:
        if place[-1] in MANAGED_SETTINGS:
            yield place, f"dataops itself sets `{place[-1]}` of every server", "leave it out"


def _parameters(platform: Platform) -> Iterator[Finding]:
    if platform.name != RESERVED_NAMESPACE:
        return
    for role in ("production", "staging", "replica"):
        for key in platform.environments.of(role).parameters:
            place: Location = ("environments", role, "parameters", key)
            yield (
                place,
                f"`{RESERVED_NAMESPACE}:{key}` is configuration of dataops itself",
                "name the platform otherwise",
            )


_CHECKS: tuple[Callable[[Platform], Iterator[Finding]], ...] = (
    _datasets,
    _steps,
    _products,
    _access,
    _services,
    _variables,
    _settings,
    _parameters,
    masking_findings,
)
