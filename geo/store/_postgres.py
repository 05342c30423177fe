"""Connections to the database: a few, lent to one thread at a time, their errors in plain words.

A connection that was lost is made anew without a word where nothing can have been written with it. Where a
commit was on its way, the server is asked what became of it; only if it cannot tell is the person told so.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
import shapely
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from geo.errors import StoreAway, StoreError
from geo.store._blob import from_blobs, from_point, to_blobs
from geo.store._database import Shapes, SqlValue
from geo.store._postgres_schema import NEW_DATA_VERSION, OURS
from geo.store._rows import SELECTED

NAME = "PostGIS"
"""What messages call the store: never its address, which holds a password."""
BUSY_S: Final = 20
"""How long a writer waits for another one, in seconds."""
_IDLE, _MOST = 4, 16
_FEW = 16
"""Up to so many rows go in with one statement; more are copied."""

# By the beginning of the SQLSTATE; https://www.postgresql.org/docs/current/errcodes-appendix.html
_PLAIN = {
    "53100": "the disk is full; nothing was saved: make room, then try again",
    "532": "not enough memory; nothing was saved",
    "53300": "the database has too many connections; nothing was saved: try again in a moment",
    "55P03": f"another program kept it locked for {BUSY_S} s; nothing was saved: "
    "finish the edits that are open elsewhere (QGIS?), then try again",
    "40": "another program keeps it locked; nothing was saved: try again",
    "57014": "the database ended the work; nothing was saved: try again",
    "57P": "the database is starting or being shut down; nothing was saved: try again in a moment",
    "42501": "this account may not do that; nothing was saved: ask the database's administrator",
    "25006": "the database is read-only; nothing was saved",
    "28": "the database does not accept this user or password",
    "3D000": "there is no database of this name: ask for it to be made",
    "58": "the disk could not be read or written; nothing was saved",
    "XX001": "the database is damaged: restore a backup",
    "XX002": "the database is damaged: restore a backup",
    "08": "the connection to the database broke; nothing was saved: try again",
}
_UNREACHABLE = "the database cannot be reached: is it running, and is its address right?"
_BROKE = _PLAIN["08"]
_UNKNOWN = (
    "the connection broke while saving, and nobody can tell whether it was saved: "
    "look at the values before you save again"
)


def plain_words(error: psycopg.Error) -> str:
    """Return what a person can do about an error; never its own text, which may hold the address."""
    code = error.sqlstate or ""
    for beginning, words in _PLAIN.items():
        if code.startswith(beginning):
            return words
    if not code and isinstance(error, psycopg.OperationalError):
        return _BROKE
    return f"the store refused ({code or type(error).__name__}); nothing was saved"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises into `StoreError`."""
    try:
        yield
    except psycopg.Error as error:
        raise StoreError(f"{NAME}: {plain_words(error)}") from error
    except PoolTimeout as error:
        raise StoreError(f"{NAME}: {_PLAIN['53300']}") from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{NAME}: a text holds half a character; nothing was saved") from error


# --- cells ----------------------------------------------------------------------------------------


class PostgresDialect:
    """PostgreSQL keeps dates as dates, truth as truth and shapes as PostGIS geometry."""

    select = ", ".join(
        {'s."geom"': 'ST_AsBinary(s."geom")', 's."fictitious"': 's."fictitious"::int'}.get(c, c)
        for c in SELECTED
    )
    wanted = "unnest(?::text[]) AS wanted (value)"
    differ = "IS DISTINCT FROM"

    def list_of(self, texts: Iterable[str]) -> list[str]:
        """Return some texts as one value."""
        return [str(text) for text in texts]

    def to_database(self, column: str, values: Sequence[SqlValue]) -> Sequence[Any]:
        """Return shapes as hexadecimal EWKB and truth as such, the other cells as they are."""
        if column == "fictitious":
            return [None if value is None else bool(value) for value in values]
        if column != "geometry":
            return values
        shapes = shapely.set_srid(from_blobs(values)[0], 4326)
        given: list[str | None] = shapely.to_wkb(shapes, hex=True, include_srid=True).tolist()
        return given

    def blobs(self, cells: Sequence[Any]) -> Sequence[bytes | None]:
        """Return shapes as GeoPackage blobs."""
        if len(cells) == 1 and cells[0] is not None:
            point = from_point(cells[0])
            if point is not None:
                return [point]
        return to_blobs(self.shapes(cells)[0])

    def shapes(self, cells: Sequence[Any]) -> tuple[Shapes, npt.NDArray[np.bool_]]:
        """Return the shapes, and for each whether it cannot be read."""
        bodies = np.empty(len(cells), dtype=object)
        bodies[:] = cells
        shapes = shapely.from_wkb(bodies, on_invalid="ignore")
        given = np.fromiter((cell is not None for cell in cells), dtype=bool, count=len(cells))
        return shapes, given & shapely.is_missing(shapes)


