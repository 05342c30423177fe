"""What online geocoders answered, in one SQLite file: each question is asked once, and a batch goes on after a kill."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geo.errors import StoreError

BUSY_S = 20.0
"""How long a writer waits for another process, in seconds."""

_APPLICATION_ID = 0x62616963  # "baic": no other program's file is ever written to
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    provider TEXT NOT NULL,
    datum TEXT NOT NULL,
    city TEXT NOT NULL,
    query TEXT NOT NULL,
    answer TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    PRIMARY KEY (provider, datum, city, query)
) WITHOUT ROWID
"""
_FIND = """
SELECT answer, asked_at FROM answers WHERE provider = ? AND datum = ? AND city = ? AND query = ?
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a service is asked. `datum` is the one its numbers come in; nothing here is secret."""

    provider: str
    datum: str
    city: str
    query: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said, as parsed JSON, and when (UTC)."""

    content: Any
    asked_at: datetime


class AnswerCache:
    """Answers by question, on disk before `put` returns; any number of threads and processes may use one file.

    Parameters
    ----------
    path
        The file; made if it is not there, with its folder.

    Raises
    ------
    StoreError
        If the file cannot be used, or is another program's; every method raises it too.
    """

    def __init__(self, path: str | Path) -> None:
        self._name = Path(path).name
        self._lock = threading.Lock()
        with self._translated():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def get(self, question: Question) -> Answer | None:
        """Return the answer that is kept for a question, or None; one that is damaged counts as none."""
        with self._lock, self._translated():
            row = self._db.execute(_FIND, astuple(question)).fetchone()
        try:
            return row and Answer(json.loads(row[0]), datetime.fromisoformat(row[1]))
        except (TypeError, ValueError, RecursionError):
            return None

    def put(self, question: Question, content: object) -> Answer:
        """Keep an answer (anything JSON can hold) with the present time, in the place of an older one."""
        answer = Answer(content, datetime.now(UTC).replace(microsecond=0))
        text = json.dumps(content)
        with self._lock, self._translated():
            self._db.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
                (*astuple(question), text, answer.asked_at.isoformat()),
            )
        return answer

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def __len__(self) -> int:
        with self._lock, self._translated():
            return int(self._db.execute("SELECT count(*) FROM answers").fetchone()[0])

    def _prepare(self) -> None:
        owner = self._db.execute("PRAGMA application_id").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if owner != _APPLICATION_ID and (owner or tables):
            raise StoreError(
                f"{self._name} is another program's file; give the geocoder's answers their own"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if not tables:
            # Both in one step: a process killed between them must not leave a table that nobody owns.
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._db.execute(_TABLE)
            self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what SQLite and the disk raise into `StoreError`, without the path."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise StoreError(
                f"{self._name}: the geocoder's answers cannot be read or kept ({code}); "
                "close other programs that use the file, make room on the disk, or remove the file"
            ) from error
        except OSError as error:
            why = error.strerror or "the disk failed"
            raise StoreError(f"{self._name} cannot be made: {why}") from error
