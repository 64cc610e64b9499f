"""What is deployed into an environment and runs there: so far the pipeline runner.

Words: a *run* is one execution of a pipeline in an environment; its *steps* are processes that run one after the other
in the order that inputs, outputs and needs give; a *run record* says what happened, with a log per step.
"""