class _TextLoader(Loader):
    """A day as ISO text."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode()


class _MomentLoader(Loader):
    """A moment without a zone as ISO text: a day if it is one, else to the millisecond."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        if text.endswith(" 00:00:00"):
            return text[:-9]
        day, _, time_of_day = text.partition(" ")
        clock, _, fraction = time_of_day.partition(".")
        return f"{day}T{clock}.{fraction:0<3}"


class _InstantLoader(Loader):
    """An instant as ISO text, UTC: to the millisecond if that is all of it."""

    def load(self, data: Buffer) -> str:
        day, _, time_of_day = bytes(data).decode().removesuffix("+00").partition(" ")
        clock, _, fraction = time_of_day.partition(".")
        if len(fraction) <= 3:
            return f"{day}T{clock}.{fraction:0<3}Z"
        return f"{day}T{clock}.{fraction:0<6}+00:00"


@lru_cache(maxsize=256)
def _marked(statement: str) -> bytes:
    """Return a statement with the driver's marks instead of `?`."""
    if "?" not in statement:  # without values the driver takes a % as it is
        return statement.encode()
    return statement.replace("%", "%%").replace("?", "%s").encode()


# --- one connection -------------------------------------------------------------------------------

_LOADERS: dict[str, Any] = {
    "date": _TextLoader,
    "timestamp": _MomentLoader,
    "timestamptz": _InstantLoader,
}
_SESSION = (
    "SET timezone TO 'UTC'; SET datestyle TO 'ISO'; SET extra_float_digits TO 1; SET jit TO off; "
    f"SET client_min_messages TO warning; SET lock_timeout TO '{BUSY_S}s'; "
    # A machine that vanished in the middle of its work must not keep the others waiting for ever.
    "SET idle_in_transaction_session_timeout TO '5min'; "
    # What is acknowledged is on the disk, whatever the server's own setting.
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'; "
)
_ASK_AFTER_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0)
# The server's own words, in English; a connection that was never made has no SQLSTATE.
_REFUSALS = {
    "too many": _PLAIN["53300"],
    "remaining connection slots": _PLAIN["53300"],
    "starting up": _PLAIN["57P"],
    "shutting down": _PLAIN["57P"],
    "recovery mode": _PLAIN["57P"],
    "authentication": _PLAIN["28"],
    "password": _PLAIN["28"],
    "role ": _PLAIN["28"],
    "database ": _PLAIN["3D000"],
}


def _why_refused(error: psycopg.Error) -> str:
    text = str(error)
    if "FATAL" not in text and "password" not in text:
        return _UNREACHABLE
    return next((words for phrase, words in _REFUSALS.items() if phrase in text), _UNREACHABLE)


Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]


