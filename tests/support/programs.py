"""Small Pulumi programs for stories, as text."""

from __future__ import annotations

SHELVES = '''
"""Makes shelves as folders' worth of files below WORLD: what exists is what lies there."""

import os
import time
from pathlib import Path

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult


def _path(name):
    return Path(os.environ["WORLD"]) / name


class Maker(ResourceProvider):
    def create(self, props):
        name = props["label"]
        if props.get("slow"):
            _path(name + ".started").touch()
            time.sleep(float(props["slow"]))
        if props.get("fail"):
            raise Exception(f"no wood for {name}")
        _path(name).write_text(str(int(props["size"])))
        return CreateResult("shelf-" + name, {**props, "made": True})

    def diff(self, id, olds, news):
        changed = [key for key in ("size", "fail", "slow") if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(changed))

    def update(self, id, olds, news):
        _path(news["label"]).write_text(str(int(news["size"])))
        return UpdateResult({**news, "made": True})

    def read(self, id, props):
        path = _path(props["label"])
        return ReadResult(id, {**props, "size": int(path.read_text())}) if path.exists() else ReadResult("", {})

    def delete(self, id, props):
        _path(props["label"]).unlink(missing_ok=True)


class Shelf(Resource):
    made: pulumi.Output[bool]
    size: pulumi.Output[int]

    def __init__(self, name, opts=None, **inputs):
        super().__init__(Maker(), name, {"label": name, "made": None, "size": 1, **inputs}, opts)


config = pulumi.Config()
'''
"""A program's first part: `Shelf(name, size=…, slow=seconds, fail=True)` and `config`."""
