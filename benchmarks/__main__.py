"""`make bench`: every measurement, one after the other."""

from benchmarks import environment, replicas, state
from benchmarks.engine import compare

compare.compare(count=300, runs=3)
environment.compare(runs=3)
replicas.measure(count=20)
state.measure()
