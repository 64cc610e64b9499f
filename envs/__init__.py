"""Environments and their life cycle.

Words: an *environment* is one deployed instance of a platform: `production`, `staging`, or a *replica* named after a
branch. Its *record* in the *registry* says what it is and where its state lies; it is written before anything is made.
Whoever works on an environment holds its *lease*. A *change* is what is to be made of which commit, decided before
anything is done; *phases* are the parts of the work as a user would name them; *facts* are where things are in the end.
"""
