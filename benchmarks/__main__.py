"""`make bench`: every measurement, one after the other."""

from benchmarks import environment, masking, replicas, state
from benchmarks.engine import compare, scale

compare.compare(count=300, runs=3)
scale.grow([300, 1000, 3000], "wide")
scale.grow([300, 1000, 3000], "deep")
environment.compare(runs=3)
replicas.measure(count=20)
state.measure()
masking.measure()
