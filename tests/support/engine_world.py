"""A small world for engine tests: a provider that keeps objects in memory, and stacks to try it on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops.infra.engine.deployer import EmbeddedDeployer, Program, UpdateOptions, UpdateResult
from dataops.infra.errors import ResourceError
from dataops.infra.events.engine_events import DiagnosticEvent, Event, ResOutputsEvent
from dataops.infra.providers.base import (
    Changes,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    InvokeResult,
    ReadResult,
)
from dataops.infra.providers.base import (
    UpdateResult as Updated,
)
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import is_provider, name_of
from dataops.infra.resources.values import UNKNOWN, Properties, Secret, unwrap_secrets
from dataops.infra.state.backend import StackReference
from dataops.infra.state.memory import MemoryBackend
from dataops.infra.state.passphrase import PassphraseSecrets

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
STACK = StackReference("world", "dev")
SECRETS = PassphraseSecrets.new("a passphrase for tests")


class WorldProvider:
    """Objects by id. Inputs named `r_…` force replacement; `fail` names the operation that fails.

    Attributes:
        objects: what exists, id to its properties.
        calls: `(operation, name)`, in order.
        forgiving: nothing fails any more.
        failures_left: how often something still fails; None for always.
        unreadable: the ids of what cannot be read.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.closed = 0
        self.forgiving = False
        self.failures_left: int | None = None
        self.unreadable: set[str] = set()
        self._made = 0
        self._lock = threading.Lock()

    def existing(self) -> dict[str, dict[str, Any]]:
        """What exists at one moment."""
        with self._lock:
            return dict(self.objects)

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        return CheckResult(new)

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        return DiffResult(Changes.UNKNOWN, ("region",) if old.get("region") != new.get("region") else ())

    def configure(self, config: Properties) -> None:
        pass

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        refused = new_inputs.get("value") == "refused"
        return CheckResult(new_inputs, (CheckFailure("value", "must not be refused"),) if refused else ())

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> DiffResult:
        kept = {key: value for key, value in old_outputs.items() if key != "generation"}
        changed = tuple(
            sorted(
                key
                for key in {*kept, *new_inputs}
                if unwrap_secrets(kept.get(key)) != unwrap_secrets(new_inputs.get(key))
            )
        )
        return DiffResult(
            Changes.SOME if changed else Changes.NONE,
            tuple(key for key in changed if key.startswith("r_")),
            changed=changed,
            delete_before_replace=bool(new_inputs.get("dbr")),
        )

    def create(self, urn: str, inputs: Properties, timeout: float, preview: bool) -> CreateResult:
        if preview:
            return CreateResult("", {**inputs, "generation": UNKNOWN})
        with self._lock:
            self.calls.append(("create", name_of(urn)))
            self._may(inputs, "create", urn)
            self._made += 1
            id_ = f"{name_of(urn)}-{self._made}"
            self.objects[id_] = {**unwrap_secrets(inputs), "generation": 1}
        return CreateResult(id_, {**inputs, "generation": 1})

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float = 0) -> ReadResult:
        with self._lock:
            self.calls.append(("read", name_of(urn)))
            if id_ in self.unreadable:
                raise ResourceError(f"read of {name_of(urn)} refused")
            found = self.objects.get(id_)
        return (
            ReadResult(id_, dict(found), {k: v for k, v in found.items() if k != "generation"})
            if found
            else ReadResult("", {})
        )

    def update(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout: float,
        ignore_changes: list[str],
        preview: bool,
    ) -> Updated:
        if preview:
            return Updated({**new_inputs, "generation": UNKNOWN})
        with self._lock:
            self.calls.append(("update", name_of(urn)))
            self._may(new_inputs, "update", urn)
            generation = self.objects[id_]["generation"] + 1
            self.objects[id_] = {**unwrap_secrets(new_inputs), "generation": generation}
        return Updated({**new_inputs, "generation": generation})

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        with self._lock:
            self.calls.append(("delete", name_of(urn)))
            self._may(unwrap_secrets(inputs), "delete", urn)
            users = [other for other, held in self.objects.items() if id_ in held.get("uses", ())]
            if users:
                raise ResourceError(f"{id_} is in use by {users}")
            self.objects.pop(id_, None)

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        if token == "world:index:double":
            return InvokeResult({"result": args["value"] * 2})
        raise ResourceError(f"no function {token}")

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    def _may(self, inputs: Properties, operation: str, urn: str) -> None:
        if unwrap_secrets(inputs.get("fail")) == operation and not self.forgiving and self.failures_left != 0:
            if self.failures_left is not None:
                self.failures_left -= 1
            raise ResourceError(f"{operation} of {name_of(urn)} refused")


