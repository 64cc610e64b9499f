"""Plans for the program of a destroy, which is run for its hooks and providers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataops.infra.engine.step import Step
from dataops.infra.resources.references import named_by
from dataops.infra.resources.urn import is_provider

if TYPE_CHECKING:
    from dataops.infra.engine.step_generator import Draft, StepGenerator


def plan_as_recorded(generator: StepGenerator, draft: Draft) -> list[Step]:
    """The steps that give a resource to the program as it is recorded.

    Returns:
        no steps for what is made as in an update: a provider, so that it is configured as the program says, and a
        component. What is not recorded is left out, and what needs something that is left out.
    """
    with generator.lock:
        old, new = draft.old, draft.new
        managed = new.custom and not is_provider(new.type)
        if (managed and old is None) or not generator.skipped_creates.isdisjoint({new.parent, *named_by(new)}):
            generator.planned[draft.urn] = "same"
            generator.skipped_creates.add(draft.urn)
            new.outputs = old.outputs if old is not None else {}
            return [Step("same", None, new, skipped=True)]
        if not managed or old is None:
            return []
        generator.planned[draft.urn] = "same"
        new.inputs = old.inputs
        return [Step("same", old, new)]
