"""Ends with a plain sentence where Python is too old or pip is missing. Runs on any Python 3."""

import shutil
import sys

if sys.version_info < (3, 11):
    found = ".".join(str(number) for number in sys.version_info[:2])  # no f-string: this must run on any Python 3
    sys.exit("dataops needs Python 3.11 or newer, this is " + found + "; name another: make PYTHON=python3.12 ...")
if not shutil.which("git"):
    sys.exit("dataops needs git on PATH: install the package `git`")
if not shutil.which("uv"):
    try:
        import pip  # noqa: F401
    except ImportError:
        sys.exit("neither uv nor pip is here: install one of them (Debian and Ubuntu: the package `python3-pip`)")
