"""A whole store into an empty one: every row of every table as it is, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from geo.errors import StoreError
from geo.site import COLUMNS
from geo.store._database import HISTORY, RESERVED, SITE_COLUMNS, Database
from geo.store._rows import some

Progress = Callable[[str, int, int], None]
"""Told which table, how many of its rows are done, and how many it has."""
CHUNK = 2000
"""Rows that are held at a time."""

_CLAIMS = (
    "claim_id scope sector metric role value unit claim_kind approx as_of source_file source_where "
    "source_quote"
).split()
_CORRECTIONS = (
    "site_id kind name wkb precision uncertainty_m who at x y datum before undone_by undone_at"
).split()
_IMPORTS = "name who at added changed before undone_by undone_at".split()
# The history first: that is how a GeoPackage knows that the sites are its own.
TABLES = {
    "history": HISTORY,
    "claims": _CLAIMS,
    "corrections": _CORRECTIONS,
    "imports": _IMPORTS,
    "members": "name role set_by at".split(),
    "audit": "at who action target allowed detail".split(),
}


def copy_all(source: Database, target: Database, tell: Progress) -> dict[str, int]:
    """Copy every row and return how many of each table; the caller's transactions hold both ends."""
    refuse_filled(target)
    done = {"meta": _copy_meta(source, target)}
    for table, columns in TABLES.items():
        done[table] = _copy_table(source, target, table, columns, tell)
    with target.unwatched():
        done["sites"] = _copy_sites(source, target, tell)
    return done


def refuse_filled(target: Database) -> None:
    """Raise `StoreError` if a store holds anything."""
    marks = ", ".join("?" * len(RESERVED))
    meta = f"SELECT count(*) FROM meta WHERE key NOT IN ({marks})"
    counts = {"meta": target.execute(meta, sorted(RESERVED)).fetchone()[0]}
    for table in ("sites", *TABLES):
        counts[table] = target.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    filled = [f"{count} {table}" for table, count in counts.items() if count]
    if filled:
        raise StoreError(
            f"the store to copy to is not empty ({', '.join(filled)}): name a new one, nothing is mixed"
        )


def _copy_meta(source: Database, target: Database) -> int:
    rows = source.execute("SELECT key, value FROM meta ORDER BY id").fetchall()
    kept = [row for row in rows if row[0] not in RESERVED]
    target.insert_many("meta", ["key", "value"], kept)
    return len(kept)


def _copy_table(
    source: Database, target: Database, table: str, columns: Sequence[str], tell: Progress
) -> int:
    names = ["id", *columns]
    total = source.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    query = f"SELECT {', '.join(names)} FROM {table} ORDER BY id"
    chunks = _told(source, query, lambda done: tell(table, done, total))
    target.insert_many(table, names, (row for chunk in chunks for row in chunk))
    target.set_last_id(table, "id", source.last_id(table, "id"))
    return int(total)


def _copy_sites(source: Database, target: Database, tell: Progress) -> int:
    total = source.execute("SELECT count(*) FROM sites").fetchone()[0]
    query = f"SELECT s.fid, {source.dialect.select} FROM sites AS s ORDER BY s.fid"
    chunks = _told(source, query, lambda done: tell("sites", done, total))
    rows = (row for chunk in chunks for row in _converted(source, target, chunk))
    target.insert_many("sites", ["fid", *SITE_COLUMNS], rows)
    target.set_last_id("sites", "fid", source.last_id("sites", "fid"))
    return int(total)


def _converted(source: Database, target: Database, chunk: list[Any]) -> Iterator[Sequence[Any]]:
    fids, *cells = zip(*chunk, strict=True)
    columns: dict[str, Sequence[Any]] = dict(zip(COLUMNS, cells, strict=True))
    broken = source.dialect.shapes(columns["geometry"])[1].nonzero()[0].tolist()
    if broken:
        ids = some(columns["site_id"][i] for i in broken)
        raise StoreError(f"{ids}: a shape that cannot be read; place it anew, then copy again")
    columns["geometry"] = source.dialect.blobs(columns["geometry"])
    given = [target.dialect.to_database(name, values) for name, values in columns.items()]
    return zip(fids, *given, strict=True)


def _told(source: Database, query: str, tell: Callable[[int], None]) -> Iterator[list[Any]]:
    rows, done = source.stream(query), 0
    while chunk := rows.fetchmany(CHUNK):
        yield chunk
        done += len(chunk)
        tell(done)
