"""`make demo`: the main job on real data, through the command line that every user types at.

    python -m examples.demo up     production, its pipeline, a masked snapshot, a branch, its replica
    python -m examples.demo down   remove all of it

It works in `.demo/flights`, a git repository of its own with a copy of `examples/flights`. Run again, it goes on with
what is there. Every command is printed before it runs; a command that fails ends the demo with its exit status.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from dataops.infra.platform.layout import PlatformLayout, default_home

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / ".demo" / "flights"
HOME_NOTE = FOLDER.with_name("home")
"""Where the demo's environments lie, so that they are found whatever `DATAOPS_HOME` says later."""
DATAOPS = Path(sys.executable).with_name("dataops")
BRANCH, REPLICA = "feature/late-means-30-minutes", "feature-late-means-30-minutes"
CHANGED = "pipelines/sql/delays_by_carrier_hour.sql"

LATE = """\
import os, psycopg
with psycopg.connect(os.environ["WAREHOUSE_URL"]) as warehouse:
    rows = warehouse.execute(
        "SELECT carrier, round(sum(late_percent * flights) / sum(flights), 1) FROM marts.delays_by_carrier_hour "
        "GROUP BY carrier ORDER BY sum(flights) DESC LIMIT 5")
    print("  late departures:", ", ".join(f"{carrier} {percent} %" for carrier, percent in rows))
"""

ADDRESSES = """\
import hashlib, json, os, psycopg
with psycopg.connect(os.environ["WAREHOUSE_URL"]) as warehouse:
    rows = warehouse.execute("SELECT email FROM raw.passengers").fetchall()
    print(json.dumps([hashlib.sha256(email.encode()).hexdigest() for email, in rows]))
"""


def say(sentence: str) -> None:
    """A heading of the demo."""
    print(f"\n\033[1m{sentence}\033[0m" if sys.stdout.isatty() else f"\n# {sentence}", flush=True)


def run(*command: str, shown: bool = True) -> None:
    """Runs a command in the demo's repository; the demo ends with it when it fails."""
    if shown:
        print(f"$ {shlex.join(command)}", flush=True)
    done = subprocess.run([str(DATAOPS) if command[0] == "dataops" else command[0], *command[1:]], cwd=FOLDER)
    if done.returncode:
        sys.exit(done.returncode)


def answer(*words: str) -> str:
    """What a dataops command prints, which must succeed."""
    done = subprocess.run([str(DATAOPS), *words], cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def git(*words: str) -> str:
    """What a git command in the demo's repository prints."""
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=FOLDER, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"git {shlex.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def prepare() -> None:
    """Makes the platform's repository with its branch, unless they are there."""
    if not (FOLDER / ".git").is_dir():
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(HERE / "flights", FOLDER, ignore=shutil.ignore_patterns("__pycache__", ".dataops"))
        git("init", "--quiet", "--initial-branch", "main")
        git("add", "--all")
        git("commit", "--quiet", "--message", "The flights platform")
    if not git("branch", "--list", BRANCH):
        git("switch", "--quiet", "--create", BRANCH, "main")
        path = FOLDER / CHANGED
        text = path.read_text(encoding="utf-8")
        if "dep_delay > 15" not in text:
            sys.exit(f"{CHANGED} no longer holds the line that the demo changes")
        path.write_text(text.replace("dep_delay > 15", "dep_delay > 30"), encoding="utf-8")
        git("commit", "--quiet", "--all", "--message", "Late means 30 minutes")
        git("switch", "--quiet", "main")


def settle() -> None:
    """Has everything lie where the demo began, if it is there already."""
    if HOME_NOTE.is_file():
        os.environ["DATAOPS_HOME"] = HOME_NOTE.read_text(encoding="utf-8")
    else:
        HOME_NOTE.parent.mkdir(parents=True, exist_ok=True)
        HOME_NOTE.write_text(str(default_home()), encoding="utf-8")


def up() -> None:
    """The main job, from an empty machine to a replica whose data differ from production's as the branch says."""
    began = time.monotonic()
    settle()
    prepare()
    say("A data platform in git: pipelines, services, access, masking rules")
    run("dataops", "validate")
    say("Production: the stack, then its pipeline on 336,776 real flights and 200,000 made-up bookings")
    run("dataops", "env", "deploy", "production", "--yes")
    run("dataops", "pipeline", "run", "flights", "--env", "production")
    say("A masked, signed snapshot of warehouse and lake")
    run("dataops", "snapshot", "capture", "--env", "production")
    before = json.loads(answer("env", "fingerprint", "production", "-o", "json"))
    say(f"A developer works on the branch {BRANCH}: one command gives them a private replica")
    run("git", "log", "--oneline", "--all", "--graph")
    run("git", "diff", "main", BRANCH, "--unified=0")
    run("dataops", "env", "up", "--branch", BRANCH)
    say("The branch's pipeline, in the replica")
    run("dataops", "pipeline", "run", "flights", "--env", REPLICA, "--step", "marts")
    say("The mart has changed in the replica, and only there")
    for name in ("production", REPLICA):
        print(f"{name}:", flush=True)
        run("dataops", "env", "exec", name, "--", "python", "-c", LATE, shown=False)
    after = json.loads(answer("env", "fingerprint", "production", "-o", "json"))
    if before != after:
        sys.exit("production has changed: that must not happen")
    print(f"production: the SHA-256 of each of {count(after)} tables and objects is what it was before", flush=True)
    real, masked = (
        set(json.loads(answer("env", "exec", name, "--", "python", "-c", ADDRESSES)))
        for name in ("production", REPLICA)
    )
    if real & masked or len(real) != len(masked):
        sys.exit("e-mail addresses of production are in the replica: that must not happen")
    print(f"replica: {len(masked):,} e-mail addresses, all different, none of them one of production's", flush=True)
    say("Run again, it changes nothing")
    run("dataops", "env", "up", "--branch", BRANCH)
    say("What is there now")
    run("dataops", "env", "ls")
    run("dataops", "snapshot", "ls")
    print(f"\nDone in {time.monotonic() - began:.0f} s. Look around:")
    print(f"  cd {FOLDER}\n  export PATH={DATAOPS.parent}:$PATH")
    print(f"  dataops env connect {REPLICA}\n  dataops env exec {REPLICA} -- env")
    print("`make demo-down` removes everything.")


def count(fingerprint: dict[str, dict[str, str]]) -> int:
    """How many tables and objects a fingerprint covers."""
    return sum(len(kind) for kind in fingerprint.values() if isinstance(kind, dict))


def down() -> None:
    """Removes what `up` made."""
    if not FOLDER.is_dir():
        print("nothing to remove")
        return
    settle()
    for environment in json.loads(answer("env", "ls", "-o", "json")):
        run("dataops", "env", "down", environment["name"], "--yes", "--force")
    remains = PlatformLayout.of("flights", FOLDER / ".git").root
    if remains.is_dir():
        for folder in [remains, *(path for path in remains.rglob("*") if path.is_dir())]:
            folder.chmod(0o700)  # golden directories are read-only
        shutil.rmtree(remains)
    shutil.rmtree(FOLDER)
    HOME_NOTE.unlink(missing_ok=True)
    print(f"Removed {remains} and {FOLDER}")


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1] if len(sys.argv) > 1 else "up"]()
