"""Copies of a GeoPackage store: kept before each import and each day, and thinned out; `restore` brings one back.

They lie in `backups/` beside the store and are called `baita-20200311-093000-import.gpkg`: the store, the moment
(UTC) and why. Each is a whole store by itself.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from geo.errors import StoreError
from geo.store._connection import connect

if TYPE_CHECKING:
    from geo.store.geopackage import GeoPackageStore

FOLDER = "backups"
STAMP = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"(?P<store>.+)-(?P<at>\d{8}-\d{6})-(?P<why>[a-z]+)(?:-\d+)?\.gpkg")


class Why(StrEnum):
    """What a backup was made for."""

    IMPORT = "import"
    DAILY = "daily"
    HAND = "hand"
    RESTORE = "restore"


KEPT = {Why.IMPORT: 20, Why.DAILY: 14, Why.RESTORE: 5}
"""How many of each are kept; those made by hand stay until somebody removes them."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy: where it is, of which moment (UTC), and why it was made."""

    path: Path
    at: datetime
    why: Why


def backup_folder(store: Path) -> Path:
    """Return the folder that the copies of a store's file are kept in."""
    return store.parent / FOLDER


def store_of(backup: Path) -> Path | None:
    """Return the store that a copy in a folder of backups was made of, by its name; None if that does not say."""
    match = _NAME.fullmatch(backup.name)
    if match is None or match["why"] not in list(Why) or backup.parent.name != FOLDER:
        return None
    return backup.parent.parent / f"{match['store']}.gpkg"


def list_backups(store: Path) -> list[Backup]:
    """Return the copies of a store's file, newest first; other files in the folder are left alone."""
    found = []
    for path in backup_folder(store).glob("*.gpkg"):
        match = _NAME.fullmatch(path.name)
        if match and match["store"] == store.stem and match["why"] in list(Why):
            with suppress(ValueError):  # somebody's own name that only looks like a moment
                at = datetime.strptime(match["at"], STAMP).replace(tzinfo=UTC)
                found.append(Backup(path, at, Why(match["why"])))
    return sorted(found, key=lambda one: (one.at, one.path.name), reverse=True)


def keep_backup(
    store: GeoPackageStore, why: Why = Why.HAND, *, now: datetime | None = None
) -> Backup | None:
    """Copy a store into its folder and thin out the older copies of the same sort.

    Parameters
    ----------
    store
        An open store; others may go on working in it.
    why
        A copy for an import or a day is only made if the data has changed since the newest copy.
    now
        For the name; the clock's time by default.

    Returns
    -------
    backup
        None if there was nothing to copy: an empty store, or one that is as in the newest copy.

    Raises
    ------
    StoreError
        If it cannot be written: the disk is full, say. Nothing is left behind and no older copy is removed.
    """
    at = (now or datetime.now(UTC)).astimezone(UTC)
    kept = list_backups(store.path)
    if why in (Why.IMPORT, Why.DAILY) and (store.count_sites() == 0 or _is_in(store, kept)):
        return None
    path = _unused(store.path, at, why)
    try:
        store.backup(path)
    except StoreError as error:
        raise StoreError(f"no backup could be made, so nothing was changed: {error}") from error
    made = Backup(path, at, why)
    _thin_out(kept, why)
    return made


def keep_daily(store: GeoPackageStore, *, now: datetime | None = None) -> Backup | None:
    """Copy a store if its newest copy of whatever sort is a day old or more; see `keep_backup`."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    # A copy from the future was made while the clock was wrong: it says nothing.
    newest = next((one for one in list_backups(store.path) if one.at <= moment), None)
    if newest and (moment - newest.at).total_seconds() < 86400:
        return None
    return keep_backup(store, Why.DAILY, now=now)


def newest_backup_hint(store: Path) -> str:
    """Return how the newest copy is brought back, or that there is none, as the end of a message."""
    newest = next(iter(list_backups(store)), None)
    if newest is None:
        return "there is no backup: keep the file and ask for help"
    return f"stop the app, then run `python3 -m geo restore {newest.path.name}`"


def _is_in(store: GeoPackageStore, kept: Sequence[Backup]) -> bool:
    """Return whether the newest copy is of the store's own data version."""
    if not kept:
        return False
    with suppress(sqlite3.Error), closing(connect(kept[0].path, "ro")) as db:
        row = db.execute("SELECT value FROM meta WHERE key = 'data_version'").fetchone()
        return row is not None and str(row[0]) == store.data_version()
    return False


def _unused(store: Path, at: datetime, why: Why) -> Path:
    stem = f"{store.stem}-{at.strftime(STAMP)}-{why}"
    path, number = backup_folder(store) / f"{stem}.gpkg", 1
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}-{number}.gpkg")
    return path


def _thin_out(before: Sequence[Backup], why: Why) -> None:
    """Remove the oldest of a sort; the copy just made is not among them, whatever the clock said of it."""
    same = [one for one in before if one.why == why]
    for old in same[KEPT[why] - 1 if why in KEPT else len(same) :]:
        with suppress(OSError):
            old.path.unlink()
