"""What the statements of the store need of a database: the same few calls on SQLite and on PostgreSQL.

Statements are written once, with `?` for a value. A site's cell has one form in the program, whatever the
database: text as it is; numbers as float, missing as None; `as_of` as ISO text, a day if it is one
(2020-03-11), else to the millisecond; `fictitious` as 0 or 1; the shape as a GeoPackage blob. A `Dialect`
turns it into what its database holds, and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from geo.site import COLUMNS

SqlValue = str | int | float | bytes | None
Columns = dict[str, list[SqlValue]]
Shapes = npt.NDArray[np.object_]

OUTSIDE = "outside"
"""`source` of a history row whose change was made by another program; nobody knows `who`."""
RESERVED = frozenset({"schema_version", "data_version"})
"""Keys of `meta` that only the store sets."""
DATA_COLUMNS = tuple(c for c in COLUMNS if c not in ("site_id", "version", "geometry"))
HISTORY = "site_id field old new who at version source".split()


class Rows(Protocol):
    """The answer to a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """Return the next row, None after the last one."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def fetchmany(self, size: int, /) -> list[Any]:
        """Return the next rows, [] after the last one."""


class Dialect(Protocol):
    """What is said differently on each database."""

    @property
    def select(self) -> str:
        """The cells of a site in the order of `COLUMNS`, from `sites AS s`."""

    @property
    def wanted(self) -> str:
        """A table `wanted` with the column `value`, made of what `list_of` gives for its one mark."""

    @property
    def differ(self) -> str:
        """The comparison that is true for a value and NULL, and false for NULL and NULL."""

    def list_of(self, texts: Iterable[str]) -> Any:
        """Return some texts as one value."""

    def to_database(self, column: str, values: Sequence[SqlValue]) -> Sequence[Any]:
        """Return a column's cells as the database takes them."""

    def blobs(self, cells: Sequence[Any]) -> Sequence[bytes | None]:
        """Return the shapes of that column of `select` as the program knows them."""

    def shapes(self, cells: Sequence[Any]) -> tuple[Shapes, npt.NDArray[np.bool_]]:
        """Return the shapes of that column of `select`, and for each whether its cell cannot be read."""


class Database(Protocol):
    """A connection that is lent to one thread."""

    @property
    def dialect(self) -> Dialect:
        """What its statements are written in."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Rows:
        """Run one statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row."""

    def insert(self, statement: str, values: Sequence[Any], /) -> int:
        """Run an INSERT of one row and return the row's id."""

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Add rows to a table, quickly if they are many."""

    def stream(self, statement: str, values: Sequence[Any] = ...) -> Rows:
        """Run a query whose answer is large, inside a snapshot."""

    def unwatched(self) -> AbstractContextManager[None]:
        """Take rows of `sites` with any version, in a write transaction; their history is there already."""

    def last_id(self, table: str, column: str) -> int:
        """Return the highest number a table has given to a row, of rows that are gone too; 0 for none."""

    def set_last_id(self, table: str, column: str, number: int) -> None:
        """Have a table number its next row after this number."""


class Connections(Protocol):
    """The open connections to one store; see the methods of `SiteStore` that hand them on."""

    def reading(self) -> AbstractContextManager[Database]: ...

    def snapshot(self) -> AbstractContextManager[Database]: ...

    def writing(self, *, data: bool = ...) -> AbstractContextManager[Database]: ...

    def close(self) -> None: ...


def column_sql(column: str) -> str:
    """Return the quoted name of a site column in the database; `KeyError` if there is none."""
    return _SQL_NAMES[column]


_SQL_NAMES = {column: f'"{column}"' for column in COLUMNS} | {"geometry": '"geom"'}
SITE_COLUMNS = [column_sql(column) for column in COLUMNS]
