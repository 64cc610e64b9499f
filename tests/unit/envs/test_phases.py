from __future__ import annotations

import pytest

from dataops.envs.failure import failure
from dataops.envs.phases import Moment, PhaseClock, PhaseEvent
from dataops.infra.errors import PolicyError, ResourceError, VerificationError
from dataops.infra.events.engine_events import (
    DiagnosticEvent,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    StepMetadata,
)
from dataops.infra.resources.urn import make_urn


def step(op: str, type_: str, name: str) -> StepMetadata:
    return StepMetadata(op, make_urn("x", "shop", None, type_, name), type_)


def heard() -> tuple[PhaseClock, list[PhaseEvent]]:
    events: list[PhaseEvent] = []
    return PhaseClock(events.append), events


def test_a_phase_is_told_at_both_ends() -> None:
    clock, events = heard()
    with clock.phase("code", "commit 1"):
        pass
    assert [(e.phase, e.moment) for e in events] == [("code", Moment.STARTED), ("code", Moment.FINISHED)]
    assert list(clock.seconds()) == ["code"]


def test_a_phase_that_fails_says_so() -> None:
    clock, events = heard()
    with pytest.raises(ZeroDivisionError), clock.phase("code"):
        raise ZeroDivisionError
    assert events[-1].moment is Moment.FAILED


def test_steps_of_the_engine_belong_to_the_phase_of_their_type() -> None:
    clock, events = heard()
    role = step("create", "dataops:postgres:Role", "pipeline")
    clock.on_engine_event(ResourcePreEvent(role))
    clock.on_engine_event(ResOutputsEvent(role))
    clock.on_engine_event(ResourcePreEvent(step("create", "my:own:Thing", "t")))
    assert [(e.phase, e.moment, e.text) for e in events] == [
        ("access", Moment.STARTED, ""),
        ("access", Moment.STEP, "created Role pipeline"),
        ("access", Moment.FINISHED, ""),
        ("resources", Moment.STARTED, ""),
    ]


def test_a_replacement_is_told_once() -> None:
    clock, events = heard()
    for op in ("delete-replaced", "replace", "create-replacement"):
        service = step(op, "dataops:local:Service", "api")
        clock.on_engine_event(ResourcePreEvent(service))
        clock.on_engine_event(ResOutputsEvent(service))
    assert [e.text for e in events if e.moment is Moment.STEP] == [
        "deleted the old Service api",
        "replaced Service api",
    ]


def test_that_the_update_failed_is_no_news_beside_what_failed() -> None:
    clock, _ = heard()
    service = step("create", "dataops:local:Service", "api")
    clock.on_engine_event(ResourcePreEvent(service))
    clock.on_engine_event(DiagnosticEvent("cannot start", "error", urn=service.urn))
    clock.on_engine_event(ResOpFailedEvent(service))
    clock.on_engine_event(DiagnosticEvent("update failed", "error"))
    assert failure(clock, "feature-x").details == "Service api: cannot start"


def test_unchanged_resources_make_no_phase() -> None:
    clock, events = heard()
    same = step("same", "dataops:postgres:Role", "pipeline")
    clock.on_engine_event(ResourcePreEvent(same))
    clock.on_engine_event(ResOutputsEvent(same))
    assert events == [] and clock.seconds() == {}


def test_a_phase_lasts_while_one_of_its_steps_does() -> None:
    clock, events = heard()
    first, second = (step("create", "dataops:postgres:Role", name) for name in ("a", "b"))
    for event in (ResourcePreEvent(first), ResourcePreEvent(second), ResOutputsEvent(first)):
        clock.on_engine_event(event)
    assert Moment.FINISHED not in {e.moment for e in events}
    clock.on_engine_event(ResOutputsEvent(second))
    assert events[-1].moment is Moment.FINISHED


def test_failures_are_told_with_what_was_said_about_them() -> None:
    clock, _ = heard()
    cluster = step("create", "dataops:local:PostgresCluster", "cluster")
    clock.on_engine_event(ResourcePreEvent(cluster))
    clock.on_engine_event(DiagnosticEvent("no room on the disk", "error", cluster.urn))
    clock.on_engine_event(ResOpFailedEvent(cluster))
    error = failure(clock, "feature-x")
    assert isinstance(error, ResourceError) and error.exit_code == 4
    assert error.details == "PostgresCluster cluster: no room on the disk"


def test_a_failed_verification_is_a_verification_error() -> None:
    clock, _ = heard()
    check = step("create", "dataops:snapshots:Verification", "verification")
    clock.on_engine_event(ResourcePreEvent(check))
    clock.on_engine_event(ResOpFailedEvent(check, exit_code=11, hint="take a new snapshot"))
    error = failure(clock, "feature-x")
    assert isinstance(error, VerificationError) and error.hint == "take a new snapshot"


def test_a_refusal_by_the_production_guard_comes_before_any_other_failure() -> None:
    clock, _ = heard()
    for token, code in (("dataops:local:Lake", 4), ("dataops:local:Service", 5)):
        failed = step("create", token, "x")
        clock.on_engine_event(ResourcePreEvent(failed))
        clock.on_engine_event(ResOpFailedEvent(failed, exit_code=code))
    assert isinstance(failure(clock, "feature-x"), PolicyError)
