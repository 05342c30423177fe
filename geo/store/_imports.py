"""What was brought in together: saved as one, listed, and taken back as one.

For each import the rows it replaced are kept as they were, so that undoing it needs no other file. A site that
somebody has changed since stays as it is: an undo never takes another person's work along.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import geopandas as gpd

from geo.errors import StoreError
from geo.site import COLUMNS, Claim
from geo.store import _claims, _sites
from geo.store._database import Database
from geo.store._sites import Author, Row, SaveReport

_LISTED = "id, name, who, at, added, changed, undone_by, undone_at"
_DATA = tuple(name for name in COLUMNS if name not in ("site_id", "version"))


@dataclass(frozen=True, slots=True)
class Import:
    """One import: what it was called, by whom and when (UTC), and what it did. `undone_at` is None while it holds."""

    import_id: int
    name: str
    who: str
    at: datetime
    added: int
    changed: int
    undone_by: str = ""
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What undoing an import did: sites removed, put back as they were, and `kept` because changed since (ids)."""

    removed: int
    restored: int
    kept: tuple[str, ...] = ()


def save(
    db: Database,
    sites: gpd.GeoDataFrame,
    claims: Sequence[Claim],
    name: str,
    author: Author,
) -> tuple[SaveReport, int]:
    """Save sites and claims together; return what changed and the import's id, 0 if nothing did."""
    ids = sites["site_id"].tolist()
    before = _sites.find_many(db, ids)
    claims_before = _claims.raw_rows(db)
    report = _sites.save(db, sites, author)
    _claims.upsert(db, claims)
    touched = _touched(db, ids, before)
    new_claims = {key: claims_before.get(key) for key in _differing(db, claims_before)}
    if not touched and not new_claims:
        return report, 0
    kept = {
        "sites": touched,
        "claims": [{"key": list(key), "row": row} for key, row in new_claims.items()],
    }
    number = db.insert(
        "INSERT INTO imports (name, who, at, added, changed, before) VALUES (?, ?, ?, ?, ?, ?)",
        (name, author.who, author.at, report.added, report.changed, json.dumps(kept)),
    )
    return report, number


def _touched(db: Database, ids: list[str], before: dict[str, Row]) -> list[dict[str, object]]:
    """Return for each site that is new or has a new version: the row before it, and its version now."""
    touched: list[dict[str, object]] = []
    now = _sites.find_versions(db, ids)
    for site_id in ids:
        row, version = before.get(site_id), now[site_id]
        if row is None or version != row["version"]:
            old = None if row is None else _sites.to_plain(row)
            touched.append({"site_id": site_id, "version": version, "before": old})
    return touched


def _differing(db: Database, before: dict[tuple[str, str], list[object]]) -> list[tuple[str, str]]:
    return [key for key, row in _claims.raw_rows(db).items() if before.get(key) != row]


def listed(db: Database, limit: int) -> list[Import]:
    """Return imports, newest first."""
    rows = db.execute(f"SELECT {_LISTED} FROM imports ORDER BY id DESC LIMIT ?", (limit,))
    return [
        Import(
            *(number, name, who, datetime.fromisoformat(at), added, changed, undone_by or ""),
            undone_at=datetime.fromisoformat(undone_at) if undone_at else None,
        )
        for number, name, who, at, added, changed, undone_by, undone_at in rows
    ]


def undo(db: Database, import_id: int, author: Author) -> UndoReport:
    """Take one import back; see `SiteStore.undo_import`."""
    found = db.execute(
        "SELECT before, undone_at FROM imports WHERE id = ?", (import_id,)
    ).fetchone()
    if found is None:
        raise StoreError(f"there is no import {import_id}")
    if found[1] is not None:
        raise StoreError(f"import {import_id} is undone already")
    db.execute(
        "UPDATE imports SET undone_by = ?, undone_at = ? WHERE id = ?",
        (author.who, author.at, import_id),
    )
    kept, removed, restored = [], 0, 0
    held = json.loads(found[0])
    rows = _sites.find_many(db, [one["site_id"] for one in held["sites"]])
    for one in held["sites"]:
        row = rows.get(one["site_id"])
        if row is None or row["version"] != one["version"]:
            kept += [one["site_id"]] if row is not None else []
        elif one["before"] is None:
            _sites.remove(db, row, author)
            removed += 1
        else:
            old = _sites.from_plain(one["before"])
            _sites.change(db, row, {name: old[name] for name in _DATA}, author)
            restored += 1
    for one in held["claims"]:
        _claims.put_back(db, tuple(one["key"]), one["row"])
    return UndoReport(removed, restored, tuple(kept))
