"""`make bench`: every measurement, one after the other."""

from benchmarks import environment
from benchmarks.engine import compare

compare.compare(count=300, runs=3)
environment.compare(runs=3)
