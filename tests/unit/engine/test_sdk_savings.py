"""What a program is spared: it must make no difference to what is serialised and sent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.engine import sdk_savings

pytestmark = pytest.mark.slow

SCRIPT = '''
import json, sys
import pulumi, pulumi.runtime
from pulumi.dynamic import ResourceProvider, dynamic
from pulumi.runtime import resource

if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])
    import sdk_savings
    sdk_savings.spare()

FACTOR = 2

def times(value):
    return [FACTOR * one for one in value]

def provider(kept):
    class Kept(ResourceProvider):
        """Refers to globals, to a closure, and to globals in what it calls."""
        def diff(self, _id, olds, news):
            return [kept, *(times([other for other in news]) if FACTOR else ())]
        def read(self, id_, props):
            return json.dumps(props) + str(kept)
    return Kept()

SAME = "class Same(base):\\n    def diff(self, _id, olds, news):\\n        return LIMIT + len(news)\\n"

def same(limit):
    names = {"base": ResourceProvider, "LIMIT": limit, "__name__": "__main__"}
    exec(SAME, names)
    return names["Same"]()

class Outer:
    def __init__(self):
        self.trace = Middle()

class Middle:
    def __init__(self):
        self.inner = Inner()

class Inner:
    def __init__(self):
        self.trace = resource._get_stack_trace()

found = [dynamic.serialize_provider(made) for made in [provider(1), provider(2), same(3), same(4), provider(1)]]
FACTOR = 3
found.append(dynamic.serialize_provider(provider(1)))
traces = []
for _ in range(2):
    traces.append(str(Outer().trace.inner.trace))
    traces.append(str(Outer().trace.inner.trace))
json.dump({"providers": found, "traces": traces}, sys.stdout)
'''


def run(script: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_providers_and_call_stacks_are_what_they_are_without_the_savings(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    plain = run(script)
    assert run(script, str(Path(sdk_savings.__file__).parent)) == plain
    assert len(set(plain["providers"])) == 5 and plain["providers"][0] == plain["providers"][4]
    assert "script.py" in plain["traces"][0] and len(set(plain["traces"])) == 2


def test_an_output_that_fails_is_seen_while_others_are_never_known() -> None:
    async def live() -> tuple[set[str], set[str]]:
        async def known() -> None:
            await asyncio.sleep(0)

        async def failing() -> None:
            await asyncio.sleep(0.01)
            raise ValueError("no room")

        named = {"known": known(), "failing": failing(), "never": asyncio.Event().wait()}
        tasks = {asyncio.ensure_future(awaited): name for name, awaited in named.items()}
        done, pending = await sdk_savings._wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        while not any(task.exception() for task in done):
            more, pending = await sdk_savings._wait(pending, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        for task in pending:
            task.cancel()
        return {tasks[task] for task in done}, {tasks[task] for task in pending}

    assert asyncio.run(live()) == ({"known", "failing"}, {"never"})


def test_outputs_that_become_known_one_after_the_other_are_looked_at_a_few_times() -> None:
    async def live() -> int:
        async def follow(before: asyncio.Task[None] | None) -> None:
            if before is not None:
                await before

        chain: list[asyncio.Task[None]] = []
        for _ in range(1000):
            chain.append(asyncio.ensure_future(follow(chain[-1] if chain else None)))
        rounds, pending = 0, set(chain)
        while pending:
            _, pending = await sdk_savings._wait(pending, return_when=asyncio.FIRST_COMPLETED)
            rounds += 1
        return rounds

    assert asyncio.run(live()) < 100
