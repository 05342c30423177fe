"""The default store: one GeoPackage file, driven as the SQLite database it is.

Written with a write-ahead log and a full sync at each commit: what a call has returned for is on the disk,
and what it has not is not there at all. Any number of threads and processes of one machine may use the file
at the same time, QGIS among them; an edit made there gets its history and version too (source `outside`).

Do not open the file through pyogrio, fiona or GDAL in a process that has the store open: their own copy of
SQLite drops this one's locks. In another process it is safe; `backup` gives a copy for anything else.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from geo.errors import StoreError
from geo.store import _file, _schema
from geo.store._connection import Connections, SqliteDialect, translated
from geo.store._database import Database
from geo.store.backups import Why, keep_backup, newest_backup_hint
from geo.store.base import Bbox, SiteStore

log = logging.getLogger(__name__)


class GeoPackageStore(SiteStore):
    """A store in one GeoPackage file.

    Parameters
    ----------
    path
        The file, on a local disk; it and its folder are made if they are not there.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or was made by a newer version of the app.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.abspath(path))
        self._name = self._path.name
        self._connections = Connections(self._path)
        with translated(self._name):
            if not self._path.exists():
                _file.make(self._path)
            found = _file.schema_version(self._path)
        if found < _schema.SCHEMA_VERSION:
            with self._connections.writing() as db:
                _schema.migrate(db)

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._path

    def _query(
        self, bbox: Bbox | None, kind: str | None, status: str | None
    ) -> tuple[str, list[float | str]]:
        return _query(bbox, kind, status)

    def _faults(self, db: Database) -> list[str]:
        return list(_file.structure_faults(db)) or list(_file.content_faults(db))

    def structure_faults(self) -> list[str]:
        """Return what SQLite finds wrong with the file's pages, in plain words, [] when all is well."""
        with self._connections.reading() as db:
            return list(_file.quick_faults(db))

    def refuse_damaged(self) -> None:
        """Look at the file's pages; see `SiteStore.refuse_damaged`.

        Raises
        ------
        StoreError
            If SQLite finds them damaged; the message names the newest backup.
        """
        faults = self.structure_faults()
        if faults:
            log.error("%s is damaged: %s", self._name, faults)
            raise StoreError(f"{self._name} is damaged; {newest_backup_hint(self._path)}")

    def keep_backup_before_import(self) -> None:
        """Copy the store into its folder of backups; see `geo.store.backups`."""
        keep_backup(self, Why.IMPORT)

    def backup(self, target: Path) -> Path:
        """Write a copy of this moment to a new file, while others go on working, and return its path.

        `geo.store.backups` keeps such copies, and brings them back.

        Raises
        ------
        StoreError
            If the target exists or cannot be written; nothing of it is left behind then.
        """
        return _file.write_copy(target, self._copy_into)

    def _copy_into(self, temporary: Path) -> None:
        with self._connections.reading() as db:
            db.execute("VACUUM INTO ?", (str(temporary),))


_ALL = f"SELECT {SqliteDialect.select} FROM sites AS s"
_OVERLAPS = "r.maxx >= ? AND r.minx <= ? AND r.maxy >= ? AND r.miny <= ?"


def _query(
    bbox: Bbox | None, kind: str | None, status: str | None
) -> tuple[str, list[float | str]]:
    """Return SQL that finds the rows in the R-tree and the small index, and only then reads them."""
    tests, values = list[str](), list[float | str]()
    found = "sites AS k INDEXED BY sites_fid"
    if bbox is not None:
        # CROSS JOIN: the R-tree first, whatever SQLite thinks of it.
        found = f"rtree_sites_geom AS r CROSS JOIN {found} ON k.fid = r.id"
        tests.append(_OVERLAPS)
        # Float32 boxes hold their shapes, but for numbers as small as 1e-40, which become 0.
        values += [bbox[0] - 1e-9, bbox[2] + 1e-9, bbox[1] - 1e-9, bbox[3] + 1e-9]
    for column, code in (("kind", kind), ("status", status)):
        if code is not None:
            tests.append(f"k.{column} = ?")
            values.append(code)
    if not tests:
        return f"{_ALL} ORDER BY s.fid", values
    ids = f"SELECT k.fid FROM {found} WHERE {' AND '.join(tests)}"
    return f"{_ALL} WHERE s.fid IN ({ids}) ORDER BY s.fid", values
