"""The file as a whole: made, recognised, published under its name, checked.

A file appears under its name complete or not at all, and never over another one. Nothing here opens the
store's own file except through SQLite: closing any other handle on it would drop SQLite's locks.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from geo.errors import StoreError
from geo.store import _schema
from geo.store._blob import from_blobs
from geo.store._connection import connect, translated
from geo.store._database import Database
from geo.store._rows import some


def make(path: Path) -> None:
    """Make an empty store, unless another process is faster."""
    make_folder(path)
    temporary = temporary_beside(path)
    try:
        with closing(connect(temporary, "rwc")) as db:
            _schema.create(db)
            db.execute("PRAGMA journal_mode = WAL").fetchone()
        publish(temporary, path)
    finally:
        remove(temporary)


def schema_version(path: Path) -> int:
    """Return the schema version of a file, which is opened for reading only.

    Raises
    ------
    StoreError
        If it is not a store this app can use.
    """
    if not path.is_file():
        raise StoreError(f"{path.name} is not a file: choose another name for the store")
    if path.stat().st_size == 0:  # SQLite would take it for a new database
        raise StoreError(f"{path.name} is empty: restore a backup, or remove it to start anew")
    with closing(connect(path, "ro")) as db:
        return _schema.identify(db, path.name)


def verify(path: Path) -> None:
    """Raise `StoreError` if a copy is not whole."""
    with closing(connect(path, "ro")) as db:
        if list(structure_faults(db)):
            raise StoreError(f"{path.name} did not come out whole: is the disk failing?")


def publish(temporary: Path, target: Path) -> bool:
    """Give a finished file its name, on the disk too; return False if the name is taken."""
    _sync(temporary)
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without links (exFAT)
        if target.exists():
            return False
        os.rename(temporary, target)
    if os.name == "posix":
        _sync(target.parent)
    return True


def write_copy(target: Path, write: Callable[[Path], None]) -> Path:
    """Return a new file that appears complete or not at all; `write` makes it under a name for the time being.

    Raises
    ------
    StoreError
        If the target exists or cannot be written; nothing of it is left behind then.
    """
    target = Path(os.path.abspath(target))
    if not target.name:
        raise StoreError("a copy needs a file name: give one")
    temporary = temporary_beside(target)
    with translated(target.name):
        make_folder(target)
        _refuse_existing(target, target.exists())
    try:
        write(temporary)
        with translated(target.name):
            verify(temporary)
            _refuse_existing(target, not publish(temporary, target))
    finally:
        remove(temporary)
    return target


def _refuse_existing(target: Path, exists: bool) -> None:
    if exists:
        raise StoreError(f"{target.name} is there already: choose another name")


def make_folder(path: Path) -> None:
    """Make the folder a file is to be in.

    Raises
    ------
    StoreError
        If it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path.name}: its folder cannot be made ({error.strerror}); "
            "set BAITA_STORE to a place where you may write"
        ) from error


def temporary_beside(path: Path) -> Path:
    """Return an unused hidden name in the same folder."""
    return path.with_name(f".{uuid.uuid4().hex[:12]}.new")


def remove(temporary: Path) -> None:
    """Remove a file that was not finished, and what SQLite put beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def structure_faults(db: Database) -> Iterator[str]:
    """Yield what SQLite finds wrong with its own pages and indexes."""
    for (line,) in db.execute("PRAGMA integrity_check(10)"):
        if line != "ok":
            yield f"the file is damaged: {line}"


def quick_faults(db: Database) -> Iterator[str]:
    """Yield what SQLite finds wrong with its own pages, without comparing tables with their indexes."""
    for (line,) in db.execute("PRAGMA quick_check(3)"):
        if line != "ok":
            yield f"the file is damaged: {line}"


def content_faults(db: Database) -> Iterator[str]:
    """Yield where the R-tree, the shapes and the history do not fit the table."""
    (line,) = db.execute("SELECT rtreecheck('rtree_sites_geom')").fetchone()
    if line != "ok":
        yield f"the spatial index is damaged: {line}"
    for query, what in _CONTENT.items():
        ids = [row[0] for row in db.execute(query)]
        if ids:
            yield f"{len(ids)} {what} ({some(ids)})"
    rows = db.execute("SELECT site_id, geom FROM sites WHERE geom IS NOT NULL").fetchall()
    broken = from_blobs([row[1] for row in rows])[1].nonzero()[0].tolist()
    if broken:
        yield f"{len(broken)} with a shape that cannot be read ({some(rows[i][0] for i in broken)})"


# The R-tree rounds to float32: at 180 degrees by less than 0.0001.
_CONTENT = {
    """SELECT s.site_id FROM sites AS s LEFT JOIN rtree_sites_geom AS r ON r.id = s.fid
       WHERE NOT ST_IsEmpty(s.geom) AND (r.id IS NULL
         OR r.minx - ST_MinX(s.geom) NOT BETWEEN -1e-4 AND 1e-9
         OR r.maxx - ST_MaxX(s.geom) NOT BETWEEN -1e-9 AND 1e-4
         OR r.miny - ST_MinY(s.geom) NOT BETWEEN -1e-4 AND 1e-9
         OR r.maxy - ST_MaxY(s.geom) NOT BETWEEN -1e-9 AND 1e-4)
    """: "missing from the spatial index, or at another place there",
    """SELECT r.id FROM rtree_sites_geom AS r LEFT JOIN sites AS s ON s.fid = r.id
       WHERE s.geom IS NULL OR ST_IsEmpty(s.geom)
    """: "in the spatial index only",
    """SELECT s.site_id FROM sites AS s LEFT JOIN
         (SELECT site_id, max(version) AS last FROM history GROUP BY site_id) AS h
         ON h.site_id = s.site_id
       WHERE h.last IS NOT s.version
    """: "whose history does not end at their version",
}
