"""One deployment: what all parts of the engine share while a program runs."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from dataops.infra.engine.dependencies import DependencyGraph
from dataops.infra.engine.plan import Plan
from dataops.infra.engine.targets import Targets, UrnPatterns
from dataops.infra.errors import InternalError
from dataops.infra.resources.state import ResourceState
from dataops.infra.state.backend import StackReference


@dataclass(frozen=True, slots=True)
class DeploymentOptions:
    """How a deployment goes about it.

    Args:
        preview: plan and show only.
        parallel: how many operations run at once.
        continue_on_error: a failed resource stops only what depends on it.
        targets: the resources that may change, and those to replace.
        remade, redone: the resources that are deleted and made anew, or updated, although nothing about them differs.
        kind: `update`, `refresh` or `destroy`.
        ignore_protect: protected resources may be deleted and replaced.
        plan: what an update must keep to; None when it may do anything.
        make_plan: whether a preview's plan is wanted.
        rereads: what the program registers is read again first, by the providers as the program configures them.
    """

    preview: bool = False
    parallel: int = 16
    continue_on_error: bool = False
    targets: Targets = Targets()
    kind: str = "update"
    ignore_protect: bool = False
    plan: Plan | None = None
    make_plan: bool = False
    remade: UrnPatterns = UrnPatterns()
    redone: UrnPatterns = UrnPatterns()
    rereads: bool = False


class Bail(Exception):
    """The deployment cannot go on; why has been reported already."""


class Deployment:
    """The recorded resources that a deployment starts from, and how it is getting on.

    Attributes:
        resources: recorded resources in dependency order; replaced as a whole by a refresh.
        olds: those that are not waiting for deletion, by URN.
        news: what this deployment has made or found, by URN.
        replaced: `id()` of recorded resources that a replacement of this deployment has left for deletion.
        pending_replacement: `id()` of those deleted by this deployment before their replacement.
        cancelled: set when no more work may start.
        attention: set when whoever waits for the deployment should look at it.
        defect: an error that is ours.
    """

    def __init__(self, reference: StackReference, options: DeploymentOptions, resources: list[ResourceState]) -> None:
        self.reference = reference
        self.options = options
        self.news: dict[str, ResourceState] = {}
        self.replaced: set[int] = set()
        self.pending_replacement: set[int] = set()
        self.cancelled = threading.Event()
        self.attention = threading.Event()
        self.failed = False
        self.defect: InternalError | None = None
        self.rebase(resources)

    def rebase(self, resources: Sequence[ResourceState]) -> None:
        """Starts from other recorded resources: those found by a refresh."""
        self.resources = list(resources)
        self._found: dict[int, ResourceState | None] = {}
        self.olds = {state.urn: state for state in resources if not state.delete}
        self.graph = DependencyGraph(self.resources)

    def reread(self, old: ResourceState, new: ResourceState | None) -> None:
        """Goes on with what was found in place of a recorded resource; None when it is gone. See `settle`."""
        self._found[id(old)] = new
        if new is None:
            del self.olds[old.urn]
        else:
            self.olds[old.urn] = new
            self.graph.replace(old, new)

    def settle(self) -> None:
        """Puts what was reread into `resources`, once nothing is reread any more."""
        found = [self._found.get(id(state), state) for state in self.resources]
        self.resources = [state for state in found if state is not None]

    def awaits_replacement(self, state: ResourceState) -> bool:
        """Whether a recorded resource has been deleted, now or before, and is only kept until its replacement."""
        return state.pending_replacement or id(state) in self.pending_replacement

    def fail(self, *, stop: bool) -> None:
        """Notes that something failed; with `stop`, nothing new is started."""
        self.failed = True
        if stop:
            self.cancelled.set()
            self.attention.set()

    def unexpected(self, error: Exception) -> None:
        """Notes an error that nobody foresaw."""
        if self.defect is None:
            trace = "".join(traceback.format_exception(error))
            self.defect = InternalError(f"{type(error).__name__}: {error}", details=trace)
        self.fail(stop=True)
