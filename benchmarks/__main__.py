"""`make bench`: every measurement, one after the other."""

import os

from benchmarks import environment, replicas, state
from benchmarks.engine import compare, scale
from benchmarks.snapshots import capture, clones, masking

compare.compare(count=300, runs=3)
scale.grow([300, 1000, 3000], "wide")
scale.grow([300, 1000, 3000], "deep")
environment.compare(runs=3)
replicas.measure(count=20)
state.measure()
masking.measure()
capture.compare()
if os.geteuid() == 0:
    clones.compare([1, 5, 10])
else:
    print("left out: clones, which need root to mount a pool")
