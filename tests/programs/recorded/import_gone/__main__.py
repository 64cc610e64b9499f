"""`import_` of what does not exist, then of what does; a replacement while it is still imported is refused."""

from kit import Options, Thing, step

lost = Thing("lost", value="found", opts=Options(import_="id-lost-0"), **({"r_kind": "z"} if step else {}))
Thing("after", value=lost.token)
