"""What `dataops doctor` looks at.

A *probe* is one question about this machine, a target or the platform at hand; a *finding* is its answer, with what to
type where something is amiss. Probes change nothing, beyond a scratch file that they remove, and each has a deadline.
"""
