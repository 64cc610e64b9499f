"""The order of a pipeline's steps: after what they need, and after the steps that make their inputs."""

from __future__ import annotations

from dataops.infra.platform.pipelines import Pipeline, Step


def predecessors(pipeline: Pipeline) -> dict[str, set[str]]:
    """For each step, the steps that come before it; needs that name no step are left out."""
    makers: dict[str, set[str]] = {}
    for step in pipeline.steps:
        for output in step.outputs:
            makers.setdefault(output, set()).add(step.name)
    names = {step.name for step in pipeline.steps}
    return {
        step.name: (
            {need for need in step.needs if need in names}
            | {maker for dataset in step.inputs for maker in makers.get(dataset, ()) if maker != step.name}
        )
        for step in pipeline.steps
    }


def waves(pipeline: Pipeline) -> list[list[Step]]:
    """The steps in groups: those of a group are independent of one another and follow all earlier groups.

    Raises:
        ValueError: the steps form a cycle; the message names it, as `a → b → a`.
    """
    before = predecessors(pipeline)
    done: set[str] = set()
    result: list[list[Step]] = []
    while len(done) < len(before):
        wave = [step for step in pipeline.steps if step.name not in done and before[step.name] <= done]
        if not wave:
            raise ValueError(" → ".join(find_cycle(pipeline)))
        result.append(wave)
        done |= {step.name for step in wave}
    return result


def ordered_steps(pipeline: Pipeline) -> list[Step]:
    """The steps in an order in which each may run; raises as `waves`."""
    return [step for wave in waves(pipeline) for step in wave]


def find_cycle(pipeline: Pipeline) -> list[str]:
    """The names of steps that wait for one another, the first repeated at the end; empty when there is no cycle."""
    before = predecessors(pipeline)
    left = set(before)
    while free := {name for name in left if not before[name] & left}:
        left -= free
    if not left:
        return []
    path = [next(step.name for step in pipeline.steps if step.name in left)]
    while path[-1] not in path[:-1]:
        path.append(min(before[path[-1]] & left))
    return path[path.index(path[-1]) :][::-1]
