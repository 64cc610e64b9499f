"""`kill -9` of the command line, the supervisor or Postgres in any phase of `env up`, `deploy`, `reset`, `down`.

The next run converges: the same data, rights and endpoints as if nothing had happened; after `down` nothing is left.
`make test` takes a sample by a seed that it prints (set `DATAOPS_SEED` to have it again); `torture` tries every phase.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.kill_table import Victim
from support.mortal_environments import Contents, Kill, check_gone, contents, durations, kill_in
from support.scratch_git import commit, git
from support.scratch_platform import FILES, ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow

SEED = int(os.environ["DATAOPS_SEED"])
SCHEDULED = FILES["dataops.yaml"].replace(
    "  sales:\n", "  sales:\n    schedule: {cron: '0 4 1 1 *', timezone: UTC}\n", 1
)
"""With a schedule, so that there is a runner; it is not due while the tests run."""

UP = ("env", "up", "--branch", "feature/kill")
DEPLOY = ("env", "deploy", "production", "--yes")
DOWN = ("env", "down", "feature-kill", "--yes")
RESET = ("env", "reset", "feature-kill", "--yes")

BEFORE = ["plan", "passphrase", "code", "deployment"]
MAKING = ["requirements", "supervisor", "golden", "lake", "warehouse", "access", "variables", "checks", "services"]
MAKING += ["runner"]
AFTER = ["endpoints", "record"]
CREATING = [*BEFORE, *MAKING, *AFTER]
CHANGING = [*BEFORE, "requirements", "access", "variables", "checks", "services", "runner", "record"]
DEPLOYING = [phase for phase in CHANGING if phase not in ("plan", "checks")]
RESETTING = ["passphrase", "code", "deployment", "lake", "warehouse", "access", "checks", "record"]
REMOVING = ["passphrase", "deployment", *AFTER[:1], *reversed(MAKING), "code", "sweep", "proof"]

VICTIMS = (Victim.COMMAND, Victim.SUPERVISOR, Victim.POSTGRES)
"""Who can be killed while something is done with an environment."""

TODAY = VICTIMS[SEED % len(VICTIMS)]
"""The victim of samples that have room for one."""

Record = Callable[[str, object], None]


@dataclass
class KillLoop:
    """A platform of its own, what its environments hold when nothing goes wrong, and how long each phase takes."""

    shop: ScratchPlatform
    expected: dict[str, Contents] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    changed: dict[str, bool] = field(default_factory=dict)

    def root(self, name: str) -> Path:
        return next(self.shop.home.glob("platforms/*")) / "environments" / name

    def kill(self, victim: Victim, phase: str, what: str, words: tuple[str, ...], record: Record) -> Kill:
        """Kills once, at a moment of the phase that the seed chooses, and records whether it hit."""
        longest = self.seconds.get(what, {}).get(phase, 0.0) * 0.8
        delay = random.Random(f"{SEED} {what} {victim} {phase}").uniform(0, longest)
        name = "production" if what == "deploy" else "feature-kill"
        kill = kill_in(self.shop, victim, phase, self.root(name), delay, *words)
        record("kill", [what, victim.value, list(kill.phases)])
        print(f"seed {SEED}: {kill}")
        return kill

    def change(self, branch: str) -> str:
        """Commits a change that concerns code, requirements, variables, rights and services, or takes it back."""
        changed = not self.changed.get(branch, False)
        self.changed[branch] = changed
        text = SCHEDULED
        if changed:
            text = text.replace("GREETING: hi", "GREETING: hullo").replace("GREETING: hello", "GREETING: hullo")
            text = text.replace(
                "members: [\"team:analytics\"]}}", 'members: ["team:analytics"]}, sales_writer: {product: sales, '
                'privileges: [select, insert]}}',
            )  # fmt: skip
            assert "sales_writer" in text and "hullo" in text
        git(self.shop.folder, "switch", "--quiet", branch)
        commit(self.shop.folder, {"dataops.yaml": text, "requirements.txt": f"# {changed}\n"}, "Change")
        git(self.shop.folder, "switch", "--quiet", "main")
        return f"{branch} {changed}"

    def is_as_expected(self, name: str, variant: str) -> None:
        found = contents(self.shop, name)
        assert found == self.expected.setdefault(variant, found)

    def up(self) -> None:
        """A second run converges, and a third finds nothing to do."""
        made = self.shop.do(*UP, "-o", "json").json
        assert made["state"] == "ready" and all(check["ok"] for check in made["checks"])
        again = self.shop.do(*UP, "-o", "json").json
        assert again["changed"] is False and again["notes"] == []

    def remove(self) -> None:
        """`down` leaves nothing, whatever state the replica is in."""
        found = self.shop.run("env", "status", "feature-kill", "-o", "json")
        assert found.status in (0, 6), found.stderr
        if found.status == 0:
            removed = self.shop.do(*DOWN)
            assert "interrupted while" not in removed.stderr  # it is found and removed, not asked about
        check_gone(self.shop, "feature-kill")


@pytest.fixture(scope="module")
def loop() -> Iterator[KillLoop]:
    with scratch_platform({"dataops.yaml": SCHEDULED}) as shop:
        shop.produce()
        shop.branch("feature/kill")
        made = KillLoop(shop)
        made.is_as_expected("production", "main False")
        made.seconds["up"] = durations(shop, *UP)
        made.is_as_expected("feature-kill", "feature/kill False")
        made.seconds["change"] = made.seconds["up"]
        made.seconds["deploy"] = made.seconds["reset"] = made.seconds["up"]
        made.seconds["down"] = durations(shop, *DOWN)
        yield made


def test_every_phase_is_killed_in(loop: KillLoop) -> None:
    assert set(loop.seconds["up"]) == set(CREATING)
    assert set(loop.seconds["down"]) <= set(REMOVING)


def killed_while_creating(loop: KillLoop, victim: Victim, phase: str, record: Record) -> None:
    if phase == "golden":
        for golden in loop.root("x").parents[1].glob("golden/[!.]*"):
            subprocess.run(["chmod", "-R", "u+w", str(golden)], check=True)
            shutil.rmtree(golden)
    loop.kill(victim, phase, "up", UP, record)
    loop.up()
    loop.is_as_expected("feature-kill", "feature/kill False")
    loop.remove()


def killed_while_changing(loop: KillLoop, victim: Victim, phase: str, record: Record) -> None:
    loop.shop.do(*UP)
    variant = loop.change("feature/kill")
    loop.kill(victim, phase, "change", UP, record)
    loop.up()
    loop.is_as_expected("feature-kill", variant)
    if loop.changed["feature/kill"]:
        variant = loop.change("feature/kill")
        loop.up()  # rights that are declared no longer are taken back
        loop.is_as_expected("feature-kill", variant)
    loop.remove()


def killed_while_deploying(loop: KillLoop, victim: Victim, phase: str, record: Record) -> None:
    variant = loop.change("main")
    loop.kill(victim, phase, "deploy", DEPLOY, record)
    loop.shop.do(*DEPLOY)
    loop.is_as_expected("production", variant)


def killed_while_removing(loop: KillLoop, victim: Victim, phase: str, record: Record) -> None:
    loop.shop.do(*UP)
    loop.kill(victim, phase, "down", DOWN, record)
    loop.remove()


def killed_while_resetting(loop: KillLoop, victim: Victim, phase: str, record: Record) -> None:
    loop.shop.do(*UP)
    spoil = "import os, psycopg; psycopg.connect(os.environ['WAREHOUSE_URL'], autocommit=True)"
    spoil += ".execute('TRUNCATE raw.orders; CREATE TABLE raw.mine (a int)')"
    loop.shop.do("env", "exec", "feature-kill", "--", sys.executable, "-c", spoil)
    loop.kill(victim, phase, "reset", RESET, record)
    loop.shop.do(*RESET)
    loop.up()
    loop.is_as_expected("feature-kill", "feature/kill False")
    loop.remove()


def of(phases: list[str], late: str = "") -> list[tuple[Victim, str]]:
    """Every victim in every phase; supervisor and Postgres from the phase `late` on, before which there are none."""
    later = phases[phases.index(late) :] if late else phases
    return [(victim, phase) for victim in VICTIMS for phase in (phases if victim is Victim.COMMAND else later)]


def one_of(every: list[tuple[Victim, str]], *victims: Victim) -> list[tuple[Victim, str]]:
    """For each victim a phase that the seed chooses."""
    choice = random.Random(SEED)
    return [choice.choice([case for case in every if case[0] is victim]) for victim in victims]


CREATION, CHANGE, DEPLOYMENT = of(CREATING, "supervisor"), of(CHANGING), of(DEPLOYING)
RESETS, REMOVAL = of(RESETTING), of(REMOVING)


def test_killed_while_it_is_made_the_next_run_converges(loop: KillLoop, record_property: Record) -> None:
    for victim, phase in one_of(CREATION, *VICTIMS):
        killed_while_creating(loop, victim, phase, record_property)


def test_killed_while_it_is_changed_the_next_run_converges(loop: KillLoop, record_property: Record) -> None:
    for victim, phase in one_of(CHANGE, TODAY):
        killed_while_changing(loop, victim, phase, record_property)


def test_killed_while_production_is_deployed_nothing_is_lost(loop: KillLoop, record_property: Record) -> None:
    for victim, phase in one_of(DEPLOYMENT, TODAY):
        killed_while_deploying(loop, victim, phase, record_property)


def test_killed_while_it_is_reset_its_data_are_those_of_the_snapshot(loop: KillLoop, record_property: Record) -> None:
    for victim, phase in one_of(RESETS, TODAY):
        killed_while_resetting(loop, victim, phase, record_property)


def test_killed_while_it_is_removed_nothing_is_left(loop: KillLoop, record_property: Record) -> None:
    for victim, phase in one_of(REMOVAL, TODAY):
        killed_while_removing(loop, victim, phase, record_property)


def test_killed_again_and_again_it_comes_up_in_the_end(loop: KillLoop, record_property: Record) -> None:
    choice = random.Random(SEED)
    for phase in sorted(choice.sample(CREATING, 4), key=CREATING.index):
        loop.kill(Victim.COMMAND, phase, "up", UP, record_property)
    loop.up()
    loop.is_as_expected("feature-kill", "feature/kill False")
    loop.remove()


def test_what_a_killed_up_left_is_removed_by_down(loop: KillLoop, record_property: Record) -> None:
    loop.kill(Victim.COMMAND, random.Random(SEED).choice(MAKING), "up", UP, record_property)
    loop.remove()


def test_a_replica_whose_removal_was_killed_comes_up_again(loop: KillLoop, record_property: Record) -> None:
    loop.shop.do(*UP)
    loop.kill(Victim.COMMAND, random.Random(SEED).choice(REMOVING), "down", DOWN, record_property)
    loop.up()
    loop.is_as_expected("feature-kill", "feature/kill False")
    loop.remove()


def test_taking_over_from_a_killed_holder_is_recorded(loop: KillLoop, record_property: Record) -> None:
    shop = loop.shop
    assert loop.kill(Victim.COMMAND, "deployment", "up", UP, record_property).hit
    left = shop.do("env", "status", "feature-kill", "-o", "json").json
    assert left["interrupted"] and left["state"] == "creating" and left["locked_by"] is None
    made = shop.do(*UP, "-o", "json").json
    recorded = shop.do("env", "status", "feature-kill", "-o", "json").json["notes"]
    assert "who died during `env up --branch feature/kill`" in made["notes"][0]
    assert [note["what"] for note in recorded] == made["notes"]
    loop.remove()


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(other, marks=pytest.mark.torture) for other in (signal.SIGTERM, signal.SIGHUP))],
)
def test_an_interrupted_up_says_so_and_goes_on_later(loop: KillLoop, number: signal.Signals) -> None:
    process = loop.shop.start(*UP)
    assert process.stderr is not None
    for line in process.stderr:
        if "Supervisor" in line:
            process.send_signal(number)
            break
    _, said = process.communicate()
    assert process.returncode == 8 and "run the command again, it continues from here" in said, said
    assert loop.shop.do("env", "status", "feature-kill", "-o", "json").json["state"] == "failed"
    loop.up()
    loop.is_as_expected("feature-kill", "feature/kill False")
    loop.remove()


@pytest.mark.torture
@pytest.mark.parametrize(("victim", "phase"), CREATION)
def test_killed_in_any_phase_while_it_is_made(
    loop: KillLoop, victim: Victim, phase: str, record_property: Record
) -> None:
    killed_while_creating(loop, victim, phase, record_property)


@pytest.mark.torture
@pytest.mark.parametrize(("victim", "phase"), CHANGE)
def test_killed_in_any_phase_while_it_is_changed(
    loop: KillLoop, victim: Victim, phase: str, record_property: Record
) -> None:
    killed_while_changing(loop, victim, phase, record_property)


@pytest.mark.torture
@pytest.mark.parametrize(("victim", "phase"), DEPLOYMENT)
def test_killed_in_any_phase_while_production_is_deployed(
    loop: KillLoop, victim: Victim, phase: str, record_property: Record
) -> None:
    killed_while_deploying(loop, victim, phase, record_property)


@pytest.mark.torture
@pytest.mark.parametrize(("victim", "phase"), REMOVAL)
def test_killed_in_any_phase_while_it_is_removed(
    loop: KillLoop, victim: Victim, phase: str, record_property: Record
) -> None:
    killed_while_removing(loop, victim, phase, record_property)


@pytest.mark.torture
@pytest.mark.parametrize(("victim", "phase"), RESETS)
def test_killed_in_any_phase_while_it_is_reset(
    loop: KillLoop, victim: Victim, phase: str, record_property: Record
) -> None:
    killed_while_resetting(loop, victim, phase, record_property)
