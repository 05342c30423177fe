"""The site table's own statements: saved as a whole, changed cell by cell, with its history.

Every function runs inside the caller's transaction. History rows go in before the rows they are about,
which is how the triggers of a GeoPackage tell our writes from those of other programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.errors import StoreConflict, StoreError
from geo.site import COLUMNS, STATEMENT, Change
from geo.store._database import (
    DATA_COLUMNS,
    HISTORY,
    SITE_COLUMNS,
    Columns,
    Database,
    Rows,
    SqlValue,
    column_sql,
)
from geo.store._rows import changed_cells, encode, history_text, read_table

Row = dict[str, SqlValue]


@dataclass(frozen=True, slots=True)
class SaveReport:
    """How many sites a save added, changed and left as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What came of changing many sites: the version each one has now, and those that were not changed (ids).

    `conflicting` were changed by somebody else since they were seen, `missing` are not in the store.
    """

    versions: Mapping[str, int]
    conflicting: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, on which source's word, and when: ISO, UTC, to the millisecond."""

    who: str
    source: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        object.__setattr__(self, "at", self.at or now.replace("+00:00", "Z"))


def read_ids(db: Database, ids: Iterable[str]) -> gpd.GeoDataFrame:
    """Return the stored rows of some sites, as a site table."""
    return read_table(db, _rows_of(db, ids))


def find_many(db: Database, ids: Iterable[str]) -> dict[str, Row]:
    """Return the cells of those sites that are in the store, by id."""
    rows = (_cells(db, row) for row in _rows_of(db, ids))
    return {str(row["site_id"]): row for row in rows}


def _cells(db: Database, row: Sequence[Any]) -> Row:
    cells = dict(zip(COLUMNS, row, strict=True))
    return cells | {"geometry": db.dialect.blobs([cells["geometry"]])[0]}


def _rows_of(db: Database, ids: Iterable[str]) -> Rows:
    query = (
        f"SELECT {db.dialect.select} FROM {db.dialect.wanted}"
        " JOIN sites AS s ON s.site_id = wanted.value"
    )
    return db.execute(query, (db.dialect.list_of(ids),))


def find_versions(db: Database, ids: Iterable[str]) -> dict[str, int]:
    """Return the version of each site that is in the store."""
    query = (
        f"SELECT s.site_id, s.version FROM {db.dialect.wanted}"
        " JOIN sites AS s ON s.site_id = wanted.value"
    )
    return dict(db.execute(query, (db.dialect.list_of(ids),)).fetchall())


def save(db: Database, sites: gpd.GeoDataFrame, author: Author) -> SaveReport:
    """Insert new sites and update those that differ; see `SiteStore.save_sites`."""
    stored = read_ids(db, sites["site_id"])
    where = pd.Index(stored["site_id"]).get_indexer(pd.Index(sites["site_id"]))
    new = sites[where < 0].reset_index(drop=True)
    given = sites[where >= 0].reset_index(drop=True)
    stored = stored.iloc[where[where >= 0]].reset_index(drop=True)
    _insert(db, new, author)
    changed = _update_differing(db, stored, given, author)
    return SaveReport(len(new), changed, len(given) - changed)


def _insert(db: Database, new: gpd.GeoDataFrame, author: Author) -> None:
    if new.empty:
        return
    columns = encode(new)
    columns["version"] = _first_versions(db, new)
    about = ("site_id", "name", "version", "source_file", "source_where")
    db.insert_many(
        "history",
        HISTORY,
        (
            (site_id, "created", "", name, author.who, author.at, version, _source(author, f, w))
            for site_id, name, version, f, w in zip(*(columns[c] for c in about), strict=True)
        ),
    )
    cells = [db.dialect.to_database(name, columns[name]) for name in COLUMNS]
    db.insert_many("sites", SITE_COLUMNS, zip(*cells, strict=True))


def _first_versions(db: Database, new: gpd.GeoDataFrame) -> list[SqlValue]:
    """Return the versions as given; an id that was deleted (in QGIS) goes on from its last version."""
    query = (
        f"SELECT h.site_id, max(h.version) FROM {db.dialect.wanted}"
        " JOIN history AS h ON h.site_id = wanted.value GROUP BY h.site_id"
    )
    last = dict(db.execute(query, (db.dialect.list_of(new["site_id"]),)).fetchall())
    pairs = zip(new["site_id"], new["version"].tolist(), strict=True)
    return [max(version, last.get(site_id, 0) + 1) for site_id, version in pairs]


def _update_differing(
    db: Database, stored: gpd.GeoDataFrame, given: gpd.GeoDataFrame, author: Author
) -> int:
    differs = changed_cells(stored, given)
    rows = np.logical_or.reduce(list(differs.values()))
    if not rows.any():
        return 0
    old, new = encode(stored[rows]), encode(given[rows])
    new["version"] = [version + 1 for version in old["version"]]  # type: ignore[operator]
    cells = {name: np.flatnonzero(mask[rows]).tolist() for name, mask in differs.items()}
    db.insert_many("history", HISTORY, _history_rows(old, new, cells, author))
    _update_rows(db, new, moved=differs["geometry"][rows])
    return int(rows.sum())


