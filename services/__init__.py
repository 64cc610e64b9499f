"""What is deployed into an environment and runs there: the runner of its pipelines.

Words: a *run* is one execution of a pipeline in an environment; its *steps* are processes, each tried in one or more
*attempts*; a *run record* says what happened, with a log per attempt. A *due time* is when a schedule wants a run; the
*runner* (`scheduler.py`) starts it as a process of its own (`execution.py`), which does what a run by hand does
(`runner.py`). The *plan* (`dataops.infra.platform.run_plan`) is the file that says what there is to run.
"""
