"""`import_`: with inputs that match, with others, with an id that is not there, of what is managed, replaced later."""

from kit import Options, Thing, step

Thing("same", value="found", opts=Options(import_="id-same-0"))
if step == 1:
    Thing("differs", value="mine", opts=Options(import_="id-differs-0"))
if step >= 2:
    Thing("differs", value="mine", opts=Options(import_="id-differs-0", ignore_changes=["value"]))
if step in (3, 4):
    Thing("managed", value="m", opts=Options(import_="id-managed-0" if step == 4 else None))
if step == 5:
    Thing("forced", value="found", r_kind="new", opts=Options(import_="id-forced-0"))
