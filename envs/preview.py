"""`env plan`: what `env up` or `env deploy` would do, by the same plan and the same request, without doing any of it.

The commit's program is run from a temporary folder when the environment has no worktree of that commit yet; its
parameters give the environment's real paths all the same, so what is shown is what would be done. A stack that does not
exist yet is imagined in memory.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dataops.envs.change import Change
from dataops.envs.checkout import Checkout
from dataops.envs.extract import extracted
from dataops.envs.failure import failure
from dataops.envs.lock import holder_of
from dataops.envs.passphrase import FoundPassphrase, find_passphrase
from dataops.envs.phases import PhaseClock
from dataops.envs.planned import EnvironmentPlan, PlanCollector, variable_changes
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.request import parameters_of, request_for
from dataops.envs.stack import EnvironmentStack, Tools, open_stack, state_is_there
from dataops.envs.update import refuse_update
from dataops.infra.errors import DataopsError, LockedError

Check = Callable[[], None]
"""Raises what an update would be refused with."""


def preview(change: Change, check: Check, checkout: Checkout, tools: Tools, clock: PhaseClock) -> EnvironmentPlan:
    """What an update would do. Nothing is changed: no resource, no record, no worktree, no state.

    Args:
        change: what is to be made, as `plan` of `envs.up` or `envs.deploy` decided it.
        check: `refuse` of the same module, for that change.
        checkout: the platform.
        tools: see `Tools`.
        clock: is told what the program says, and of failures.

    Raises:
        AuthenticationError: the passphrase is wrong or missing.
        ProgramError: the branch's own program failed.
        ResourceError: a resource's declaration is refused.
    """
    record = Registry(checkout.layout.registry).load(change.name)
    root = checkout.layout.environment(change.name).root
    # in the order in which the update itself would come upon them
    checks = [
        lambda: _refuse_held(change, checkout),
        check,
        lambda: checkout.layout.require_pool(root),
        lambda: refuse_update(record, change),
    ]
    refused = _refusals(checks)
    with clock.phase("passphrase", "opening the state"):
        stack = _open(change, checkout, tools)
    collector = PlanCollector(clock)
    with clock.phase("code", f"commit {change.commit[:12]} of {change.branch}"), _code(change, checkout) as folder:
        request = request_for(change, checkout, folder)
        # An environment's own worktree gets no files by being looked at.
        options = replace(request.options, environment={"PYTHONDONTWRITEBYTECODE": "1"})
        with clock.phase("preview", "running the branch's program"):
            result = stack.deployer.preview(
                stack.reference, request.program, request.config, options, collector.on_engine_event
            )
    if result.failed:
        raise failure(clock, change.name, "nothing was changed; mend the cause on the branch and run the command again")
    return EnvironmentPlan(
        change=change,
        exists=record is not None,
        commit_before=record.commit if record else "",
        snapshot_before=record.snapshot if record else "",
        steps=collector.planned(),
        variables=variable_changes(collector, change),
        changes=dict(result.changes),
        refused=tuple(refused),
        seconds=clock.total(),
    )


def _refusals(checks: Iterable[Check]) -> list[DataopsError]:
    found = []
    for check in checks:
        try:
            check()
        except DataopsError as error:
            found.append(error)
    return found


def _refuse_held(change: Change, checkout: Checkout) -> None:
    held = holder_of(checkout.layout.registry, change.name)
    if held is not None and held.alive():
        raise LockedError(
            f"{held.describe()} is at work on it: {held.command}",
            where=f"environment {change.name}",
            hint="wait for it to end; what is planned here may be different then",
        )


@contextmanager
def _code(change: Change, checkout: Checkout) -> Iterator[Path]:
    """The platform's folder of the commit: in the environment's worktree, as it was edited, or in a temporary one."""
    from dataops.infra.providers.local.git_worktree import head_of

    parameters = parameters_of(change, checkout)
    if (parameters.worktree / ".git").exists() and head_of(parameters.worktree) == change.commit:
        yield parameters.root
        return
    with extracted(checkout.repository.common, change.commit) as folder:
        yield folder / checkout.subdirectory


def _open(change: Change, checkout: Checkout, tools: Tools) -> EnvironmentStack:
    """The environment's stack, or one in memory when it has none yet."""
    from dataops.infra.state.backend import StackReference

    url, project = checkout.backend_url, checkout.platform.name
    source = checkout.passphrase_source
    reference = StackReference(project, change.name)
    real = tools.backend(url) if state_is_there(url) else None
    if real is not None and real.exists(reference):
        return open_stack(tools, url, project, change.name, lambda _: find_passphrase(source))
    from dataops.envs.imagined import ImaginedBackend

    def passphrase(may_make: bool) -> FoundPassphrase:
        # Nothing is encrypted yet: what is imagined needs no passphrase that anybody keeps.
        return FoundPassphrase(randomness.token_urlsafe(16)) if may_make else find_passphrase(source)

    imagined = replace(tools, backend=lambda _: ImaginedBackend(real))
    if real is not None and real.stacks(project):
        record = _neighbour(Registry(checkout.layout.registry).all())
        salt = record.salt if record else ""
        imagined = replace(imagined, secrets=lambda text, _: tools.secrets(text, salt))
        return open_stack(imagined, url, project, change.name, lambda _: passphrase(False), create=True)
    return open_stack(imagined, url, project, change.name, lambda _: passphrase(True), create=True)


def _neighbour(records: Iterable[EnvironmentRecord]) -> EnvironmentRecord | None:
    """An environment of the platform, all of which share the salt of their secrets."""
    return next((record for record in records if record.salt), None)
