"""Stacks in any storage, in the layout of Pulumi's self-managed backend.

.pulumi/meta.yaml                                           version: 1
.pulumi/stacks/<project>/<stack>.json                       checkpoint; `.bak` the one before; or `.json.gz`
.pulumi/stacks/<project>/<stack>.json.journal               what happened since; not there between updates
.pulumi/stacks/<project>/<stack>.json.journal.<time>.lost   a lost journal that was set aside
.pulumi/stacks/<project>/<stack>.json.<time>.damaged        a damaged checkpoint that was set aside
.pulumi/stacks/<project>/<stack>.pulumi-tags                tags
.pulumi/history/<project>/<stack>/<stack>-<time>.history.json and .checkpoint.json
.pulumi/locks/organization/<project>/<stack>/<uuid>.json    locks

In S3 a journal is a folder with an object for each batch of records.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from dataops.infra.errors import ConfigurationError, NotFoundError, PolicyError, VerificationError
from dataops.infra.resources.state import Deployment
from dataops.infra.resources.urn import ROOT_STACK_TYPE
from dataops.infra.state.backend import (
    Damage,
    LockHolder,
    LostJournal,
    StackReference,
    StackSummary,
    UpdateRecord,
    not_found,
)
from dataops.infra.state.checkpoint import (
    SUFFIXES,
    checkpoint_bytes,
    envelope,
    find_checkpoint,
    packed,
    parse_checkpoint,
)
from dataops.infra.state.encryption import SecretsManager
from dataops.infra.state.exports import prepare_import
from dataops.infra.state.history import annotate, checkpoint_copies, move_history, newest_update, read_history
from dataops.infra.state.journal_log import JournalWriter
from dataops.infra.state.leftover import lost_journals
from dataops.infra.state.lock import holders, lock_folder, lock_stack
from dataops.infra.state.meta import META, STACKS, VERSION, require_projects
from dataops.infra.state.property_json import dump, reveal, sealed_text
from dataops.infra.state.repair import find_damage, restore
from dataops.infra.state.resource_json import Vault, deployment_from_json, new_manifest
from dataops.infra.state.stack_files import StackFiles
from dataops.infra.state.storage import Storage
from dataops.infra.state.timestamps import time_from_json
from dataops.infra.state.update import StackUpdate

CLOCK_TOLERANCE = 5.0
"""Seconds that the clocks of two machines may differ without a word."""


class StackBackend:
    """The `Backend` protocol over a `Storage`; see there for what its methods promise.

    Args:
        storage: where everything lies.
        clock: seconds since 1970.
        suffix: of the compression that is written: "", ".gz" or ".zst".
    """

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time, suffix: str = "") -> None:
        self.url = storage.url
        self._storage = storage
        self._clock = clock
        self._suffix = suffix
        self._new = require_projects(storage)

    def stacks(self, project: str | None = None) -> list[StackSummary]:
        found = []
        for folder in [f"{project}/"] if project is not None else self._storage.names(STACKS):
            if folder.endswith("/"):
                files = self._storage.names(STACKS + "/" + folder.rstrip("/"))
                names = {_stack_name(file) for file in files} - {""}
                found += [self._summary(StackReference(folder.rstrip("/"), name)) for name in sorted(names)]
        return found

    def exists(self, ref: StackReference) -> bool:
        return find_checkpoint(self._storage, self._files(ref).path) is not None

    def create(self, ref: StackReference, secrets: SecretsManager | None = None) -> None:
        files = self._files(ref)
        with files.locked():
            if self.exists(ref):
                raise ConfigurationError(
                    f"stack {ref.stack!r} exists already in project {ref.project!r}",
                    hint=f"dataops stack select {ref.stack}",
                )
            deployment: dict[str, Any] = {"manifest": new_manifest()}
            if secrets is not None:
                deployment["secrets_providers"] = secrets.provider
            if self._new:
                self._storage.replace(META, VERSION, None)
                self._new = False
            data = checkpoint_bytes(ref.qualified, {**deployment, "metadata": {}})
            self._storage.write(files.path + self._suffix, packed(data, self._suffix))

    def remove(self, ref: StackReference, force: bool = False) -> None:
        files = self._existing(ref)
        with files.locked():
            try:
                resources = files.settled(even_if_lost=force)[0].deployment.get("resources") or ()
            except VerificationError:
                if not force:  # else a damaged one is removed, too
                    raise
                resources = ()
            if not force and any(r.get("type") != ROOT_STACK_TYPE for r in resources):
                raise PolicyError(
                    f"stack {ref.stack!r} still has {len(resources)} resources",
                    hint="dataops stack destroy first; --force forgets the resources and leaves them running",
                )
            files.remove()

    def load(self, ref: StackReference, secrets: SecretsManager) -> Deployment:
        deployment = self._files(ref).view()
        provider = deployment.get("secrets_providers")
        return deployment_from_json(deployment, Vault(secrets), secrets.matching(provider) if provider else None)

    def begin(self, ref: StackReference, kind: str, secrets: SecretsManager) -> StackUpdate:
        files = self._files(ref)
        if kind == "preview":
            deployment = files.view()
            secrets.verify()
            refused = files.obstacle()
            notes = (f"an update would be refused: {refused.what}. {refused.hint}",) if refused else ()
            return StackUpdate(deployment, secrets, kind=kind, clock=self._clock, notes=notes)
        self._existing(ref)
        secrets.verify()
        lease = lock_stack(self._storage, ref)
        try:
            mended = files.mend()
            checkpoint, leftover = files.settled()
            said = lease.content
            header = {"base": checkpoint.digest, "stack": ref.qualified, "kind": kind, "started": said["timestamp"]}
            header["holder"] = f"{said['username']}@{said['hostname']} (pid {said['pid']})"
            dead = tuple(f"the lock of {holder}, who is gone, was taken over" for holder in lease.taken_over)
            environment = {"dataops.takeover": "; ".join(map(str, lease.taken_over))} if lease.taken_over else {}
            return StackUpdate(
                checkpoint.deployment,
                secrets,
                kind=kind,
                clock=self._clock,
                journal=JournalWriter(lambda: self._storage.create_log(files.journal), header),
                lease=lease,
                commit=lambda folded, journal, record: files.commit(checkpoint, folded, journal, record),
                notes=dead + mended + leftover.notes + self._clock_notes(ref),
                environment=environment,
            )
        except BaseException:
            lease.release()
            raise

    def settle(self, ref: StackReference) -> None:
        files = self._existing(ref)
        with files.locked():
            files.mend()
            files.settled()

    def history(self, ref: StackReference) -> list[UpdateRecord]:
        if self.exists(ref):
            self._files(ref).tidy()
        found = read_history(self._storage, ref)
        if not found and not self.exists(ref):
            raise not_found(ref)
        return found

    def export(
        self, ref: StackReference, secrets: SecretsManager | None = None, version: int | None = None
    ) -> dict[str, Any]:
        deployment = self._files(ref).view() if version is None else self._past(ref, version)
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
        files = self._files(ref)
        files.checkpoint()
        with files.locked():
            checkpoint, _ = files.settled()
            files.commit(checkpoint, deployment, None, None)

    def annotate(self, ref: StackReference, version: int, facts: Mapping[str, str]) -> None:
        annotate(self._storage, ref, version, facts)

    def move_history(self, old: StackReference, new: StackReference) -> None:
        move_history(self._storage, old, new)

    def tags(self, ref: StackReference) -> dict[str, str]:
        name = self._existing(ref).tags
        data = self._storage.read(name)
        if data is None:
            return {}
        try:
            return {str(key): str(value) for key, value in (json.loads(data).get("tags") or {}).items()}
        except (ValueError, AttributeError) as error:
            raise ConfigurationError(
                "the stack's tags are damaged", where=self._storage.describe(name), hint="remove that file"
            ) from error

    def set_tags(self, ref: StackReference, tags: Mapping[str, str]) -> None:
        name = self._existing(ref).tags
        if tags:
            self._storage.write(name, dump({"version": 1, "tags": dict(sorted(tags.items()))}).encode())
        else:
            self._storage.delete(name)

    def lock_holder(self, ref: StackReference) -> LockHolder | None:
        found = holders(self._storage, ref)
        return next((holder for holder in found if holder.alive is not False), found[0] if found else None)

    def cancel(self, ref: StackReference) -> list[LockHolder]:
        files = self._existing(ref)
        with self._storage.exclusive(lock_folder(ref)):
            found = holders(self._storage, ref)
            for holder in found:
                self._storage.delete(holder.path)
        # One that may be alive may still write to its journal; it finds out, and the next update folds.
        if all(holder.alive is False for holder in found):
            files.tidy()
        return found

    def lost_journals(self, ref: StackReference) -> list[LostJournal]:
        files = self._files(ref)
        checkpoint = files.checkpoint() if self.exists(ref) else None
        if checkpoint is not None:
            files.tidy()
            checkpoint = files.checkpoint()
        return lost_journals(self._storage, files.path, checkpoint)

    def set_aside(self, ref: StackReference) -> None:
        files = self._files(ref)
        with files.locked():
            if not files.leftover(files.checkpoint()).lost:
                raise NotFoundError(
                    f"stack {ref.stack!r} has no lost journal", hint=f"dataops stack up --stack {ref.stack}"
                )
            self._storage.move_log(files.journal, f"{files.journal}.{time.time_ns()}.lost")

    def damage(self, ref: StackReference) -> Damage | None:
        return find_damage(self._storage, ref, self._existing(ref).path)

    def restore(self, ref: StackReference) -> Damage:
        files = self._existing(ref)
        with files.locked():
            return restore(self._storage, ref, files.path)

    def _files(self, ref: StackReference) -> StackFiles:
        return StackFiles(self._storage, ref, self._suffix)

    def _existing(self, ref: StackReference) -> StackFiles:
        if not self.exists(ref):
            raise not_found(ref)
        return self._files(ref)

    def _summary(self, ref: StackReference) -> StackSummary:
        updated: float | None = None
        count: int | None = None
        # A damaged stack must not hide the others: it is listed without figures.
        with suppress(VerificationError, ValueError, KeyError):
            deployment = self._files(ref).view()
            count = len(deployment.get("resources") or ())
            updated = time_from_json(deployment["manifest"]["time"]).timestamp()
        locked = any(holder.alive is not False for holder in holders(self._storage, ref))
        return StackSummary(ref, updated, count, locked)

    def _past(self, ref: StackReference, version: int) -> Mapping[str, Any]:
        self._files(ref).tidy()
        copies = checkpoint_copies(self._storage, ref)
        if not 1 <= version <= len(copies) or (data := self._storage.read(copies[version - 1])) is None:
            raise NotFoundError(
                f"stack {ref.stack!r} has no update {version}", hint=f"dataops stack history --stack {ref.stack}"
            )
        return parse_checkpoint(data, self._storage.describe(copies[version - 1]))

    def _clock_notes(self, ref: StackReference) -> tuple[str, ...]:
        """What to say when this machine's clock is behind that of the newest update."""
        behind = newest_update(self._storage, ref) - self._clock()
        if behind < CLOCK_TOLERANCE:
            return ()
        return (
            f"this machine's clock is {behind:.0f} s behind the time of the stack's newest update; "
            "the history keeps its order, but set the clock right",
        )


def _stack_name(file: str) -> str:
    for suffix in SUFFIXES:
        if file.endswith(f".json{suffix}"):
            return file.removesuffix(f".json{suffix}")
    return ""
