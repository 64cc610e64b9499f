"""Who depends on whom among recorded resources."""

from __future__ import annotations

from dataops.infra.engine.dependencies import DependencyGraph
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import make_urn

TYPE = "acme:index:Thing"


def state(
    name: str,
    parent: ResourceState | None = None,
    needs: tuple[str, ...] = (),
    custom: bool = True,
    delete: bool = False,
) -> ResourceState:
    """A resource that depends on others, by their URNs."""
    above = parent.urn if parent else ""
    urn = make_urn("dev", "project", above or None, TYPE, name)
    return ResourceState(urn, TYPE, custom=custom, parent=above, dependencies=list(needs), delete=delete)


def test_depending_on_a_component_means_depending_on_everything_below_it() -> None:
    outer = state("outer", custom=False)
    inner = state("inner", parent=outer, custom=False)
    deep = state("deep", parent=inner)
    user = state("user", needs=(outer.urn,))
    late = state("late", parent=inner)
    graph = DependencyGraph([outer, inner, deep, user, late])
    assert graph.dependencies_of(user) == [outer, inner, deep]
    waves = graph.waves_of_deletion([outer, inner, deep, user, late])
    order = {one.urn: index for index, wave in enumerate(waves) for one in wave}
    assert order[user.urn] < order[deep.urn] < order[inner.urn] < order[outer.urn]


def test_what_lives_does_not_need_what_waits_for_its_deletion_under_the_same_name() -> None:
    old = state("needed", delete=True)
    new = state("needed")
    user = state("user", needs=(new.urn,))
    left = state("left", needs=(new.urn,), delete=True)
    graph = DependencyGraph([old, new, user, left])
    assert graph.transitive_dependencies_of(user) == [new]
    assert graph.transitive_dependencies_of(left) == [old]
