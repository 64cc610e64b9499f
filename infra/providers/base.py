"""The provider protocol: what the engine asks of whatever makes resources exist.

Two levels. A `Provider` is what the engine drives; it corresponds to Pulumi's `ResourceProvider` service and there are
several kinds: ours in process, dynamic providers, plugin binaries. A `ResourceHandler` is one resource type of ours: it
sees plain values and leaves secrets, unknowns and dispatch to `HandlerProvider`, which makes a `Provider` of many.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Protocol

from dataops.infra.errors import ResourceError
from dataops.infra.resources.values import Properties


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """An input that a provider refuses; `property` is "" when no single one is at fault."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Inputs with defaults filled in, and what is wrong with them."""

    inputs: Properties
    failures: tuple[CheckFailure, ...] = ()


class Changes(Enum):
    """Whether a diff found something; UNKNOWN leaves the decision to the engine, which compares inputs."""

    UNKNOWN = 0
    NONE = 1
    SOME = 2


class DiffKind(Enum):
    """What happened to one property, and whether it forces a replacement; values are Pulumi's names."""

    ADD = "add"
    ADD_REPLACE = "add-replace"
    DELETE = "delete"
    DELETE_REPLACE = "delete-replace"
    UPDATE = "update"
    UPDATE_REPLACE = "update-replace"


@dataclass(frozen=True, slots=True)
class PropertyDiff:
    """A change of one property path; `input_diff` says whether it compares inputs with inputs."""

    kind: DiffKind
    input_diff: bool = False


@dataclass(frozen=True, slots=True)
class DiffResult:
    """What an update would have to do.

    Args:
        changes: see `Changes`.
        replaces: properties that force a replacement; any makes it one.
        stables: outputs that stay as they are during an update.
        changed: top-level properties that differ.
        detailed: property path to its change, in Pulumi's path syntax (`a.b[0]`).
        delete_before_replace: the old one must go before the new one can come.
    """

    changes: Changes = Changes.UNKNOWN
    replaces: tuple[str, ...] = ()
    stables: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    detailed: dict[str, PropertyDiff] | None = None
    delete_before_replace: bool = False


@dataclass(frozen=True, slots=True)
class CreateResult:
    """What was made; a non-empty `init_errors` means that it exists but is not ready."""

    id: str
    outputs: Properties
    init_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What is there after a change; `init_errors` as in `CreateResult`."""

    outputs: Properties
    init_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What is there now; an empty `id` says that the resource is gone. `inputs` None leaves the recorded ones."""

    id: str
    outputs: Properties
    inputs: Properties | None = None
    init_errors: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is anything to read under an id that the program gives."""
        return bool(self.id or self.outputs)


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """The result of a provider function."""

    outputs: Properties
    failures: tuple[CheckFailure, ...] = ()


class OutcomeUnknownError(ResourceError):
    """The provider went away during an operation: what it was to do may or may not have happened."""


class Provider(Protocol):
    """One configured provider. Methods may be called from several threads at once; each may raise `ResourceError`.

    Values may hold `Secret`, `Output` and, when `preview` is set, `UNKNOWN`; what comes back may, too.
    """

    def check_config(self, urn: str, old: Properties, new: Properties) -> CheckResult:
        """Validates the provider's own configuration."""
        ...

    def diff_config(self, urn: str, old: Properties, new: Properties) -> DiffResult:
        """Compares two configurations; a replacement replaces every resource of the provider."""
        ...

    def configure(self, config: Properties) -> None:
        """Called once, before anything but `check_config` and `diff_config`."""
        ...

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> CheckResult:
        """Validates inputs and fills in defaults; `old_inputs` is None for a new resource."""
        ...

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> DiffResult:
        """Compares the recorded resource with checked inputs."""
        ...

    def create(self, urn: str, inputs: Properties, timeout: float, preview: bool) -> CreateResult:
        """Makes the resource; in a preview nothing is made and the id is "". `timeout` in seconds, 0: default."""
        ...

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float = 0) -> ReadResult:
        """Reads what is there. `inputs` and `outputs` are the recorded ones, empty for a resource not yet managed.

        `timeout` in seconds, 0: default.
        """
        ...

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
    ) -> UpdateResult:
        """Changes the resource in place; in a preview nothing is changed."""
        ...

    def delete(self, urn: str, id_: str, inputs: Properties, outputs: Properties, timeout: float) -> None:
        """Removes the resource; one that is already gone is no error."""
        ...

    def invoke(self, token: str, args: Properties, preview: bool) -> InvokeResult:
        """Calls a function of the provider."""
        ...

    def cancel(self) -> None:
        """Asks operations under way to end soon. Called from another thread, perhaps more than once."""
        ...

    def close(self) -> None:
        """Ends the provider; called once, after everything else."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler is told beside the values.

    Args:
        urn: the resource.
        timeout: seconds it may take; 0 for the handler's default.
    """

    urn: str
    timeout: float = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A resource as it was recorded, with secrets unwrapped. Must not be logged."""

    id: str
    inputs: dict[str, Any] = field(repr=False)
    outputs: dict[str, Any] = field(repr=False)


class ResourceHandler:
    """One resource type of ours, named by its token `dataops:<module>:<Type>`.

    Subclasses say what exists in terms of plain values (secrets unwrapped, nothing unknown). Each operation is
    idempotent: it finds out what is there and does what is missing, because a crash may have come between the deed and
    its record.

    Class attributes:
        token: the type token.
        required, optional: the names of inputs; anything else is refused.
        replace_on: inputs whose change forces a replacement.
        noted: inputs that are merely noted when the resource is made: a change of these alone changes nothing.
        outputs: the names of outputs; in a preview those that are no inputs are unknown, and inputs are echoed.
        secret_outputs: outputs that are encrypted at rest. An input that arrives secret stays secret when it is echoed.
        delete_before_replace: old and new cannot exist at the same time.
    """

    token: ClassVar[str]
    required: ClassVar[frozenset[str]] = frozenset()
    optional: ClassVar[frozenset[str]] = frozenset()
    replace_on: ClassVar[frozenset[str]] = frozenset()
    noted: ClassVar[frozenset[str]] = frozenset()
    outputs: ClassVar[frozenset[str]] = frozenset()
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    delete_before_replace: ClassVar[bool] = False

    def check(self, inputs: dict[str, Any]) -> Iterable[CheckFailure]:
        """What is wrong with the inputs that are known; may fill in defaults by changing `inputs`."""
        return ()

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> Iterable[str]:
        """Outputs that, as last read, are not what the inputs ask for: `running` of a stopped process, say."""
        return ()

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        """Makes the resource, or adopts what an interrupted create left behind."""
        raise ResourceError(f"{self.token} cannot be created", where=operation.urn)

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        """What is there now; by default what was recorded."""
        return ReadResult(recorded.id, recorded.outputs)

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        """Changes the resource in place; by default the create, being idempotent, does it."""
        return UpdateResult(self.create(operation, inputs).outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """Removes the resource, from what was recorded alone: branch and configuration may be gone."""
        raise ResourceError(f"{self.token} cannot be deleted", where=operation.urn)
