"""Plays a program on a `pulumi`-compatible command, operation by operation, and compares what happened with a record.

A scenario is a folder of `tests/programs/recorded` with a program and `ops.json`: a list of `VERB STEP [OPTION...]`,
where STEP becomes the configuration value `step`; `world JSON` says what other hands did; `config {KEY: VALUE}` sets
more; `stack NAME` goes on with another stack; `edit JSON` leaves what a crash leaves. In an option, `<a>` stands for
the URN of the resource `a` as it was last recorded.

To record: `python -m support.recorded_course pulumi VENV [SCENARIO ...]` in the folder `tests`.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

PROGRAMS = Path(__file__).resolve().parents[1] / "programs" / "recorded"
SCENARIOS = sorted(folder.name for folder in PROGRAMS.glob("*/") if (folder / "ops.json").exists())
APPLIED = ["--yes", "--skip-preview"]
VERBS = {
    "up": ["up", *APPLIED],
    "preview": ["preview"],
    "destroy": ["destroy", *APPLIED],
    "refresh": ["refresh", *APPLIED],
}
VOLATILE = ("created", "modified", "sourcePosition", "stackTrace", "viewOf")
_LONGEST = 2000
ASIDE = frozenset({"manifest", "secrets_providers", "metadata"})


class Course:
    """One scratch project on one command."""

    def __init__(self, command: list[str], venv: Path, folder: Path) -> None:
        self._command, self._folder, self._stack = command, folder, "dev"
        plugins = folder / "plugins"
        plugins.mkdir()
        plugin = plugins / "pulumi-resource-acme"
        plugin.write_text(f'#!/bin/sh\nexec {venv}/bin/python {PROGRAMS}/acme_plugin.py "$@"\n')
        plugin.chmod(0o755)
        (folder / "state").mkdir()
        options = json.dumps({"virtualenv": str(venv)})
        (folder / "Pulumi.yaml").write_text(f"name: recorded\nruntime: {{name: python, options: {options}}}\n")
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(plugins), os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "recorded",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_HOME": str(folder / "home"),
            "NO_COLOR": "1",
            "CALLS": str(folder / "calls"),
            "WORLD": str(folder / "world.json"),
        }
        self._settings: dict[str, object] = {}
        self._urns: dict[str, str] = {}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs the command on the present stack."""
        if words[0] == "stack" and self._command[-1] == "stack":
            words = words[1:]
        command = [*self._command, *words, "--non-interactive"]
        return subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=300
        )

    def begin(self, stack: str) -> None:
        """Goes on with another stack, made if need be."""
        self._stack = stack
        if self.run("stack", "select", stack).returncode:
            done = self.run("stack", "init", stack)
            assert done.returncode == 0, done.stderr
        self._salt = (self._folder / f"Pulumi.{stack}.yaml").read_text().splitlines()[0]

    def operate(self, operation: str) -> dict[str, Any] | None:
        """Does one operation; what happened, or None when nothing runs."""
        verb, _, rest = operation.partition(" ")
        if verb == "world":
            (self._folder / "world.json").write_text(rest)
            return None
        if verb == "config":
            self._settings.update(json.loads(rest))
            return None
        if verb == "stack":
            self.begin(rest)
            return None
        if verb == "edit":
            self._edit(**json.loads(rest))
            return None
        options = shlex.split(rest)
        step = options.pop(0) if options and not options[0].startswith("-") else ""
        if step:
            self._settings["recorded:step"] = step
        lines = [f"  {key}: {json.dumps(value)}" for key, value in self._settings.items()]
        settings = self._folder / f"Pulumi.{self._stack}.yaml"
        settings.write_text("\n".join([self._salt, "config:", *lines, ""]))
        for scratch in ("calls", "events"):
            (self._folder / scratch).unlink(missing_ok=True)
        options = [re.sub(r"<(.*?)>", lambda found: self._urns[found[1]], option) for option in options]
        words = [verb] if "--preview-only" in options else VERBS[verb]
        ran = self.run(*words, *options, "--event-log", str(self._folder / "events"), "--suppress-progress")
        calls = self._folder / "calls"
        return {
            "operation": operation,
            "exit_code": ran.returncode,
            "events": _events(self._folder / "events"),
            "provider_calls": [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else [],
            "state": self._state(),
            "said": ran.stdout[-3000:] + ran.stderr[-3000:],
        }

    def _edit(
        self,
        pending: Sequence[Sequence[str]] = (),
        mark: Mapping[str, dict[str, Any]] = MappingProxyType({}),
        copy: Mapping[str, dict[str, Any]] = MappingProxyType({}),
    ) -> None:
        """Makes the state what a crash may leave, in its file: an import forgets what was under way.

        Args:
            pending: operations of unknown outcome: kind, name, and the name of the resource that it is like if
                nothing of its own name is recorded.
            mark: fields that recorded resources get, by name.
            copy: fields of a second one, which a recorded resource gets beside it, by name.
        """
        file = self._folder / "state/.pulumi/stacks/recorded" / f"{self._stack}.json"
        document = json.loads(file.read_text())
        deployment = document["checkpoint"]["latest"]
        resources = deployment["resources"]
        by_name = {resource["urn"].rpartition("::")[2]: resource for resource in resources}
        for name, fields in mark.items():
            by_name[name].update(fields)
        for name, fields in copy.items():
            resources.insert(resources.index(by_name[name]) + 1, {**by_name[name], **fields})
        deployment["pending_operations"] = [
            {"type": kind, "resource": _another(by_name[(like or [name])[0]], name) if like else by_name[name]}
            for kind, name, *like in pending
        ]
        file.write_text(json.dumps(document))

    def _state(self) -> dict[str, Any]:
        exported = self.run("stack", "export", "--show-secrets")
        assert exported.returncode == 0, exported.stderr
        deployment = json.loads(exported.stdout)["deployment"]
        for resource in deployment.get("resources", []):
            self._urns[resource["urn"].rpartition("::")[2]] = resource["urn"]
            for key in VOLATILE:
                resource.pop(key, None)
        return {key: value for key, value in deployment.items() if key not in ASIDE}


def _another(resource: dict[str, Any], name: str) -> dict[str, Any]:
    """A resource like another, about to be made under a name of its own."""
    another = {key: value for key, value in resource.items() if key not in ("id", "outputs")}
    another["urn"] = f"{resource['urn'].rpartition('::')[0]}::{name}"
    return {**another, "inputs": {**resource["inputs"], "label": name}}


def play(scenario: str, command: list[str], venv: Path) -> list[dict[str, Any]]:
    """What happens at each operation of a scenario."""
    with tempfile.TemporaryDirectory(prefix="recorded-") as name:
        folder = Path(name)
        shutil.copy(PROGRAMS / "kit.py", folder)
        shutil.copy(PROGRAMS / scenario / "__main__.py", folder)
        course = Course(command, venv, folder)
        course.begin("dev")
        operations = json.loads((PROGRAMS / scenario / "ops.json").read_text())
        played = [found for found in map(course.operate, operations) if found is not None]
        text = json.dumps(played).replace(name, "<dir>").replace(f"Pulumi.{folder.name}", "<dir>")
        result: list[dict[str, Any]] = json.loads(text)
        return [{key: value if key == "said" else _short(value) for key, value in one.items()} for one in result]


def _short(value: Any) -> Any:
    """A value with a digest in place of each long text."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"<{len(value)} characters, {hashlib.sha256(value.encode()).hexdigest()[:16]}>"
    return value


def differences(wanted: list[dict[str, Any]], got: list[dict[str, Any]]) -> list[str]:
    """What happened otherwise than recorded, one line each."""
    found: list[str] = []
    before: dict[tuple[str, bool, str], Any] = {}
    for want, have in zip(wanted, got, strict=True):
        lines: list[str] = []
        if want["exit_code"] != have["exit_code"]:
            lines.append(f"exit status {have['exit_code']}, recorded {want['exit_code']}: {have['said'][-1500:]}")
        # How far the program got before it was stopped is chance; what a destroy leaves alone, nobody needs to tell.
        sames = not want["exit_code"] and not want["operation"].startswith("destroy")
        steps, done = _steps(want, sames), _steps(have, sames)
        lines += [f"missing {count} x {what}" for what, count in (steps - done).items()]
        lines += [f"unexpected {count} x {what}" for what, count in (done - steps).items()]
        lines += [f"missing error about {urn}" for urn in _complaints(want) - _complaints(have)]
        lines += [f"unexpected error about {urn}" for urn in _complaints(have) - _complaints(want)]
        if _counts(want) != _counts(have):
            lines.append(f"counted {_counts(have)}, recorded {_counts(want)}")
        calls = [collections.Counter(map(json.dumps, one["provider_calls"])) for one in (want, have)]
        lines += [f"missing call {call}" for call in calls[0] - calls[1]]
        lines += [f"unexpected call {call}" for call in calls[1] - calls[0]]
        expected, actual = _resources(want), _resources(have)
        lines += _misordered(have, before, expected)
        for key in sorted(expected.keys() | actual.keys()):
            old, new = expected.get(key), actual.get(key)
            if old is None or new is None:
                lines.append(f"{key} is {'not ' if new is None else ''}in the state")
            else:
                lines += [
                    f"{key[0]}: {name} = {json.dumps(new.get(name))[:300]}, recorded {json.dumps(old.get(name))[:300]}"
                    for name in sorted(old.keys() | new.keys())
                    if old.get(name) != new.get(name)
                ]
        if _pending(want) != _pending(have):
            lines.append(f"pending {_pending(have)}, recorded {_pending(want)}")
        found += [f"{want['operation']}: {line}" for line in lines]
        before = expected
    return found


def _events(path: Path) -> list[dict[str, Any]]:
    """The engine events that matter, shortened."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        event = json.loads(line)
        for name, moment in (("resOutputsEvent", "done"), ("resOpFailedEvent", "failed")):
            if told := event.get(name):
                found.append({"event": moment, "op": told["metadata"]["op"], "urn": told["metadata"]["urn"]})
        if (said := event.get("diagnosticEvent")) and said.get("severity") in ("error", "warning"):
            found.append({"event": "diagnostic", **{k: said.get(k, "") for k in ("severity", "urn", "message")}})
        if summary := event.get("summaryEvent"):
            found.append({"event": "summary", "changes": summary.get("resourceChanges")})
    return found


def _steps(operation: dict[str, Any], sames: bool) -> collections.Counter[tuple[str, str, str]]:
    """How often each step was finished on each resource; the stack itself and providers that nobody named aside."""
    return collections.Counter(
        (event["event"], event["op"], event["urn"])
        for event in operation["events"]
        if event["event"] in ("done", "failed")
        and (sames or event["op"] != "same")
        and "pulumi:pulumi:Stack::" not in event["urn"]
        and "::default" not in event["urn"]
    )


def _counts(operation: dict[str, Any]) -> Any:
    """What the summary counts, `same` aside: engines differ in whether they count default providers."""
    counted = next((event["changes"] for event in operation["events"] if event["event"] == "summary"), None) or {}
    return {op: count for op, count in counted.items() if op not in ("same", "read") and count}


def _complaints(operation: dict[str, Any]) -> set[str]:
    """The resources that errors were reported about."""
    found = operation["events"]
    return {e["urn"] for e in found if e["event"] == "diagnostic" and e["severity"] == "error" and e["urn"]}


def _pending(operation: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((p["type"], p["resource"]["urn"]) for p in operation["state"].get("pending_operations") or [])


def _resources(operation: dict[str, Any]) -> dict[tuple[str, bool, str], Any]:
    """Recorded resources by URN, without the ids of providers."""
    found = {}
    for resource in operation["state"].get("resources") or []:
        kept = {key: value for key, value in resource.items() if value not in (None, [], {}, "", False)}
        kept["provider"] = resource.get("provider", "").rpartition("::")[0]
        kept["dependencies"] = sorted(resource.get("dependencies") or [])
        kept["propertyDependencies"] = {
            key: sorted(urns or []) for key, urns in (resource.get("propertyDependencies") or {}).items() if urns
        }
        if resource["type"].startswith("pulumi:providers:"):
            kept.pop("id")
            if "::default" in resource["urn"]:
                continue
        found[resource["urn"], bool(resource.get("delete")), str(kept.get("id", ""))] = kept
    return found


def _misordered(
    operation: dict[str, Any], before: dict[tuple[str, bool, str], Any], after: dict[tuple[str, bool, str], Any]
) -> list[str]:
    """Provider calls that run against a dependency: creates before what they need, deletes after it."""
    first: dict[tuple[str, str], int] = {}
    for index, call in enumerate(operation["provider_calls"]):
        first.setdefault((call["call"], str(call["name"])), index)
    wrong = []
    for verb, known, sign in (("create", after, 1), ("delete", before, -1)):
        labels = {key[0]: str(resource.get("inputs", {}).get("label")) for key, resource in known.items()}
        twice = {urn for urn, count in collections.Counter(key[0] for key in known).items() if count > 1}
        for key, resource in known.items():
            # Which of two with one URN is needed, the state does not say.
            if twice & {key[0], *resource["dependencies"]}:
                continue
            for needed in resource["dependencies"]:
                mine, theirs = first.get((verb, labels[key[0]])), first.get((verb, labels.get(needed, "")))
                if mine is not None and theirs is not None and (mine - theirs) * sign < 0:
                    wrong.append(f"{verb} of {labels[key[0]]} and of {labels[needed]} are in the wrong order")
    return wrong


def main() -> None:
    """Records scenarios."""
    command, venv, *names = sys.argv[1:]
    for scenario in names or SCENARIOS:
        played = play(scenario, shlex.split(command), Path(venv))
        for operation in played:
            said = operation.pop("said")
            print(f"{scenario}: {operation['operation']}: {operation['exit_code']}", file=sys.stderr)
            if operation["exit_code"]:
                print(said[-1200:], file=sys.stderr)
        (PROGRAMS / scenario / "recorded.json").write_text(json.dumps(played, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
