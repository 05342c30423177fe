"""What every store can do, whatever keeps it.

A store says how to lend a connection and how to find the sites in a box; the rest is the same on all of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import geopandas as gpd
import pandas as pd
import shapely

from geo.access import AuditEntry, Role
from geo.category import Categories, load_categories
from geo.errors import SchemaError, StoreError
from geo.site import (
    COLUMNS,
    LOCATION,
    Change,
    Claim,
    Correction,
    SiteUpdate,
    check_sites,
    location_fields,
    make_sites,
)
from geo.store import _claims, _copy, _corrections, _imports, _people, _sites
from geo.store._copy import Progress
from geo.store._database import RESERVED, Connections, Database, SqlValue
from geo.store._imports import Import, UndoReport
from geo.store._rows import check_text, decode, encode_value, read_table, refuse_unstorable
from geo.store._sites import Author, BatchReport, SaveReport

Bbox = tuple[float, float, float, float]
_FIXED = ("site_id", "version")
_IDENTITY = ("kind", "name")


class SiteStore(ABC):
    """A site table with its history, corrections and claims, kept for many people at once.

    Safe to share between threads. Every method raises `StoreError` if the store cannot be read or written;
    a write that raises has changed nothing, unless its text says that nobody can know.
    """

    # What a store brings of its own

    makes_tiles: ClassVar[bool] = False
    """Whether the database can draw itself by vector tiles, see `geo.store.tiles`."""
    _connections: Connections

    @abstractmethod
    def _query(
        self, bbox: Bbox | None, kind: str | None, status: str | None
    ) -> tuple[str, list[Any]]:
        """Return a statement that finds sites, in the order they first came, and its values.

        It may find a little more than what is in the box, and never less.
        """

    @abstractmethod
    def _faults(self, db: Database) -> list[str]:
        """Return what is wrong with the store's own structure and with what the tables say of each other."""

    @abstractmethod
    def backup(self, target: Path) -> Path:
        """Write a copy of this moment to a new GeoPackage, while others go on working, and return its path.

        Raises
        ------
        StoreError
            If the target exists or cannot be written; nothing of it is left behind then.
        """

    # The connections

    def _reading(self) -> AbstractContextManager[Database]:
        """Lend a connection; each statement sees the newest committed state."""
        return self._connections.reading()

    def _snapshot(self) -> AbstractContextManager[Database]:
        """Lend a connection on which all statements see one and the same state."""
        return self._connections.snapshot()

    def _writing(self, *, data: bool = True) -> AbstractContextManager[Database]:
        """Lend a connection in a write transaction: all of it is kept on disk, or nothing.

        Of all programs only one at a time writes `data`. The data version changes if, and only if, something was
        written and that is `data`.
        """
        return self._connections.writing(data=data)

    def close(self) -> None:
        """Close the store. Calls that are running in other threads end first."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Reading

    def data_version(self) -> str:
        """Return a token that is another one after each committed write, of whatever program.

        The same in every process; letters, digits and - only; about 10 µs.
        """
        with self._reading() as db:
            return _data_version(db)

    def read_sites(self) -> gpd.GeoDataFrame:
        """Return the site table in the order the sites first came."""
        return self.read_snapshot()[1]

    def read_snapshot(self) -> tuple[str, gpd.GeoDataFrame]:
        """Return the data version and the site table of one and the same moment.

        What is cached or sent out under a data version must come from here: between two calls another
        program may write.
        """
        with self._snapshot() as db:
            version = _data_version(db)
            return version, _read_all(db)

    def query_sites(
        self, bbox: Bbox | None = None, kind: str | None = None, status: str | None = None
    ) -> gpd.GeoDataFrame:
        """Return the sites in a box, of a kind, with a status, in the order they first came.

        Parameters
        ----------
        bbox
            minx, miny, maxx, maxy in degrees, EPSG:4326. A shape that touches the box is in it; a site
            without a shape is in none. None is everywhere.
        kind, status
            Codes as in `geo.category`; None is any.

        Raises
        ------
        ValueError
            If the box is not four numbers in that order.
        """
        if bbox is not None and not (
            all(map(math.isfinite, bbox)) and bbox[0] <= bbox[2] and bbox[1] <= bbox[3]
        ):
            raise ValueError(f"bbox is {bbox}; give minx, miny, maxx, maxy")
        query, given = self._query(bbox, kind, status)
        if bbox is None:
            with self._snapshot() as db:
                return read_table(db, db.stream(query, given))
        with self._reading() as db:
            sites = read_table(db, db.execute(query, given))
        # The index keeps float32 boxes around the shapes: it finds a little too much.
        window = shapely.envelope(shapely.LineString([bbox[:2], bbox[2:]]))
        shapely.prepare(window)
        inside = shapely.intersects(window, sites.geometry.to_numpy())
        return sites if inside.all() else sites[inside].reset_index(drop=True)

    def site(self, site_id: str) -> pd.Series:
        """Return one site as a row of the site table.

        Raises
        ------
        StoreError
            If there is no such site.
        """
        with self._reading() as db:
            row = _sites.fetch(db, site_id)
        return decode({name: [value] for name, value in row.items()}).iloc[0]

    def read_some(self, site_ids: Iterable[str]) -> gpd.GeoDataFrame:
        """Return those of some sites that are in the store, as a site table in any order."""
        with self._reading() as db:
            return _sites.read_ids(db, site_ids)

    def count_sites(self) -> int:
        """Return how many sites there are."""
        with self._reading() as db:
            return int(db.execute("SELECT count(*) FROM sites").fetchone()[0])

    def history(self, site_id: str) -> list[Change]:
        """Return every change of a site, newest first; [] for a site that was never here.

        A new site has one change, `created`, whose `new` is its name. A program other than this app
        leaves `who` empty and the source `outside`, and shapes as the box around them.
        """
        with self._reading() as db:
            return _sites.read_history(db, site_id)

    def statement_changes(self) -> pd.DataFrame:
        """Return every change of what is stated of sites, oldest first: what was said before another statement.

        Returns
        -------
        changes
            One row for each change of a column of `geo.site.STATEMENT`: `site_id`, the `version` it made, `field`,
            and `old`, the text before it (a date as ISO text, missing as "").
        """
        with self._reading() as db:
            return _sites.statement_changes(db)

    # Writing sites

    def save_sites(
        self,
        sites: gpd.GeoDataFrame,
        *,
        who: str,
        source: str = "",
        categories: Categories | None = None,
    ) -> SaveReport:
        """Insert and update sites by `site_id` in one transaction; return how many of each.

        A site equal to the stored one in all but `version` is left alone, so saving a table twice
        changes nothing. A site that differs gets the next version (the table's own does not matter)
        and one history row for each cell. Sites of the store that are not in the table stay.

        Parameters
        ----------
        sites
            Site table as defined in `geo.site`; any number of rows.
        who
            The person, for the history.
        source
            On whose word, for the history; a site's own source file and place by default.
        categories
            Kinds and statuses; the district's own file by default.

        Raises
        ------
        SchemaError
            If it is not a site table.
        StoreError
            If a text holds a NUL character (readers are to take it out) or a coordinate is infinite.
        """
        given = make_sites(check_sites(sites, categories))
        refuse_unstorable(given)
        author = _author(who, source)
        with self._writing() as db:
            return _sites.save(db, given, author)

    def update_site(
        self,
        site_id: str,
        changes: Mapping[str, object],
        *,
        version: int,
        who: str,
        source: str = "",
        categories: Categories | None = None,
    ) -> int:
        """Change some cells of one site and return its new version (the old one if all are equal).

        Parameters
        ----------
        site_id
            The site.
        changes
            New values by column; any column of the site table but `site_id` and `version`.
        version
            The version the writer has seen.
        who, source, categories
            As for `save_sites`.

        Raises
        ------
        StoreConflict
            If the site is at another version.
        StoreError
            If there is no such site or column.
        SchemaError, CategoryError
            If the site would not be one any more: an unknown status, a shape without a precision.
        TypeError
            If a value is not of its column's type.
        """
        values = _encode_changes(changes)
        author = _author(who, source)
        with self._writing() as db:
            row = _sites.fetch(db, site_id, version)
            _check_row(row | values, values, categories)
            return _sites.change(db, row, values, author)

    def update_sites(
        self,
        updates: Sequence[SiteUpdate],
        *,
        who: str,
        source: str = "",
        categories: Categories | None = None,
    ) -> BatchReport:
        """Change cells of many sites in one transaction; return what each one's version is now.

        A site that somebody else has changed since it was seen is left as it is and named in the report; so is
        one that is not there any more. The others are changed.

        Parameters
        ----------
        updates
            For each site the version seen and the new values, as for `update_site`.
        who, source, categories
            As for `save_sites`.

        Raises
        ------
        StoreError, SchemaError, CategoryError, TypeError
            As `update_site`; then no site has changed.
        """
        encoded = [(one, _encode_changes(one.changes)) for one in updates]
        author = _author(who, source)
        versions, conflicting, missing = dict[str, int](), list[str](), list[str]()
        with self._writing() as db:
            rows = _sites.find_many(db, [one.site_id for one in updates])
            for one, values in encoded:
                row = rows.get(one.site_id)
                if row is None:
                    missing.append(one.site_id)
                elif row["version"] != one.version:
                    conflicting.append(one.site_id)
                else:
                    _check_row(row | values, values, categories)
                    kept = versions[one.site_id] = _sites.change(db, row, values, author)
                    rows[one.site_id] = row | values | {"version": kept}
        return BatchReport(versions, tuple(conflicting), tuple(missing))

    # Corrections

    def add_correction(
        self,
        correction: Correction,
        *,
        version: int | None = None,
        categories: Categories | None = None,
    ) -> int:
        """Keep a person's correction, put its site there, and return the correction's id.

        Parameters
        ----------
        correction
            Its `site_id` must be in the store; its `correction_id` does not matter.
        version
            The version of the site the person has seen; None takes any.
        categories
            As for `save_sites`.

        Raises
        ------
        StoreConflict
            If the site is at another version.
        StoreError
            If there is no such site.
        SchemaError
            If the correction has no place a site can have.
        """
        fields = location_fields(correction.as_match())
        values = {name: encode_value(name, value) for name, value in fields.items()}
        author = _author(correction.who, "correction")
        with self._writing() as db:
            row = _sites.fetch(db, correction.site_id, version)
            _check_row(row | values, values, categories)
            number = _corrections.insert(db, correction, row)
            _sites.change(db, row, values, author)
            return number

    def corrections(self) -> list[Correction]:
        """Return the corrections that hold, newest first."""
        with self._reading() as db:
            return _corrections.active(db)

    def last_correction(self) -> Correction | None:
        """Return the newest correction that holds, if there is one."""
        with self._reading() as db:
            return next(iter(_corrections.active(db, limit=1)), None)

    def undo_correction(self, correction_id: int, *, who: str) -> None:
        """Take a correction back: its site is again where it was before, in every column of `LOCATION`.

        Raises
        ------
        StoreError
            If there is no such correction, it is undone already, or the same site was corrected again
            since: that one is to be undone first.
        """
        author = _author(who, "undo correction")
        with self._writing() as db:
            _corrections.undo(db, correction_id, author)

    # Imports

    def import_sites(
        self,
        sites: gpd.GeoDataFrame,
        claims: Sequence[Claim] = (),
        *,
        name: str,
        who: str,
        categories: Categories | None = None,
    ) -> tuple[SaveReport, int]:
        """Save sites and claims as one import that can be undone as one; return what changed and its id.

        Parameters
        ----------
        sites, who, categories
            As for `save_sites`.
        claims
            As for `save_claims`.
        name
            What the import is called in the list: its file.

        Returns
        -------
        report, import_id
            The id is 0 if nothing was new: then there is nothing to undo.

        Raises
        ------
        SchemaError, StoreError
            As `save_sites`.
        """
        given = make_sites(check_sites(sites, categories))
        refuse_unstorable(given)
        author = _author(who, "")
        self.keep_backup_before_import()
        with self._writing() as db:
            return _imports.save(db, given, claims, check_text("the name", name), author)

    def imports(self, limit: int = 50) -> list[Import]:
        """Return the imports, newest first."""
        with self._reading() as db:
            return _imports.listed(db, limit)

    def undo_import(self, import_id: int, *, who: str) -> UndoReport:
        """Take an import back: what it added goes, what it changed is as before; what was changed since stays.

        Raises
        ------
        StoreError
            If there is no such import, or it is undone already.
        """
        author = _author(who, f"undo import {import_id}")
        with self._writing() as db:
            return _imports.undo(db, import_id, author)

    # Claims and meta

    def save_claims(self, claims: list[Claim]) -> None:
        """Insert claims, or replace those of the same `claim_id` and `role`."""
        with self._writing() as db:
            _claims.upsert(db, claims)

    def claims(self) -> list[Claim]:
        """Return all claims in the order they first came."""
        with self._reading() as db:
            return _claims.read(db)

    def meta(self, key: str) -> str | None:
        """Return a value kept under a key, if there is one."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value under a key; `ValueError` for a key that is the store's own."""
        if key in RESERVED:
            raise ValueError(f"{key} is set by the store itself")
        check_text("the key", key)
        check_text(f"the value of {key}", value)
        with self._writing() as db:
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key)"
                " DO UPDATE SET value = excluded.value WHERE meta.value <> excluded.value",
                (key, value),
            )

    # Notes

    def notes(self, prefix: str) -> dict[str, str]:
        """Return the notes whose keys begin so, in the order they were first kept.

        A note is a small text beside the data, such as a scheme or a draft: no map changes with it.
        """
        with self._reading() as db:
            rows = db.execute(
                "SELECT substr(key, 6), value FROM meta WHERE substr(key, 1, ?) = ? ORDER BY id",
                (len(prefix) + 5, f"note:{prefix}"),
            ).fetchall()
        return {str(key): str(value) for key, value in rows}

    def set_note(self, key: str, value: str) -> None:
        """Keep a note under a key, instead of the one before; the data version stays."""
        check_text("the key", key)
        check_text(f"the note {key}", value)
        with self._writing(data=False) as db:
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key)"
                " DO UPDATE SET value = excluded.value",
                (f"note:{key}", value),
            )

    def drop_note(self, key: str) -> bool:
        """Forget a note, and return whether there was one."""
        with self._writing(data=False) as db:
            return bool(db.execute("DELETE FROM meta WHERE key = ?", (f"note:{key}",)).rowcount)

    # People

    def members(self) -> dict[str, Role]:
        """Return the role of each person who was given one, in the order they came."""
        with self._reading() as db:
            return _people.roles(db)

    def role_of(self, name: str) -> Role | None:
        """Return the role that one person was given, None for none: what is asked at every call."""
        with self._reading() as db:
            return _people.role_of(db, name)

    def set_member(self, name: str, role: Role, *, who: str) -> None:
        """Give a person a role instead of the one before; it holds from the next thing they do.

        Raises
        ------
        StoreError
            If the name is empty.
        """
        author = _author(who, "")
        with self._writing(data=False) as db:
            _people.give_role(db, name, role, author)

    def write_down(self, entry: AuditEntry) -> None:
        """Add a line to the audit list; the data version stays."""
        with self._writing(data=False) as db:
            _people.write_down(db, entry)

    def audit(self, limit: int = 200) -> list[AuditEntry]:
        """Return the newest lines of the audit list, newest first."""
        with self._reading() as db:
            return _people.audit(db, limit)

    # Care

    def keep_backup_before_import(self) -> None:  # noqa: B027 - a database server has its own backups
        """Keep a copy of the state before an import, if this store keeps its own backups.

        Raises
        ------
        StoreError
            If it cannot be written; the import is not begun then.
        """

    def refuse_damaged(self) -> None:  # noqa: B027 - a database server looks after its own files
        """Look at the structure of the store's file; a second for a million sites. `check` looks at everything.

        Raises
        ------
        StoreError
            If it is damaged; the text says how to bring the newest backup back.
        """

    def copy_to(self, target: SiteStore, *, progress: Progress | None = None) -> dict[str, int]:
        """Copy everything to an empty store in one transaction; return how many rows of each table.

        Sites keep their order and versions, corrections and imports can be undone there as here. Only the data
        version is the other store's own.

        Parameters
        ----------
        target
            A store that holds nothing.
        progress
            Told the table, how many of its rows are done and how many it has.

        Raises
        ------
        StoreError
            If the target holds anything, or a shape here cannot be read; then nothing was copied.
        """
        tell = progress or (lambda table, done, total: None)
        with self._snapshot() as source, target._writing() as db:
            return _copy.copy_all(source, db, tell)

    def check(self) -> list[str]:
        """Return every fault of the store in plain words; [] when all is well.

        Looks at the database's own structure, the spatial index against the shapes, the history against the
        versions, and the rows against `geo.site.check_sites` (another program may write any row).
        It reads the whole store.
        """
        try:
            with self._snapshot() as db:
                faults, sites = self._faults(db), _read_all(db)
        except StoreError as error:
            return [str(error)]
        try:
            check_sites(sites)
        except SchemaError as error:
            faults += error.faults
        return faults


def _read_all(db: Database) -> gpd.GeoDataFrame:
    return read_table(db, db.stream(f"SELECT {db.dialect.select} FROM sites AS s ORDER BY s.fid"))


def _data_version(db: Database) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = 'data_version'").fetchone()
    return str(row[0])


def _encode_changes(changes: Mapping[str, object]) -> dict[str, SqlValue]:
    for name in changes:
        if name not in COLUMNS or name in _FIXED:
            raise StoreError(f"{name} is not a column of a site that can be set")
    return {name: encode_value(name, value) for name, value in changes.items()}


def _author(who: str, source: str) -> Author:
    return Author(check_text("the name of the person", who), check_text("the source", source))


def _check_row(
    row: dict[str, SqlValue], changed: Mapping[str, SqlValue], categories: Categories | None
) -> None:
    """Refuse a row that would not be a site; the full check takes longer than the update itself."""
    if changed.keys() & {*LOCATION, *_IDENTITY}:
        check_sites(decode({name: [row[name]] for name in COLUMNS}), categories)
    elif "status" in changed:
        (categories or load_categories()).status(str(row["kind"]), str(row["status"]))
