"""A rule that a package brings: installed for real in an environment of its own, found by its entry point."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dataops.infra.platform.loader import parse_platform
from dataops.infra.platform.problems import PlatformError

pytestmark = pytest.mark.slow

RULE = """
from blake3 import blake3
from dataops.snapshots.masking.base import Family, Masker


class Badge(Masker):
    injective = False
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes, prefix: str = "B") -> None:
        self._key, self._prefix = key, prefix

    def mask(self, value: str) -> str:
        return self._prefix + blake3(value.encode(), key=self._key).hexdigest()[:8]


class Broken:
    def __init__(self, key: bytes) -> None:
        raise RuntimeError("it does not work")
"""
USE = '''
import pickle
from pathlib import Path
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.loader import parse_platform
from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.choose import masker_for

TEXT = """
apiVersion: dataops/v1
name: x
stores: {warehouse: {database: x, schemas: [raw]}}
masking: {tables: {raw.a: {one: {rule: badge, prefix: E}, two: {rule: badge}, three: {rule: broken}}}}
"""
rules = parse_platform(Path("dataops.yaml"), TEXT).policy.table_rules("raw.a")
one, two = (masker_for(rules[name], Family.TEXT, bytes(32)) for name in ("one", "two"))
assert pickle.loads(pickle.dumps(one)).mask("x") == one.mask("x")
assert masker_for(rules["one"], Family.DATE, bytes(32)) is None
try:
    masker_for(rules["three"], Family.TEXT, bytes(32))
except ConfigurationError as error:
    print(error.what, "|", error.details)
print(one.mask("x")[0], two.mask("x")[0], one.mask("x")[1:] != two.mask("x")[1:])
'''


def wheel(folder: Path) -> Path:
    """A package with two rules."""
    path, info = folder / "our_rules-1.0-py3-none-any.whl", "our_rules-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("our_rules.py", RULE)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: our-rules\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        points = "[dataops.masking]\nbadge = our_rules:Badge\nbroken = our_rules:Broken\n"
        archive.writestr(f"{info}/entry_points.txt", points)
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_an_installed_package_brings_a_rule_with_options(tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    environment = tmp_path / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    ours = Path(sys.prefix) / "lib" / site.parent.name / "site-packages"
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    python = str(environment / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--no-index", "--no-deps", "--python", python, str(wheel(tmp_path))]
    subprocess.run(install, check=True)
    done = subprocess.run([python, "-c", USE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told, masks = done.stdout.splitlines()
    assert told == "the rule `broken` cannot be used | RuntimeError: it does not work"
    assert masks == "E B True"


def test_a_rule_that_nobody_brings_is_told_with_the_nearest_name() -> None:
    text = "apiVersion: dataops/v1\nname: x\nstores: {warehouse: {database: x, schemas: [raw]}}\n"
    with pytest.raises(PlatformError) as caught:
        parse_platform(Path("dataops.yaml"), f"{text}masking: {{tables: {{raw.a: {{x: emial, y: badge}}}}}}\n")
    assert "unknown rule `emial`" in str(caught.value)
    assert "unknown rule `badge`" in (caught.value.details or "")
