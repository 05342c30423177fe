"""A backup brought back: over a store that others have open, or in the place of one that is damaged."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from geo.access import AuditEntry
from geo.errors import StoreError
from geo.store import _file
from geo.store._connection import connect, translated
from geo.store.backups import STAMP, Backup, Why, backup_folder, keep_backup, store_of
from geo.store.geopackage import GeoPackageStore


def restore_backup(backup: Path, target: Path, *, who: str) -> Backup | None:
    """Bring a backup back into a store's file, which others may have open; return the copy of what was there.

    A store that can be opened is overwritten in one transaction: whoever has it open sees the old state or the new
    one. A file that is damaged is set aside instead; then the app is to be stopped first.

    Parameters
    ----------
    backup
        A store's file. It is checked before anything is touched, and brought to this app's format.
    target
        The store; it may be damaged or not there.
    who
        The person, for the audit list.

    Returns
    -------
    aside
        The copy of the state before; None if there was none that could be copied.

    Raises
    ------
    StoreError
        If the backup is not a whole store, or is one of another store in the same folder, or the target cannot be
        written; it is as before then.
    """
    _refuse_anothers(backup, target)
    with translated(backup.name):
        if not backup.is_file():
            raise StoreError(f"{backup.name} is not there: see `backup --list`")
        _file.schema_version(backup)
        _file.verify(backup)
    fresh = _file.temporary_beside(target)
    try:
        with translated(backup.name):
            _file.make_folder(target)
            with closing(connect(backup, "ro")) as db:
                db.execute("VACUUM INTO ?", (str(fresh),))
        with GeoPackageStore(fresh) as store:  # an older format becomes today's
            entry = AuditEntry(datetime.now(UTC), who, "restore", backup.name, True)
            store.write_down(entry)
        return _overwrite(target, fresh)
    finally:
        _file.remove(fresh)


def _refuse_anothers(backup: Path, target: Path) -> None:
    """Stores of one folder share their folder of backups: one's copy is not put over the other by mistake."""
    made_of = store_of(backup.resolve())
    here = target.resolve()
    if made_of and made_of.parent == here.parent and made_of.stem != here.stem:
        raise StoreError(
            f"{backup.name} is a backup of {made_of.name}, not of {target.name}: "
            "name the store it is of, or copy the file elsewhere first"
        )


def _overwrite(target: Path, fresh: Path) -> Backup | None:
    aside = None
    if target.exists():
        try:
            with GeoPackageStore(target) as store:
                faults = store.structure_faults()
                if not faults:
                    aside = keep_backup(store, Why.RESTORE)
        except StoreError as error:
            faults = [str(error)]
        if not faults:
            with (
                translated(target.name),
                closing(connect(fresh, "ro")) as source,
                closing(connect(target)) as db,
            ):
                source.backup(db)
            return aside
        _set_aside(target)
    with translated(target.name):
        if not _file.publish(fresh, target):
            raise StoreError(f"{target.name} came back while it was restored: stop the app first")
    return aside


def _set_aside(target: Path) -> None:
    """Move a damaged file out of the way, with what SQLite keeps beside it."""
    stamp = datetime.now(UTC).strftime(STAMP)
    with translated(target.name):
        folder = backup_folder(target)
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in ("-wal", "-shm", ""):
            path = target.with_name(target.name + suffix)
            if path.exists():
                path.replace(folder / f"{target.stem}-{stamp}-damaged.bad{suffix}")
