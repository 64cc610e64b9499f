"""The update session that every backend uses: entries go to a fold in memory and to the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import TracebackType
from typing import Any, Protocol

from dataops.infra.errors import DataopsError, InternalError
from dataops.infra.resources.state import Deployment
from dataops.infra.resources.urn import ROOT_STACK_TYPE
from dataops.infra.resources.values import Properties, Secret
from dataops.infra.state.config_value import ObjectText
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.fold import Fold
from dataops.infra.state.journal import EntryKind, JournalEntry
from dataops.infra.state.journal_log import JournalWriter
from dataops.infra.state.lease import Lease
from dataops.infra.state.resource_json import (
    HANDLED,
    Vault,
    deployment_from_json,
    deployment_to_json,
    resource_from_json,
    resource_to_json,
)

_TOLD = tuple(f.name for f in fields(JournalEntry) if f.name not in ("kind", "operation", "durable", "state"))


class Commit(Protocol):
    """Makes a deployment the stack's newest; called once, at the end of a session."""

    def __call__(self, deployment: Mapping[str, Any], journal: JournalWriter, record: Mapping[str, Any] | None) -> int:
        """Returns the number of updates in the history; writes none when `record` is None."""
        ...


class StackUpdate:
    """An `UpdateSession`; see there for what its methods promise.

    Args:
        base: the deployment's JSON.
        secrets: encrypts what is recorded.
        journal, lease, commit: None for a preview, which records nothing.
        notes: see `UpdateSession.notes`.
        kind, started: for the history; `started` in seconds since 1970.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        base: Mapping[str, Any],
        secrets: SecretsManager,
        *,
        kind: str,
        clock: Callable[[], float],
        journal: JournalWriter | None = None,
        lease: Lease | None = None,
        commit: Commit | None = None,
        notes: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._secrets = secrets
        self._vault = Vault(secrets)
        self._kind = kind
        self._clock = clock
        self._started = int(clock())
        self._journal = journal
        self._lease = lease
        self._commit = commit
        self._notes = notes
        self._environment = dict(environment or {})
        self._order = threading.Lock()
        self._ended = False
        self._recorded = False
        self._fold = Fold(base)
        self._unhandled = {key: value for key, value in base.items() if key not in HANDLED}
        provider = base.get("secrets_providers")
        self._base = deployment_from_json(base, self._vault, secrets.matching(provider) if provider else None)
        if provider != secrets.provider:
            # Other keys from now on: everything is encrypted anew.
            self.rewrite_base(self._base)
            self._recorded = False

    @property
    def base(self) -> Deployment:
        return self._base

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def append(self, entry: JournalEntry) -> None:
        self._record(self._encode(entry), entry.durable)

    def rewrite_base(self, deployment: Deployment) -> None:
        said = {**self._unhandled, **deployment_to_json(deployment, self._vault, self._secrets.provider)}
        # With the next durable entry: before that nothing has happened which the new base would be needed for.
        self._record({"kind": EntryKind.WRITE.value, "deployment": said}, durable=False)
        self._base = deployment

    def rebase(self) -> Deployment:
        self._record({"kind": EntryKind.REBASE.value}, durable=False)
        self._base = self.deployment()
        return self._base

    def deployment(self) -> Deployment:
        with self._order:
            said = self._fold.deployment()
        return deployment_from_json(said, self._vault)

    def outputs(self) -> Properties:
        with self._order:
            said = self._fold.deployment()
        roots = [r for r in said.get("resources") or () if r["type"] == ROOT_STACK_TYPE and not r.get("delete")]
        return resource_from_json(roots[0], self._vault).outputs if roots else {}

    def finish(
        self,
        result: str,
        changes: Mapping[str, int],
        *,
        message: str = "",
        environment: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> int:
        record = {
            "kind": self._kind,
            "startTime": self._started,
            "message": message,
            "environment": {**self._environment, **(environment or {})},
            "config": {key: self._sealed(value) for key, value in sorted((config or {}).items())},
            "version": 0,
            "result": result,
            "endTime": max(self._started, int(self._clock())),
        }
        if changes:
            record["resourceChanges"] = dict(changes)
        return self._end(record)

    def __enter__(self) -> StackUpdate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ended:
            return
        try:
            self._end(None)
        except DataopsError:
            # What led here matters more; the journal is kept and the next command folds it.
            if error is None:
                raise

    def _end(self, record: Mapping[str, Any] | None) -> int:
        if self._ended:
            raise InternalError("an update was finished twice")
        self._ended = True
        journal, lease, commit = self._journal, self._lease, self._commit
        if journal is None or lease is None or commit is None:
            return 0
        version = 0
        try:
            lease.check(thoroughly=True)
            if record is not None or self._recorded:
                with self._order:
                    version = commit(self._fold.deployment(), journal, record)
        except BaseException:
            journal.close()
            if journal.started:
                # The lock stays, so that the Pulumi CLI, which knows no journal, keeps away until ours has folded it.
                lease.stop()
            else:
                lease.release()
            raise
        lease.release()
        return version

    def _record(self, said: Mapping[str, Any], durable: bool) -> None:
        if self._ended:
            raise InternalError("an update recorded something after its end")
        with self._order:
            self._fold.add(said)
            self._recorded = True
            number = self._journal.add(said) if self._journal is not None else 0
        if durable and self._journal is not None:
            if self._lease is not None:
                self._lease.check()
            self._journal.sync(number)
            if self._lease is not None:
                # Written too late, it may have come after somebody who took the lock over had read the journal.
                self._lease.check()

    def _encode(self, entry: JournalEntry) -> dict[str, Any]:
        said: dict[str, Any] = {"kind": entry.kind.value, "operation": entry.operation}
        for name in _TOLD:
            value = getattr(entry, name)
            if value is not None and value is not False:
                said[name] = value
        if entry.state is not None:
            said["state"] = resource_to_json(entry.state, self._vault)
        return said

    def _sealed(self, value: Any) -> Any:
        text = value.value if isinstance(value, Secret) else value
        if isinstance(text, ObjectText):
            return text.raw
        return {"secure": self._secrets.encrypt(str(text))} if isinstance(value, Secret) else value
