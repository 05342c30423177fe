"""A set of millions of sites without the table: drawn by vector tiles, counted and paged by the database.

Made by `open_tiles` on a PostGIS store. Everything is asked under one data version: whoever asks for a version that is
over is told so (`VersionGone`), and asks again.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd

from geo.category import Categories
from geo.errors import StoreError
from geo.site import EXACT
from geo.store._database import Database
from geo.store._rows import read_table
from geo.store._tiles_schema import (
    COARSEST,
    DROP,
    EVERYWHERE,
    FILL,
    FINEST,
    TABLES,
    position,
    triggers,
)
from geo.store.base import SiteStore
from geo.store.filter_sql import (
    LOCATED,
    SEARCHED,
    Where,
    besides_where,
    search_text,
    shown_where,
    text_where,
)
from geo.view import SiteFilter

EXTENT = 4096
"""Steps of a tile's side."""
CELLS = 2
"""A tile of bubbles has 2**CELLS squares a side: 64 pixels each."""
MAX_ZOOM = 19
LAST_BUBBLES = FINEST - CELLS
"""The last zoom whose bubbles are counted beforehand."""
MOST_POINTS = 1_000, 4_000
"""Up to so many sites a tile shows them one by one: below `LAST_BUBBLES` and above."""
SORTS = {
    "": "s.fid",
    "name": "s.name",
    "as_of": "s.as_of",
    "street": "s.street",
    "status": "s.kind, s.status",
    "precision": "s.precision",
}
_PREPARE_LOCK = 0x62616975
_FOLDED_AT_ONCE = 20_000

Tell = Callable[[str], None]


class VersionGone(StoreError):
    """The store has another data version by now than the one asked for."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page says of a whole set."""

    streets: tuple[str, ...]
    sources: tuple[str, ...]
    fictitious: bool
    aside: tuple[str, ...]