@dataclass
class World:
    """A stack on a memory backend with a `WorldProvider` for the package `world`."""

    provider: WorldProvider = field(default_factory=WorldProvider)
    backend: MemoryBackend = field(default_factory=MemoryBackend)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend.create(STACK, SECRETS)
        self.deployer = EmbeddedDeployer(self.backend, ProviderRegistry({"world": self._provide}), SECRETS)

    def _provide(self, context: ProviderContext) -> WorldProvider:
        return self.provider

    def up(self, program: str | Path, options: UpdateOptions | None = None, **config: str | Secret) -> UpdateResult:
        """Runs `up` with a program of tests/programs or a file; events are kept in `events`."""
        return self._run("up", program, options, config)

    def preview(
        self, program: str | Path, options: UpdateOptions | None = None, **config: str | Secret
    ) -> UpdateResult:
        """Runs `preview`."""
        return self._run("preview", program, options, config)

    def destroy(self, options: UpdateOptions | None = None) -> UpdateResult:
        """Runs `destroy`, without a program."""
        self.events.clear()
        return self.deployer.destroy(STACK, None, {}, options or UpdateOptions(), self.events.append)

    def refresh(self, options: UpdateOptions | None = None) -> UpdateResult:
        """Runs `refresh`, without a program."""
        self.events.clear()
        return self.deployer.refresh(STACK, None, {}, options or UpdateOptions(), self.events.append)

    def resources(self) -> dict[str, ResourceState]:
        """The recorded resources of the package `world` and components, by name."""
        state = self.backend.load(STACK, SECRETS)
        return {
            name_of(resource.urn): resource
            for resource in state.resources
            if not resource.type.startswith("pulumi:") and not resource.delete
        }

    def providers(self) -> dict[str, ResourceState]:
        """The recorded providers that a program has asked for by name."""
        state = self.backend.load(STACK, SECRETS)
        return {
            name_of(resource.urn): resource
            for resource in state.resources
            if is_provider(resource.type) and not resource.delete and not name_of(resource.urn).startswith("default")
        }

    def messages(self, severity: str = "error") -> list[tuple[str, str]]:
        """`(name, message)` of the diagnostics of the last run."""
        return [
            (name_of(event.urn) if event.urn else "", event.message.strip())
            for event in self.events
            if isinstance(event, DiagnosticEvent) and event.severity == severity and not event.at_end
        ]

    def steps(self) -> list[tuple[str, str]]:
        """`(operation, name)` of the steps that were done in the last run, on the package `world`."""
        return [
            (event.metadata.op, name_of(event.metadata.urn))
            for event in self.events
            if isinstance(event, ResOutputsEvent) and event.metadata.type.startswith("world:")
        ]

    def _run(
        self, verb: str, program: str | Path, options: UpdateOptions | None, config: dict[str, str | Secret]
    ) -> UpdateResult:
        main = PROGRAMS / program if isinstance(program, str) else program
        whole = {f"world:{key}": value for key, value in config.items()}
        self.events.clear()
        run = getattr(self.deployer, verb)
        result: UpdateResult = run(
            STACK, Program("world", main.parent, main), whole, options or UpdateOptions(), self.events.append
        )
        return result
