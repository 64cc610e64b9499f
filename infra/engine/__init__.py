"""The embedded deployment engine: runs a Pulumi program, plans, applies and records.

A *program* registers *goals* (what it wants) with the *monitor*. The *step generator* compares each goal with the
recorded *state* and plans *steps*; the *executor* performs them on *providers*, in dependency order because the program
registers a resource only once it knows what that depends on. What the program no longer registers is deleted at the
end, in reverse dependency order. A preview plans the same steps and only shows them.
"""
