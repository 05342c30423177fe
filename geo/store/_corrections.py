"""A person's corrections: kept, applied to their site, and taken back one by one.

What a correction replaced is kept as JSON with the shape as hexadecimal GeoPackage binary. (WKT would be
easier to read, but GEOS 3.14 prints no more than 16 decimals: a number below 1 may come back changed.)
"""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import shapely

from geo.errors import StoreError
from geo.site import LOCATION, Correction
from geo.store._database import Database, SqlValue
from geo.store._rows import check_text, encode_value, refuse_infinite
from geo.store._sites import Author, Row, change, find, from_plain, to_plain

_COLUMNS = "site_id kind name wkb precision uncertainty_m who at x y datum".split()
_ACTIVE = f"SELECT {', '.join(_COLUMNS)}, id FROM corrections WHERE undone_at IS NULL"


def insert(db: Database, correction: Correction, before: Row) -> int:
    """Keep a correction with what it replaces; return its id."""
    refuse_infinite(np.array([correction.geometry], dtype=object), [correction.site_id])
    texts = (correction.site_id, correction.kind, correction.name, correction.who, correction.datum)
    for text in texts:
        check_text("the correction", text)
    values: tuple[SqlValue, ...] = (
        *(correction.site_id, correction.kind, correction.name),
        *(shapely.to_wkb(correction.geometry, flavor="iso"), str(correction.precision)),
        *(correction.uncertainty_m, correction.who, correction.at.isoformat()),
        *(encode_value("raw_x", correction.x), encode_value("raw_y", correction.y)),
        *(correction.datum, _to_json(before)),
    )
    marks = ", ".join("?" * len(values))
    return db.insert(
        f"INSERT INTO corrections ({', '.join(_COLUMNS)}, before) VALUES ({marks})", values
    )


def active(db: Database, limit: int = 2**62) -> list[Correction]:
    """Return the corrections that hold, newest first; at most `limit`."""
    rows = db.execute(f"{_ACTIVE} ORDER BY id DESC LIMIT ?", (limit,))
    return [
        Correction(
            *(site_id, kind, name, shapely.from_wkb(wkb), precision, uncertainty_m, who),
            at=datetime.fromisoformat(at),
            x=x,
            y=y,
            datum=datum,
            correction_id=number,
        )
        for site_id, kind, name, wkb, precision, uncertainty_m, who, at, x, y, datum, number in rows
    ]


def undo(db: Database, correction_id: int, author: Author) -> None:
    """Take one correction back; see `SiteStore.undo_correction`."""
    found = db.execute(
        "SELECT site_id, before, undone_at FROM corrections WHERE id = ?", (correction_id,)
    ).fetchone()
    if found is None:
        raise StoreError(f"there is no correction {correction_id}")
    site_id, before, undone_at = found
    if undone_at is not None:
        raise StoreError(f"correction {correction_id} is undone already")
    _refuse_if_newer(db, correction_id, site_id)
    db.execute(
        "UPDATE corrections SET undone_by = ?, undone_at = ? WHERE id = ?",
        (author.who, author.at, correction_id),
    )
    row = find(db, site_id)
    if row is not None:  # else it was deleted in another program: there is nothing to put back
        change(db, row, _from_json(before), author)


def _refuse_if_newer(db: Database, correction_id: int, site_id: str) -> None:
    newer = db.execute(
        "SELECT max(id) FROM corrections WHERE site_id = ? AND id > ? AND undone_at IS NULL",
        (site_id, correction_id),
    ).fetchone()[0]
    if newer is not None:
        raise StoreError(f"{site_id} was corrected again: undo correction {newer} first")


def _to_json(row: Row) -> str:
    return json.dumps(to_plain({name: row[name] for name in LOCATION}))


def _from_json(text: str) -> Row:
    return from_plain(json.loads(text))