def _history_rows(
    old: Columns,
    new: Columns,
    cells: dict[str, list[int]],
    author: Author,
) -> Iterator[tuple[SqlValue, ...]]:
    for name, rows in cells.items():
        for i in rows:
            before, after = history_text(name, old[name][i]), history_text(name, new[name][i])
            source = _source(author, new["source_file"][i], new["source_where"][i])
            yield (
                *(new["site_id"][i], name, before, after, author.who, author.at),
                *(new["version"][i], source),
            )


def _update_rows(db: Database, new: Columns, *, moved: np.ndarray) -> None:
    # Setting the geometry makes the R-tree work: leave it out where the place is the same.
    for move in (False, True):
        names = [*DATA_COLUMNS, "version", *(["geometry"] if move else [])]
        setters = ", ".join(f"{column_sql(name)} = ?" for name in names)
        chosen = np.flatnonzero(moved == move).tolist()
        given = [db.dialect.to_database(name, [new[name][i] for i in chosen]) for name in names]
        rows = zip(*given, [new["site_id"][i] for i in chosen], strict=True)
        db.executemany(f"UPDATE sites SET {setters} WHERE site_id = ?", rows)


def _source(author: Author, file: SqlValue, where: SqlValue) -> str:
    return author.source or " ".join(str(part) for part in (file, where) if part)


def find(db: Database, site_id: str) -> Row | None:
    """Return one site's values, or None if there is no such site."""
    query = f"SELECT {db.dialect.select} FROM sites AS s WHERE s.site_id = ?"
    row = db.execute(query, (site_id,)).fetchone()
    return None if row is None else _cells(db, row)


def fetch(db: Database, site_id: str, version: int | None = None) -> Row:
    """Return one site's values, if it is still at a version (None: at any).

    Raises
    ------
    StoreError
        If there is no such site.
    StoreConflict
        If it is at another version.
    """
    row = find(db, site_id)
    if row is None:
        raise StoreError(f"{site_id} is not in the store: load the file it is in first")
    found = row["version"]
    if version is not None and found != version:
        raise StoreConflict(site_id, expected=version, found=int(found))  # type: ignore[arg-type]
    return row


def change(db: Database, row: Row, values: Mapping[str, SqlValue], author: Author) -> int:
    """Set some cells of one site and return its version: a new one if any cell differs."""
    differs = [name for name in COLUMNS if name in values and values[name] != row[name]]
    found = int(row["version"])  # type: ignore[arg-type]
    if not differs:
        return found
    rest = (author.who, author.at, found + 1, author.source)
    texts = [(history_text(name, row[name]), history_text(name, values[name])) for name in differs]
    rows = zip(differs, texts, strict=True)
    lines = [(row["site_id"], name, *text, *rest) for name, text in rows]
    db.insert_many("history", HISTORY, lines)
    setters = ", ".join(f"{column_sql(name)} = ?" for name in differs)
    cells = [db.dialect.to_database(name, [values[name]])[0] for name in differs]
    given = [*cells, found + 1, row["site_id"]]
    db.execute(f"UPDATE sites SET {setters}, version = ? WHERE site_id = ?", given)
    return found + 1


def statement_changes(db: Database) -> pd.DataFrame:
    """Return every change of a column of `STATEMENT`, oldest first; see `SiteStore.statement_changes`."""
    marks = ", ".join("?" * len(STATEMENT))
    rows = db.execute(
        f"SELECT site_id, version, field, old FROM history WHERE field IN ({marks}) ORDER BY id",
        STATEMENT,
    ).fetchall()
    frame = pd.DataFrame(rows, columns=["site_id", "version", "field", "old"])
    texts = dict.fromkeys(("site_id", "field", "old"), "str")
    return frame.astype({**texts, "version": "int64"})


def remove(db: Database, row: Row, author: Author) -> None:
    """Delete one site; its history stays and says so."""
    version = int(row["version"]) + 1  # type: ignore[arg-type]
    about = (row["site_id"], "deleted", row["name"], "", author.who, author.at, version)
    db.insert_many("history", HISTORY, [(*about, author.source)])
    db.execute("DELETE FROM sites WHERE site_id = ?", (row["site_id"],))


def to_plain(row: Row) -> Mapping[str, object]:
    """Return a row as JSON knows it, the shape as hexadecimal GeoPackage binary."""
    blob = row["geometry"]
    return row | {"geometry": blob.hex() if isinstance(blob, bytes) else None}


def from_plain(cells: dict[str, Any]) -> Row:
    """Return the row that `to_plain` wrote."""
    shape = cells["geometry"]
    return cells | {"geometry": bytes.fromhex(shape) if isinstance(shape, str) else None}


def read_history(db: Database, site_id: str) -> list[Change]:
    """Return every change of one site, newest first."""
    query = (
        "SELECT site_id, field, old, new, who, at, version, source FROM history"
        " WHERE site_id = ? ORDER BY id DESC"
    )
    return [
        Change(name, field, old, new, who, datetime.fromisoformat(at), version, source)
        for name, field, old, new, who, at, version, source in db.execute(query, (site_id,))
    ]