class SiteTiles:
    """One PostGIS store as tiles, counts and pages.

    Parameters
    ----------
    store
        A store that `makes_tiles`.
    categories
        Kinds and statuses; sites of others are counted and drawn nowhere, as in `geo.view`.
    """

    def __init__(self, store: SiteStore, categories: Categories) -> None:
        self._store, self._categories = store, categories
        self._found: OrderedDict[tuple[str, str], list[int] | None] = OrderedDict()

    # Getting ready

    def prepare(self, tell: Tell = lambda line: None) -> None:
        """Make what tiles need beside the sites, once; about a minute for a million sites, then at once.

        Writers wait meanwhile. Several processes may call it at the same time.
        """
        with self._store._writing(data=False) as db:
            db.execute("SELECT pg_advisory_xact_lock(?)", (_PREPARE_LOCK,))
            if not _is_there(db):
                tell("counting sites by squares")
                # What is written from now on is counted by the triggers: nothing may come in between.
                db.execute("LOCK TABLE sites IN SHARE ROW EXCLUSIVE MODE")
                path = db.execute("SHOW search_path").fetchall()[0][0]
                db.run_script(TABLES + triggers(path) + FILL)  # type: ignore[attr-defined]
                db.execute("INSERT INTO tile_news SELECT fid FROM sites")
        self.fold_news(tell)

    def forget(self) -> None:
        """Throw away what `prepare` made; writes are a little quicker without."""
        with self._store._writing(data=False) as db:
            db.run_script(DROP)  # type: ignore[attr-defined]

    def fold_news(self, tell: Tell = lambda line: None) -> None:
        """Fold the search texts of sites that are new or have changed."""
        done = 0
        while True:
            with self._store._writing(data=False) as db:
                found = db.execute(
                    "DELETE FROM tile_news WHERE ctid = ANY (ARRAY("
                    "SELECT ctid FROM tile_news LIMIT ? FOR UPDATE SKIP LOCKED)) RETURNING fid",
                    (_FOLDED_AT_ONCE,),
                ).fetchall()
                if not found:
                    return
                self._fold(db, sorted({fid for (fid,) in found}))
            done += len(found)
            tell(f"search texts: {done:,}")

    def _fold(self, db: Database, fids: list[int]) -> None:
        columns = ", ".join(SEARCHED)
        rows = db.execute(f"SELECT fid, {columns} FROM sites WHERE fid = ANY (?)", (fids,))
        texts = [(fid, search_text(fields)) for fid, *fields in rows]
        db.execute(
            "INSERT INTO tile_search SELECT * FROM unnest(?::bigint[], ?::text[])"
            " ON CONFLICT (fid) DO UPDATE SET search = excluded.search",
            ([fid for fid, _ in texts], [text for _, text in texts]),
        )

    # What a page says

    @contextmanager
    def _at(self, version: str, chosen: SiteFilter = SiteFilter()) -> Iterator[Database]:  # noqa: B008
        """Lend a connection that sees one data version and nothing else."""
        if chosen.text:
            self.fold_news()
        with self._store._snapshot() as db:
            found = db.execute("SELECT value FROM meta WHERE key = 'data_version'").fetchone()[0]
            if found != version:
                raise VersionGone("a newer version of the sites is out; load the page again")
            db.execute("SET LOCAL max_parallel_workers_per_gather TO 2")
            yield db

    def _besides(self, db: Database, version: str, chosen: SiteFilter) -> Where:
        """Return the condition of a filter, categories aside; its text, if few sites have it, as their numbers.

        A text is looked for in all sites, which takes a second or two for millions: so that is done once.
        """
        fids = self._fids_of(db, version, chosen.text) if chosen.text.split() else None
        if fids is None:
            return besides_where(chosen)
        return besides_where(replace(chosen, text="")).and_("s.fid = ANY (?)", fids)

    def _all(self, db: Database, version: str, chosen: SiteFilter) -> Where:
        return shown_where(self._besides(db, version, chosen), chosen, self._categories)

    def _fids_of(self, db: Database, version: str, text: str) -> list[int] | None:
        """Return the numbers of the sites that have a text; None if they are too many to be named."""
        key = (version, text)
        if key not in self._found:
            where = text_where(text)
            query = f"SELECT f.fid FROM tile_search AS f WHERE {where.sql} LIMIT {_NAMED + 1}"
            fids = [row[0] for row in db.execute(query, where.values)]
            self._found[key] = None if len(fids) > _NAMED else fids
            while len(self._found) > _KEPT_TEXTS:
                with suppress(KeyError):
                    self._found.popitem(last=False)
        return self._found[key]

    def facts(self, version: str) -> Facts:
        """Return what the page says of the whole set."""
        with self._at(version) as db:
            streets, sources = _distinct(db, "street"), _distinct(db, "source_file")
            count = "SELECT count(*) FROM sites WHERE source_file = ?"
            often = {name: db.execute(count, (name,)).fetchone()[0] for name in sources[:_COUNTED]}
            invented = db.execute("SELECT EXISTS (SELECT 1 FROM sites WHERE fictitious)").fetchone()
            return Facts(
                tuple(sorted(streets)),
                tuple(sorted(often, key=lambda name: -often[name])),
                bool(invented[0]),
                self._aside(db),
            )

    def _aside(self, db: Database) -> tuple[str, ...]:
        """Return the names of sites of which no category is known; asked only where there are any."""
        kinds = db.execute(
            "SELECT kind, status FROM tile_cells WHERE level = ? AND n > 0", (EVERYWHERE,)
        )
        odd = [pair for pair in kinds.fetchall() if ".".join(pair) not in self._categories.codes]
        names = list[str]()
        for kind, status in odd:
            rows = db.execute(
                "SELECT coalesce(name, '') FROM sites WHERE coalesce(kind, '') = ?"
                " AND coalesce(status, '') = ? LIMIT 1000",
                (kind, status),
            )
            names += [row[0] for row in rows]
        return tuple(names)

    def counts(self, version: str, chosen: SiteFilter) -> list[list[int]]:
        """Return, for each category's code, how many sites the rest of a filter keeps and how many are on the map."""
        codes = self._categories.codes
        counts = [[0, 0] for _ in codes]
        if chosen.only_categories:
            query, values = _COUNTS, (EVERYWHERE, COARSEST)
            with self._at(version) as db:
                for level, key, n in db.execute(query, values):
                    if key in codes:
                        counts[codes[key]][level != EVERYWHERE] = int(n)
            return counts
        with self._at(version, chosen) as db:
            where = self._besides(db, version, chosen)
            query = (
                f"SELECT s.kind || '.' || s.status, count(*), count(*) FILTER (WHERE {LOCATED})"
                f" FROM {where.tables} WHERE {where.sql} GROUP BY 1"
            )
            for key, total, located in db.execute(query, where.values):
                if key in codes:
                    counts[codes[key]] = [total, located]
        return counts

    def latest(self, version: str, chosen: SiteFilter) -> str:
        """Return the newest date until the filter's day, as ISO text, or ""."""
        # Written so that the index serves: whole days, as in memory.
        test, values = ("s.as_of < ?::date + 1", (chosen.until,)) if chosen.until else ("true", ())
        with self._at(version) as db:
            found = db.execute(
                f"SELECT max(s.as_of)::date::text FROM sites AS s WHERE {test}", values
            ).fetchone()
        return found[0] or ""

    def bounds(self, version: str, chosen: SiteFilter) -> tuple[float, float, float, float] | None:
        """Return west, south, east, north in degrees (EPSG:4326) of what a filter leaves on the map."""
        if chosen.only_categories:
            return self._bounds_of_cells(version, chosen)
        with self._at(version, chosen) as db:
            where = self._all(db, version, chosen).and_(LOCATED)
            query = (
                "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e)"
                f" FROM (SELECT ST_Extent(s.geom) AS e FROM {where.tables} WHERE {where.sql}) AS q"
            )
            found = db.execute(query, where.values).fetchone()
        return None if found[0] is None else (found[0], found[1], found[2], found[3])

    def _bounds_of_cells(
        self, version: str, chosen: SiteFilter
    ) -> tuple[float, float, float, float] | None:
        """Return the bounds of the finest squares with anything shown in them: up to a kilometre more."""
        shown = [key for key in self._categories.codes if key not in chosen.hidden]
        query = (
            "SELECT min(x), min(y), max(x), max(y) FROM tile_cells WHERE level = ? AND n > 0"
            " AND kind || '.' || status = ANY (?)"
        )
        with self._at(version) as db:
            left, top, right, bottom = db.execute(query, (FINEST, shown)).fetchone()
        if left is None:
            return None
        west, _, _, north = _box((FINEST, left, top))
        _, south, east, _ = _box((FINEST, right, bottom))
        return west, south, east, north

    def page(
        self,
        version: str,
        chosen: SiteFilter,
        *,
        sort: str = "",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> tuple[list[int], gpd.GeoDataFrame]:
        """Return the store's numbers and the site table of some rows that a filter keeps.

        Raises
        ------
        KeyError
            If it cannot be sorted by that.
        """
        order = SORTS[sort]
        down = " DESC" if descending else ""
        keys = ", ".join(f"{key}{down} NULLS LAST" for key in order.split(", "))
        with self._at(version, chosen) as db:
            where = self._all(db, version, chosen)
            fids = (
                f"SELECT s.fid FROM {where.tables} WHERE {where.sql} ORDER BY {keys}, s.fid"
                " LIMIT ? OFFSET ?"
            )
            found = [row[0] for row in db.execute(fids, (*where.values, limit, offset))]
            return found, self._rows(db, found)

    def rows(self, version: str, fids: list[int]) -> tuple[list[int], gpd.GeoDataFrame]:
        """Return the sites with some of the store's numbers, those that are there, in that order."""
        with self._at(version) as db:
            there = {
                row[0] for row in db.execute("SELECT fid FROM sites WHERE fid = ANY (?)", (fids,))
            }
            found = [fid for fid in fids if fid in there]
            return found, self._rows(db, found)

    def fid(self, version: str, site_id: str) -> int:
        """Return the store's number of a site; `KeyError` if there is none."""
        with self._at(version) as db:
            found = db.execute("SELECT fid FROM sites WHERE site_id = ?", (site_id,)).fetchone()
        if found is None:
            raise KeyError(site_id)
        return int(found[0])

    def _rows(self, db: Database, fids: list[int]) -> gpd.GeoDataFrame:
        query = (
            f"SELECT {db.dialect.select} FROM unnest(?::bigint[]) WITH ORDINALITY AS w (fid, place)"
            " JOIN sites AS s ON s.fid = w.fid ORDER BY w.place"
        )
        return read_table(db, db.execute(query, (fids,)))

    # Tiles

    def tile(self, version: str, zoom: int, column: int, row: int, chosen: SiteFilter) -> bytes:
        """Return a Mapbox vector tile of the located sites that the rest of a filter keeps, categories aside.

        Layer `sites` has them one by one, with the store's number as id, `code` of the category, `flag` as in
        `geo.draw.site_layer`, `radius` in metres, and whether this tile is its `home`, the one of all tiles of a
        zoom that counts it; layer `cells` has bubbles, with `n` sites of which `c<code>`
        are of a category. A tile has one of the two. The bubbles of all tiles of a zoom together count each site
        once; of a line or an area the middle of its box counts.

        Raises
        ------
        VersionGone
            If the version is over.
        ValueError
            If there is no such tile.
        """
        if not (0 <= zoom <= MAX_ZOOM and 0 <= column < 2**zoom and 0 <= row < 2**zoom):
            raise ValueError(f"no tile {zoom}/{column}/{row}")
        address = (zoom, column, row)
        counted = zoom <= LAST_BUBBLES and chosen.only_categories
        with self._at(version, chosen) as db:
            where = self._besides(db, version, chosen).and_(LOCATED)
            most = MOST_POINTS[zoom > LAST_BUBBLES]
            total = (
                self._count_cells(db, address) if counted else _count(db, address, where, most + 1)
            )
            if not total:
                return b""
            if total <= most:
                return self._points(db, address, where)
            if counted:
                return self._bubbles(db, address, *_from_cells(address))
            return self._bubbles(db, address, *_from_sites(address, where))

    def _count_cells(self, db: Database, address: tuple[int, int, int]) -> int:
        rows, values = _from_cells(address)
        return int(
            db.execute(f"SELECT coalesce(sum(n), 0) FROM ({rows}) AS q", values).fetchone()[0]
        )

    def _points(self, db: Database, address: tuple[int, int, int], where: Where) -> bytes:
        exact = ", ".join(repr(precision) for precision in sorted(EXACT))
        (zoom, column, row), (px, py) = address, position("s.geom")
        home = f"({px} >> {32 - zoom} = {column} AND {py} >> {32 - zoom} = {row})"
        query = f"""
            SELECT ST_AsMVT(q, 'sites', {EXTENT}, 'shape', 'fid') FROM (
              SELECT s.fid, k.code::int AS code,
                1 + CASE WHEN ST_GeometryType(s.geom) = 'ST_Point' AND s.precision NOT IN ({exact})
                  THEN 2 ELSE 0 END
                + CASE WHEN strpos(coalesce(s.match_method, ''), 'sketch') > 0 THEN 4 ELSE 0 END AS flag,
                least(greatest(round(coalesce(s.uncertainty_m, 0)), 0), 65535)::int AS radius, {home} AS home,
                ST_AsMVTGeom(ST_Transform(s.geom, 3857), ST_TileEnvelope(?, ?, ?), {EXTENT}, 64) AS shape
              FROM {where.tables} JOIN {_CODES} ON k.key = s.kind || '.' || s.status
              WHERE {where.sql} AND {_IN_BOX} AND NOT ST_IsEmpty(s.geom)
                AND (ST_GeometryType(s.geom) <> 'ST_Point' OR {home}) ORDER BY s.fid) AS q WHERE shape IS NOT NULL"""
        values = (*address, *self._codes(), *where.values, *_box(address))
        return bytes(db.execute(query, values).fetchone()[0])

    def _bubbles(
        self, db: Database, address: tuple[int, int, int], rows: str, values: tuple[Any, ...]
    ) -> bytes:
        zoom, column, row = address
        step = 2 ** (32 - zoom)
        query = f"""
            SELECT ST_AsMVT(q, 'cells', {EXTENT}, 'shape') FROM (
              SELECT sum(n)::int AS n, jsonb_object_agg('c' || code, n) AS counts,
                ST_MakePoint(floor((sum(sx) / sum(n) - {column * step}) * {EXTENT} / {step}),
                             floor((sum(sy) / sum(n) - {row * step}) * {EXTENT} / {step})) AS shape
              FROM (SELECT c.x, c.y, k.code, sum(c.n) AS n, sum(c.sx) AS sx, sum(c.sy) AS sy
                    FROM ({rows}) AS c JOIN {_CODES} ON k.key = c.kind || '.' || c.status
                    WHERE c.n > 0 GROUP BY 1, 2, 3) AS d
              GROUP BY d.x, d.y ORDER BY d.y, d.x) AS q"""
        return bytes(db.execute(query, (*values, *self._codes())).fetchone()[0])

    def _codes(self) -> tuple[list[str], list[int]]:
        codes = self._categories.codes
        return list(codes), list(codes.values())


_NAMED = 20_000
"""Sites with a text that are named by their numbers; a text of more is looked for each time."""
_KEPT_TEXTS = 32
_COUNTED = 20
"""Of so many source files it is counted which has the most sites."""
_COUNTS = (
    "SELECT level, kind || '.' || status, sum(n) FROM tile_cells WHERE level IN (?, ?) AND n > 0"
    " GROUP BY 1, 2"
)
_CODES = "unnest(?::text[], ?::int[]) AS k (key, code)"
_IN_BOX = "s.geom && ST_MakeEnvelope(?, ?, ?, ?, 4326)"


def _distinct(db: Database, column: str) -> list[str]:
    """Return what stands in a column, by hopping along its index; up to 2,000 texts, "" is not one."""
    query = f"""
        WITH RECURSIVE hop AS (
          (SELECT {column} FROM sites WHERE {column} > '' ORDER BY 1 LIMIT 1)
          UNION ALL
          SELECT (SELECT s.{column} FROM sites AS s WHERE s.{column} > h.{column} ORDER BY 1 LIMIT 1)
          FROM hop AS h WHERE h.{column} IS NOT NULL)
        SELECT {column} FROM hop WHERE {column} IS NOT NULL LIMIT 2000"""
    return [row[0] for row in db.execute(query)]


def _is_there(db: Database) -> bool:
    found = db.execute("SELECT to_regclass('tile_cells') IS NOT NULL").fetchone()
    return bool(found[0])


def _from_cells(address: tuple[int, int, int]) -> tuple[str, tuple[Any, ...]]:
    """Return the counted squares of a tile."""
    zoom, column, row = address
    level = zoom + CELLS
    assert COARSEST <= level <= FINEST
    side = 2**CELLS
    query = (
        "SELECT x, y, kind, status, n, sx, sy FROM tile_cells"
        " WHERE level = ? AND x BETWEEN ? AND ? AND y BETWEEN ? AND ?"
    )
    return query, (
        level,
        column * side,
        column * side + side - 1,
        row * side,
        row * side + side - 1,
    )


def _from_sites(address: tuple[int, int, int], where: Where) -> tuple[str, tuple[Any, ...]]:
    """Return the squares of a tile counted now, from the sites themselves."""
    zoom, column, row = address
    down, px, py = 32 - zoom - CELLS, *position("s.geom")
    inner = (
        f"SELECT s.kind, s.status, {px} AS px, {py} AS py FROM {where.tables}"
        f" WHERE {where.sql} AND {_IN_BOX} AND NOT ST_IsEmpty(s.geom)"
    )
    query = (
        f"SELECT px >> {down} AS x, py >> {down} AS y, kind, status, count(*) AS n, sum(px) AS sx,"
        f" sum(py) AS sy FROM ({inner}) AS i"
        f" WHERE px >> {32 - zoom} = {column} AND py >> {32 - zoom} = {row} GROUP BY 1, 2, 3, 4"
    )
    return query, (*where.values, *_box(address))


def _count(db: Database, address: tuple[int, int, int], where: Where, most: int) -> int:
    """Return how many sites of a filter touch a tile, counted no further than `most`."""
    query = (
        f"SELECT count(*) FROM (SELECT 1 FROM {where.tables} WHERE {where.sql} AND {_IN_BOX}"
        f" LIMIT {most}) AS q"
    )
    return int(db.execute(query, (*where.values, *_box(address))).fetchone()[0])


def _box(address: tuple[int, int, int]) -> tuple[float, float, float, float]:
    """Return a tile's west, south, east, north in degrees, EPSG:4326, a hair wider than it is."""
    zoom, column, row = address
    hair = 1e-9

    def lat(share: float) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * share))))

    count = 2**zoom
    return (
        column / count * 360 - 180 - hair,
        lat((row + 1) / count) - hair,
        (column + 1) / count * 360 - 180 + hair,
        lat(row / count) + hair,
    )