class PostgresDatabase:
    """A connection as the statements of the store need it, lent by `PostgresConnections`."""

    dialect = PostgresDialect()

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        self._lent: PoolProxiedConnection = connections.checked_out()
        self._streams: list[Any] = []
        self._in_transaction = False
        self.written = 0

    @property
    def _connection(self) -> Connection:
        connection: Any = self._lent.dbapi_connection
        return connection

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run one statement; outside a transaction it is run again if the connection was lost."""
        return self._counted(self._run(_marked(statement), values or None))

    def _run(self, statement: bytes, values: Sequence[Any] | None = None) -> Cursor:
        try:
            return self._connection.execute(statement, values)
        except psycopg.OperationalError:
            if self._in_transaction or not self._connection.closed:
                raise
        self._lent.invalidate()
        self._lent = self._connections.fresh()
        return self._connection.execute(statement, values)

    def _counted(self, cursor: Cursor) -> Cursor:
        if (cursor.statusmessage or "").startswith(("INSERT", "UPDATE", "DELETE", "COPY")):
            self.written += max(cursor.rowcount, 0)
        return cursor

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each row."""
        cursor = self._connection.cursor()
        cursor.executemany(_marked(statement), rows)
        return self._counted(cursor)

    def insert(self, statement: str, values: Sequence[Any], /) -> int:
        """Run an INSERT of one row and return the row's id."""
        [(number,)] = self.execute(f"{statement} RETURNING id", values).fetchall()
        return int(number)

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Add rows to a table: a few with one statement, many by COPY."""
        given = iter(rows)
        few = list(islice(given, _FEW + 1))
        if not few:
            return
        into = f"{table} ({', '.join(columns)})"
        if len(few) <= _FEW:
            marks = ", ".join([f"({', '.join('?' * len(columns))})"] * len(few))
            self.execute(f"INSERT INTO {into} VALUES {marks}", [*chain.from_iterable(few)])
            return
        cursor = self._connection.cursor()
        with cursor.copy(f"COPY {into} FROM STDIN".encode()) as copy:
            for row in chain(few, given):
                copy.write_row(row)
        self._counted(cursor)

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a query inside a transaction whose rows stay on the server until they are asked for."""
        cursor = self._connection.cursor(name=f"rows_{len(self._streams)}")
        self._streams.append(cursor)
        return cursor.execute(_marked(statement), values or None)

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Take rows of `sites` with any version: the triggers let our own transactions be."""
        yield

    def last_id(self, table: str, column: str) -> int:
        """Return the highest number a table has given to a row."""
        sequence = (
            f"pg_sequence_last_value(pg_get_serial_sequence('{table}', '{column}')::regclass)"
        )
        number = self.execute(f"SELECT {sequence}").fetchall()[0][0]
        return int(number or 0)

    def set_last_id(self, table: str, column: str, number: int) -> None:
        """Have a table number its next row after this number."""
        if number:
            sequence = f"pg_get_serial_sequence('{table}', '{column}')"
            self.execute(f"SELECT setval({sequence}, ?)", (number,))

    # Transactions

    def begin(self, statements: str) -> Any:
        """Begin a transaction with some statements at once; return the first row of the last one."""
        cursor = self._run(statements.encode())
        self._in_transaction = True
        while cursor.nextset():
            pass
        return cursor.fetchone() if cursor.description else None

    def run_script(self, statements: str) -> None:
        """Run several statements without values, inside a transaction."""
        self._connection.execute(statements.encode())

    def commit(self, xid: str = "", *, first: str = "") -> None:
        """End the transaction; `xid` is its number, to ask for if the connection breaks now."""
        while self._streams:
            self._streams.pop().close()
        try:
            self._connection.execute(f"{first}{'; ' if first else ''}COMMIT".encode())
        except psycopg.OperationalError:
            if not (xid and self._connection.closed):
                raise
            self._connections.settle(xid)
        self._in_transaction = False

    def give_back(self) -> None:
        """Return the connection, without a transaction."""
        connection = self._connection
        with suppress(psycopg.Error):
            for stream in self._streams:
                stream.close()
        if connection is not None and not connection.closed:
            state = connection.pgconn.transaction_status
            if state == TransactionStatus.ACTIVE:
                connection.close()
            elif state != TransactionStatus.IDLE:
                with suppress(psycopg.Error):
                    connection.rollback()
        if connection is None or connection.closed:
            self._lent.invalidate()
        self._lent.close()


# --- all of them ----------------------------------------------------------------------------------


class PostgresConnections:
    """A few open connections to one store, each used by one thread at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._settings = ""
        self._process, self._closed = os.getpid(), False
        self._refused, self._trying = "", threading.Lock()
        self._pool = self._make_pool()

    def _make_pool(self) -> QueuePool:
        return QueuePool(
            self._open,  # type: ignore[arg-type]
            pool_size=_IDLE,
            max_overflow=_MOST - _IDLE,
            timeout=BUSY_S,
            reset_on_return=None,  # `give_back` does
        )

    def use(self, settings: str) -> None:
        """Have every connection begin with some statements, those that are open too."""
        self._settings = settings
        self._pool.dispose()

    def _open(self) -> Connection:
        """Connect; while the database is away only one thread at a time waits to see whether it is back."""
        refused = self._refused
        if refused and not self._trying.acquire(blocking=False):
            raise StoreAway(f"{NAME}: {refused}")
        try:
            connection: Connection = psycopg.connect(self._conninfo, autocommit=True)
            self._refused = ""
        except psycopg.OperationalError as error:
            self._refused = _why_refused(error)
            # Not `from error`: its text has the host and the user in it.
            raise StoreAway(f"{NAME}: {self._refused}") from None
        finally:
            if refused:
                self._trying.release()
        for name, loader in _LOADERS.items():
            connection.adapters.register_loader(name, loader)
        connection.execute((_SESSION + self._settings).encode())
        return connection

    def checked_out(self) -> PoolProxiedConnection:
        """Return a connection of the pool.

        Raises
        ------
        StoreError
            If the store was closed.
        """
        if self._closed:
            raise StoreError(f"{NAME} was closed: open the store again")
        if os.getpid() != self._process:
            # After a fork the parent's connections stay the parent's.
            self._inherited, self._pool = self._pool, self._make_pool()
            self._process = os.getpid()
        return self._pool.connect()

    def fresh(self) -> PoolProxiedConnection:
        """Return a new connection, after one was lost: the others that wait are as old."""
        self._pool.dispose()
        return self.checked_out()

    @contextmanager
    def reading(self) -> Iterator[PostgresDatabase]:
        """Lend a connection; each statement sees the newest committed state."""
        with translated():
            db = PostgresDatabase(self)
            try:
                yield db
            finally:
                db.give_back()

    @contextmanager
    def snapshot(self) -> Iterator[PostgresDatabase]:
        """Lend a connection on which all statements see one and the same state."""
        with self.reading() as db:
            db.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield db
            db.commit()

    @contextmanager
    def writing(self, *, data: bool = True) -> Iterator[PostgresDatabase]:
        """Lend a connection in a write transaction: all of it is kept on disk, or nothing.

        The row of the data version is locked first: only one transaction at a time writes `data`.
        """
        with self.reading() as db:
            lock = " FROM meta WHERE key = 'data_version' FOR UPDATE" if data else ""
            ours = f"set_config('{OURS}', '1', true)"
            [xid, _] = db.begin(
                f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()::text, {ours}{lock}"
            )
            yield db
            db.commit(xid, first=NEW_DATA_VERSION if data and db.written else "")

    def settle(self, xid: str) -> None:
        """Return if the server did commit a transaction; raise `StoreError` if it did not, or cannot tell."""
        for wait_s in _ASK_AFTER_S:
            time.sleep(wait_s)
            found = self._status(xid)
            if found == "committed":
                return
            if found == "aborted":
                raise StoreError(f"{NAME}: {_BROKE}")
        raise StoreError(f"{NAME}: {_UNKNOWN}")

    def _status(self, xid: str) -> str:
        """Return what the server knows of a transaction: committed, aborted, in progress; "" if it cannot tell."""
        with suppress(psycopg.Error, StoreError, PoolTimeout):
            lent = self.fresh()
            try:
                connection: Any = lent.dbapi_connection
                row = connection.execute("SELECT pg_xact_status(%s::xid8)", (xid,)).fetchone()
            finally:
                lent.close()
            return row[0] or ""
        return ""

    def close(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._closed = True
        self._pool.dispose()
