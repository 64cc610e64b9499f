"""Resources as the engine, the providers and the state share them: URNs, property values, recorded states.

The words are Pulumi's: a *resource* has *inputs* (what the program asked for), *outputs* (what the provider reported),
an *id* (the provider's name for it) and a *URN* (the stack's name for it).
"""
