"""Resources that are only read: read again, under another id, turned into managed ones and back, gone."""

import pulumi
from kit import Options, Thing, step

ids = ["id-id0-0", "id-id1-0", "id-id1-0", None, "id-x-0"]
found = Thing("found", opts=Options(id=ids[step])) if ids[step] else Thing("found", value="managed")
Thing("user", value=found.value)
pulumi.export("value", found.value)
