"""Stacks in any storage, in the layout of Pulumi's self-managed backend.

.pulumi/meta.yaml                                           version: 1
.pulumi/stacks/<project>/<stack>.json                       checkpoint; `.bak` the one before
.pulumi/stacks/<project>/<stack>.json.journal               what happened since; not there between updates
.pulumi/stacks/<project>/<stack>.json.journal.<time>.lost   a lost journal that was set aside
.pulumi/stacks/<project>/<stack>.pulumi-tags                tags
.pulumi/history/<project>/<stack>/<stack>-<time>.history.json and .checkpoint.json
.pulumi/locks/organization/<project>/<stack>/<uuid>.json    locks
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from dataops.infra.errors import (
    ConfigurationError,
    DataopsError,
    LockedError,
    NotFoundError,
    PolicyError,
    VerificationError,
)
from dataops.infra.resources.state import Deployment
from dataops.infra.resources.urn import ROOT_STACK_TYPE
from dataops.infra.state.backend import LockHolder, LostJournal, StackReference, StackSummary, UpdateRecord, not_found
from dataops.infra.state.checkpoint import (
    SUFFIXES,
    Checkpoint,
    checkpoint_bytes,
    envelope,
    parse_checkpoint,
    read_checkpoint,
)
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.exports import prepare_import
from dataops.infra.state.history import history_files, read_history
from dataops.infra.state.holder import lock_content
from dataops.infra.state.journal_log import JournalWriter
from dataops.infra.state.leftover import Leftover, commit, find_leftover, lost_journals
from dataops.infra.state.lock import Lease, holders, lock_folder
from dataops.infra.state.property_json import dump, reveal, sealed_text
from dataops.infra.state.resource_json import Vault, deployment_from_json, new_manifest, time_from_json
from dataops.infra.state.storage import Storage
from dataops.infra.state.update import StackUpdate

META = ".pulumi/meta.yaml"
STACKS = ".pulumi/stacks"


class StackBackend:
    """The `Backend` protocol over a `Storage`; see there for what its methods promise."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self.url = storage.url
        self._storage = storage
        self._clock = clock
        meta = storage.read(META)
        loose = [name for name in storage.names(STACKS) if name.endswith((".json", ".json.gz", ".json.zst"))]
        if (meta is None and loose) or (meta is not None and meta.strip() != b"version: 1"):
            raise ConfigurationError(
                "the state is in a layout without projects or of an unknown version",
                where=storage.describe(META),
                hint="bring it up to date with `pulumi state upgrade`",
            )

    def stacks(self, project: str | None = None) -> list[StackSummary]:
        found = []
        for folder in self._storage.names(STACKS):
            if not folder.endswith("/") or (project is not None and folder != f"{project}/"):
                continue
            names = {_stack_name(file) for file in self._storage.names(STACKS + "/" + folder.rstrip("/"))} - {""}
            found += [self._summary(StackReference(folder.rstrip("/"), name)) for name in sorted(names)]
        return found

    def exists(self, ref: StackReference) -> bool:
        return read_checkpoint(self._storage, _path(ref)) is not None

    def create(self, ref: StackReference, secrets: SecretsManager | None = None) -> None:
        lease = Lease.acquire(self._storage, ref)
        try:
            if self.exists(ref):
                raise ConfigurationError(
                    f"stack {ref.stack!r} exists already in project {ref.project!r}",
                    hint=f"dataops stack select {ref.stack}",
                )
            deployment: dict[str, Any] = {"manifest": new_manifest()}
            if secrets is not None:
                deployment["secrets_providers"] = secrets.provider
            if self._storage.read(META) is None:
                self._storage.write(META, b"version: 1\n")
            self._storage.write(_path(ref), checkpoint_bytes(ref.qualified, {**deployment, "metadata": {}}))
        finally:
            lease.release()

    def remove(self, ref: StackReference, force: bool = False) -> None:
        self._checkpoint(ref)
        lease = Lease.acquire(self._storage, ref)
        try:
            leftover = self._leftover(ref)
            if leftover.lost and not force:
                raise leftover.error(ref)
            self._settle(ref, leftover)
            resources = self._checkpoint(ref).deployment.get("resources") or ()
            if not force and any(r.get("type") != ROOT_STACK_TYPE for r in resources):
                raise PolicyError(
                    f"stack {ref.stack!r} still has {len(resources)} resources",
                    hint="dataops stack destroy first; --force forgets the resources and leaves them running",
                )
            for suffix in SUFFIXES:
                for end in ("", ".bak", ".attrs", ".bak.attrs"):
                    self._storage.delete(_path(ref) + suffix + end)
            for end in ("", ".attrs"):
                self._storage.delete(_tags_path(ref) + end)
            for name in history_files(self._storage, ref):
                self._storage.delete(name)
        finally:
            lease.release()

    def load(self, ref: StackReference, secrets: SecretsManager) -> Deployment:
        deployment = self._view(ref)
        provider = deployment.get("secrets_providers")
        return deployment_from_json(deployment, Vault(secrets), secrets.matching(provider) if provider else None)

    def begin(self, ref: StackReference, kind: str, secrets: SecretsManager) -> StackUpdate:
        if kind == "preview":
            deployment = self._view(ref)
            secrets.verify()
            return StackUpdate(deployment, secrets, kind=kind, clock=self._clock)
        self._checkpoint(ref)
        secrets.verify()
        lease = Lease.acquire(self._storage, ref)
        try:
            leftover = self._leftover(ref)
            if leftover.lost:
                raise leftover.error(ref)
            self._settle(ref, leftover)
            checkpoint = self._checkpoint(ref)
            content = lock_content()
            header = {"base": checkpoint.digest, "stack": ref.qualified, "kind": kind, "started": content["timestamp"]}
            header["holder"] = f"{content['username']}@{content['hostname']} (pid {content['pid']})"
            dead = tuple(f"the lock of {holder}, who is gone, was taken over" for holder in lease.taken_over)
            environment = {"dataops.takeover": "; ".join(map(str, lease.taken_over))} if lease.taken_over else {}
            return StackUpdate(
                checkpoint.deployment,
                secrets,
                kind=kind,
                clock=self._clock,
                journal=JournalWriter(lambda: self._storage.create_log(f"{_path(ref)}.journal"), header),
                lease=lease,
                commit=lambda folded, journal, record: commit(self._storage, ref, checkpoint, folded, journal, record),
                notes=dead + leftover.notes,
                environment=environment,
            )
        except BaseException:
            lease.release()
            raise

    def history(self, ref: StackReference) -> list[UpdateRecord]:
        self._tidy(ref)
        found = read_history(self._storage, ref)
        if not found and not self.exists(ref):
            raise not_found(ref)
        return found

    def export(
        self, ref: StackReference, secrets: SecretsManager | None = None, version: int | None = None
    ) -> dict[str, Any]:
        deployment = self._view(ref) if version is None else self._past(ref, version)
        if secrets is not None:
            provider = deployment.get("secrets_providers")
            used = secrets.matching(provider) if provider else secrets

            def opened(secret: Mapping[str, Any]) -> str:
                text, is_plain = sealed_text(secret)
                return text if is_plain else used.decrypt(text)

            deployment = reveal(deployment, opened)
        return {**envelope(deployment), "deployment": deployment}

    def import_(
        self, ref: StackReference, document: Mapping[str, Any], secrets: SecretsManager, force: bool = False
    ) -> None:
        deployment = prepare_import(ref, document, secrets, force)
        self._checkpoint(ref)
        lease = Lease.acquire(self._storage, ref)
        try:
            leftover = self._leftover(ref)
            if leftover.lost:
                raise leftover.error(ref)
            self._settle(ref, leftover)
            commit(self._storage, ref, self._checkpoint(ref), deployment, None, None)
        finally:
            lease.release()

    def tags(self, ref: StackReference) -> dict[str, str]:
        self._checkpoint(ref)
        data = self._storage.read(_tags_path(ref))
        if data is None:
            return {}
        try:
            return {str(key): str(value) for key, value in (json.loads(data).get("tags") or {}).items()}
        except (ValueError, AttributeError) as error:
            raise ConfigurationError(
                "the stack's tags are damaged", where=self._storage.describe(_tags_path(ref)), hint="remove that file"
            ) from error

    def set_tags(self, ref: StackReference, tags: Mapping[str, str]) -> None:
        self._checkpoint(ref)
        if tags:
            self._storage.write(_tags_path(ref), dump({"version": 1, "tags": dict(sorted(tags.items()))}).encode())
        else:
            self._storage.delete(_tags_path(ref))

    def lock_holder(self, ref: StackReference) -> LockHolder | None:
        found = holders(self._storage, ref)
        return next((holder for holder in found if holder.alive is not False), found[0] if found else None)

    def cancel(self, ref: StackReference) -> list[LockHolder]:
        self._checkpoint(ref)
        with self._storage.exclusive(lock_folder(ref)):
            found = holders(self._storage, ref)
            for holder in found:
                self._storage.delete(holder.path)
        # One that may be alive may still write to its journal; it finds out, and the next update folds.
        if all(holder.alive is False for holder in found):
            self._tidy(ref)
        return found

    def lost_journals(self, ref: StackReference) -> list[LostJournal]:
        self._tidy(ref)
        return lost_journals(self._storage, _path(ref), read_checkpoint(self._storage, _path(ref)))

    def set_aside(self, ref: StackReference) -> None:
        lease = Lease.acquire(self._storage, ref)
        try:
            if not self._leftover(ref).lost:
                raise NotFoundError(
                    f"stack {ref.stack!r} has no lost journal", hint=f"dataops stack up --stack {ref.stack}"
                )
            name = f"{_path(ref)}.journal"
            self._storage.move(name, f"{name}.{time.time_ns()}.lost")
        finally:
            lease.release()

    def _summary(self, ref: StackReference) -> StackSummary:
        updated: float | None = None
        count: int | None = None
        # A damaged stack must not hide the others: it is listed without figures.
        with suppress(VerificationError, ValueError, KeyError):
            deployment = self._view(ref)
            count = len(deployment.get("resources") or ())
            updated = time_from_json(deployment["manifest"]["time"]).timestamp()
        locked = any(holder.alive is not False for holder in holders(self._storage, ref))
        return StackSummary(ref, updated, count, locked)

    def _checkpoint(self, ref: StackReference) -> Checkpoint:
        found = read_checkpoint(self._storage, _path(ref))
        if found is None:
            raise not_found(ref)
        return found

    def _past(self, ref: StackReference, version: int) -> Mapping[str, Any]:
        self._tidy(ref)
        files = [n for n in history_files(self._storage, ref) if ".checkpoint.json" in n and not n.endswith(".attrs")]
        if not 1 <= version <= len(files) or (data := self._storage.read(files[version - 1])) is None:
            raise NotFoundError(
                f"stack {ref.stack!r} has no update {version}", hint=f"dataops stack history --stack {ref.stack}"
            )
        return parse_checkpoint(data, self._storage.describe(files[version - 1]))

    def _leftover(self, ref: StackReference) -> Leftover:
        return find_leftover(self._storage, _path(ref), self._checkpoint(ref))

    def _settle(self, ref: StackReference, leftover: Leftover) -> None:
        """Folds what a killed update left; only under the lock."""
        if leftover.record is not None:
            # Marked first, so that a crash between the fold and the removal is not taken for a lost journal.
            self._storage.write(leftover.name, leftover.marked(ref))
            checkpoint = self._checkpoint(ref)
            commit(self._storage, ref, checkpoint, leftover.deployment, None, leftover.record)
        if leftover.finished:
            self._storage.delete(leftover.name)

    def _tidy(self, ref: StackReference) -> None:
        """Folds what a killed update left, if nobody is at work on the stack and the storage allows it."""
        if self._storage.read(f"{_path(ref)}.journal") is None or not self.exists(ref):
            return
        with suppress(LockedError, ConfigurationError):
            lease = Lease.acquire(self._storage, ref)
            try:
                leftover = self._leftover(ref)
                if not leftover.lost:
                    self._settle(ref, leftover)
            finally:
                lease.release()

    def _view(self, ref: StackReference) -> Mapping[str, Any]:
        """The newest deployment, with what an update in progress or a killed one has recorded."""
        with suppress(DataopsError):
            self._tidy(ref)
        checkpoint = self._checkpoint(ref)
        leftover = find_leftover(self._storage, _path(ref), checkpoint)
        return checkpoint.deployment if leftover.lost else leftover.deployment


def _path(ref: StackReference) -> str:
    return f"{STACKS}/{ref.project}/{ref.stack}.json"


def _tags_path(ref: StackReference) -> str:
    return f"{STACKS}/{ref.project}/{ref.stack}.pulumi-tags"


def _stack_name(file: str) -> str:
    for suffix in SUFFIXES:
        if file.endswith(f".json{suffix}"):
            return file.removesuffix(f".json{suffix}")
    return ""
