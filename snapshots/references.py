"""Which snapshot has which chunks, in SQLite: a cache beside the store, made of the snapshots' indexes again at need.

It knows chunks by the names under which they are stored, which say nothing about them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import LockedError, ResourceError, VerificationError

FILE = ".references.sqlite"
WAIT_SECONDS = 60
_TORN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_SCHEMA = """
PRAGMA user_version = 1;
CREATE TABLE IF NOT EXISTS snapshots (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chunks (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, stored INTEGER NOT NULL, uses INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS uses (
  snapshot INTEGER NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY (snapshot, chunk)) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS used AFTER INSERT ON uses BEGIN
  UPDATE chunks SET uses = uses + 1 WHERE number = NEW.chunk; END;
CREATE TRIGGER IF NOT EXISTS unused AFTER DELETE ON uses BEGIN
  UPDATE chunks SET uses = uses - 1 WHERE number = OLD.chunk; END;
"""
_SHARES = """
SELECT coalesce(sum(c.stored), 0), coalesce(sum(CASE WHEN c.uses = 1 THEN c.stored END), 0), count(*),
       coalesce(sum(c.uses = 1), 0)
FROM snapshots s JOIN uses u ON u.snapshot = s.number JOIN chunks c ON c.number = u.chunk WHERE s.id = ?"""


@dataclass(frozen=True, slots=True)
class Shares:
    """What a snapshot takes in the store: `own` is the part that no other snapshot has and that goes with it."""

    stored: int
    own: int
    chunks: int
    own_chunks: int

    @property
    def shared(self) -> float:
        """The part that other snapshots have too."""
        return (self.stored - self.own) / self.stored if self.stored else 0.0


class References:
    """The references of the snapshots in a store. Usable by several processes at once.

    Args:
        folder: that of the store.
        lasting: whether they are kept there; else they are in memory, for when there is no room for them.
    """

    def __init__(self, folder: Path, *, lasting: bool = True) -> None:
        self._path = folder / FILE
        self._memory = None if lasting else self._connect(":memory:")

    def close(self) -> None:
        """Lets go of what is in memory."""
        if self._memory:
            self._memory.close()

    def known(self) -> dict[str, str]:
        """The snapshots whose references are here, with the hashes of their manifests."""
        with self._open() as database:
            return dict(database.execute("SELECT id, hash FROM snapshots"))

    def add(self, snapshot: str, manifest_hash: str, chunks: Iterable[tuple[str, int]]) -> None:
        """Adds the references of a snapshot: names of chunks, with their sizes in the store."""
        with self._open() as database:
            self._forget(database, snapshot)
            cursor = database.execute("INSERT INTO snapshots (id, hash) VALUES (?, ?)", (snapshot, manifest_hash))
            number = cursor.lastrowid
            for name, stored in chunks:
                database.execute("INSERT OR IGNORE INTO chunks (name, stored) VALUES (?, ?)", (name, stored))
                database.execute(
                    "INSERT OR IGNORE INTO uses SELECT ?, number FROM chunks WHERE name = ?", (number, name)
                )

    def forget(self, snapshot: str) -> None:
        """Takes the references of a snapshot away."""
        with self._open() as database:
            self._forget(database, snapshot)

    def stored(self, name: str) -> int | None:
        """The size of a chunk that a snapshot has; None when none has it."""
        with self.lookup() as stored:
            return stored(name)

    @contextmanager
    def lookup(self) -> Iterator[Callable[[str], int | None]]:
        """As `stored`, for many chunks."""
        with self._open() as database:

            def stored(name: str) -> int | None:
                row = database.execute("SELECT stored FROM chunks WHERE name = ? AND uses > 0", (name,)).fetchone()
                return None if row is None else int(row[0])

            yield stored

    @contextmanager
    def names(self) -> Iterator[Callable[[str], set[str]]]:
        """Gives a function that gives the names of the chunks that snapshots have and that begin with its argument."""
        query = "SELECT name FROM chunks WHERE uses > 0 AND name >= ? AND name < ?"
        with self._open() as database:
            yield lambda beginning: {name for (name,) in database.execute(query, (beginning, beginning + "~"))}

    def shares(self, snapshot: str) -> Shares:
        """What a snapshot takes."""
        with self._open() as database:
            return Shares(*database.execute(_SHARES, (snapshot,)).fetchone())

    def _forget(self, database: sqlite3.Connection, snapshot: str) -> None:
        database.execute("DELETE FROM uses WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?)", (snapshot,))
        database.execute("DELETE FROM snapshots WHERE id = ?", (snapshot,))
        database.execute("DELETE FROM chunks WHERE uses = 0")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes all take place, or none."""
        if self._memory:
            with self._memory:
                yield self._memory
            return
        if not self._path.parent.is_dir():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._errors():
            try:
                database = self._connect(self._path)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in _TORN:
                    raise
                self._path.unlink(missing_ok=True)  # everything in it stands in the indexes, too
                database = self._connect(self._path)
            with closing(database), database:
                yield database

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code, where = error.sqlite_errorcode & 0xFF, str(self._path)
            if code in _TORN:
                self._path.unlink(missing_ok=True)
                hint = "run the command again: it is made anew"
                raise VerificationError("the count of references was damaged", where=where, hint=hint) from None
            if code in _DISK:
                hint = "free some disk space, then run the command again"
                raise ResourceError(
                    "no room left for the snapshot, or its disk fails", where=where, hint=hint
                ) from None
            if code == sqlite3.SQLITE_BUSY:
                raise LockedError("the count of references is in use, for long", where=where) from None
            raise

    def _connect(self, path: Path | str) -> sqlite3.Connection:
        if isinstance(path, Path) and not path.exists():
            path.touch(mode=0o600)
        database = sqlite3.connect(path, timeout=WAIT_SECONDS)
        try:
            if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            return database
        except BaseException:
            database.close()
            raise
