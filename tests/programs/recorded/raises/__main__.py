"""A program that raises half-way, with replacements and removals pending; that exits."""

import sys

from kit import Thing, step

a = Thing("a", r_kind="1" if step in (1, 2) else "0")
if step == 1:
    raise ValueError("half-way")
if step == 2:
    a.token.apply(lambda token: int(token))
b = Thing("b", value=a.token)
if step == 3:
    sys.exit(3)
