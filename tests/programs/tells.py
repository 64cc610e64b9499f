"""Tells its secrets in every way there is, and then raises with one."""

import json

import pulumi
from thing import Thing  # type: ignore[import-not-found]  # beside this file when it runs

config = pulumi.Config("world")
word, deep = str(config.get("password")), json.loads(config.get("outer") or "{}")["hush"]
pulumi.log.warn(f"it is {word}")
print("printed", json.dumps({"said": word}))
Thing("it", value=word, note=f"<{deep}>")
pulumi.export("told", {"deep": [deep]})
if config.get_bool("raises"):
    raise ValueError(f"not {word}")
