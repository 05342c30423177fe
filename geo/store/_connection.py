"""Connections to the file: opened once, lent to one thread at a time, their errors in plain words."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from geo.errors import StoreError
from geo.store._blob import from_blobs, register_functions
from geo.store._database import SqlValue
from geo.store._rows import SELECTED
from geo.store._schema import NEW_CONTENTS, NEW_DATA_VERSION, outside_insert

BUSY_S = 20.0
"""How long a writer waits for another one, in seconds."""
_IDLE = 4
FileId = tuple[int, int]
"""Device and inode a connection was opened on. A file that was put in the place of another one (a backup
brought back, say) is a new file, though its name is the same."""

# By the beginning of SQLite's name for the error; https://sqlite.org/rescode.html
_PLAIN = {
    "SQLITE_BUSY": f"another program kept it locked for {BUSY_S:.0f} s; nothing was saved: "
    "finish the edits that are open elsewhere (QGIS?), then try again",
    "SQLITE_LOCKED": "another program keeps it locked; nothing was saved: try again",
    "SQLITE_FULL": "the disk is full; nothing was saved: make room, then try again",
    "SQLITE_NOTADB": "it is not a GeoPackage: choose another file for the store",
    "SQLITE_CORRUPT": "the file is damaged: restore a backup",
    "SQLITE_READONLY": "the file or its folder is read-only; nothing was saved",
    "SQLITE_PERM": "the file or its folder may not be used by this account",
    "SQLITE_AUTH": "the file or its folder may not be used by this account",
    "SQLITE_CANTOPEN": "it cannot be opened: is it there, and may its folder be written?",
    "SQLITE_IOERR": "the disk could not be read or written; nothing was saved",
    "SQLITE_TOOBIG": "one value is too large; nothing was saved",
    "SQLITE_NOMEM": "not enough memory; nothing was saved",
}


def plain_words(error: sqlite3.Error) -> str:
    """Return what a person can do about an error; never its own text, which may hold the path."""
    code = getattr(error, "sqlite_errorname", None) or type(error).__name__
    for beginning, words in _PLAIN.items():
        if code.startswith(beginning):
            return words
    return f"the store refused ({code}); nothing was saved"


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what SQLite and the disk raise into `StoreError`; `name` is the file's name."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{name}: {plain_words(error)}") from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{name}: a text holds half a character; nothing was saved") from error
    except FileNotFoundError as error:
        raise StoreError(f"{name} is gone: was it moved or deleted?") from error
    except OSError as error:
        raise StoreError(f"{name}: {error.strerror or 'the disk failed'}") from error


class SqliteDialect:
    """A GeoPackage keeps the cells as the program knows them."""

    select = ", ".join(SELECTED)
    wanted = "json_each(?) AS wanted"
    differ = "IS NOT"
    shapes = staticmethod(from_blobs)

    def list_of(self, texts: Iterable[str]) -> str:
        """Return some texts as one value."""
        return json.dumps(list(texts))

    def to_database(self, column: str, values: Sequence[SqlValue]) -> Sequence[SqlValue]:
        """Return the cells themselves."""
        return values

    def blobs(self, cells: Sequence[Any]) -> Sequence[bytes | None]:
        """Return the blobs themselves."""
        return cells


class SqliteDatabase(sqlite3.Connection):
    """A connection as the statements of the store need it."""

    dialect = SqliteDialect()

    def insert(self, statement: str, values: Sequence[Any], /) -> int:
        """Run an INSERT of one row and return the row's id."""
        return int(self.execute(statement, values).lastrowid or 0)

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Add rows to a table."""
        marks = ", ".join("?" * len(columns))
        self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def stream(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a query; SQLite gives its rows one by one as it is."""
        return self.execute(statement, values)

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Take rows of `sites` with any version: the trigger is away until the transaction has its end."""
        self.execute("DROP TRIGGER sites_outside_insert")
        yield
        self.execute(outside_insert())

    def last_id(self, table: str, column: str) -> int:
        """Return the highest number a table has given to a row."""
        row = self.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return 0 if row is None else int(row[0])

    def set_last_id(self, table: str, column: str, number: int) -> None:
        """Have a table number its next row after this number."""
        self.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))


def connect(path: Path, mode: str = "rw") -> SqliteDatabase:
    """Open a file; `mode` is SQLite's `ro`, `rw` or `rwc` (only the last one makes a file)."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        factory=SqliteDatabase,
    )


class Connections:
    """A few open connections to one store, each used by one thread at a time.

    Streamlit runs every click in a new thread: one connection for each thread would be opened for each
    click (0.4 ms, against 0.03 ms for asking the data version), so they wait here instead.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self._idle: list[tuple[FileId, SqliteDatabase]] = []
        self._process = os.getpid()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[SqliteDatabase]:
        """Lend a connection; each statement sees the newest committed state."""
        with translated(self.name):
            file, db = self._take()
            try:
                yield db
            finally:
                self._give_back(file, db)

    @contextmanager
    def snapshot(self) -> Iterator[SqliteDatabase]:
        """Lend a connection on which all statements see one and the same state."""
        with self.reading() as db:
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def writing(self, *, data: bool = True) -> Iterator[SqliteDatabase]:
        """Lend a connection in a write transaction: all of it is kept on disk, or nothing.

        The data version changes if, and only if, something was written and that is `data`.
        """
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            before = db.total_changes
            yield db
            if data and db.total_changes != before:
                db.execute(NEW_DATA_VERSION)
                db.execute(NEW_CONTENTS)
            db.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._closed = True
        with suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _take(self) -> tuple[FileId, SqliteDatabase]:
        if self._closed:
            raise StoreError(f"{self.name} was closed: open the store again")
        if os.getpid() != self._process:
            # https://sqlite.org/howtocorrupt.html 2.6: the child believes it holds the parent's locks.
            raise StoreError(f"{self.name} was opened before a fork: open it in each process")
        found = os.stat(self.path)
        now = (found.st_dev, found.st_ino)
        with suppress(IndexError):
            while True:
                file, db = self._idle.pop()
                if file == now:
                    return file, db
                db.close()
        return now, self._open()

    def _open(self) -> SqliteDatabase:
        db = connect(self.path)
        register_functions(db)
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = FULL")
        # 64 MB hold the R-tree and `sites_fid` of a million sites: 800 reads for a query, not 9,600.
        db.execute("PRAGMA cache_size = -64000")
        return db

    def _give_back(self, file: FileId, db: SqliteDatabase) -> None:
        # A failed write on a full disk may leave no open transaction: ROLLBACK would be an error then.
        if db.in_transaction:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        if self._closed or db.in_transaction or len(self._idle) >= _IDLE:
            db.close()
        else:
            self._idle.append((file, db))
