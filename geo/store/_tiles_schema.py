"""What a PostGIS store keeps beside its sites so that millions of them can be drawn and searched.

    tile_cells    how many located sites of each category lie in each square of the world, for each level from
                  `COARSEST` to `FINEST`, with the sum of their positions: the bubbles of low zooms; and at the level
                  `EVERYWHERE` how many sites of each category there are, located or not
    tile_search   what the text filter searches, folded by the app
    tile_news     sites whose search text the app has not folded yet

Triggers keep the cells right within each write, whoever writes. All of it follows from `sites` and may be thrown
away at any time; it is made when a store is first drawn by tiles.
"""

from __future__ import annotations

from geo.site import MAPPED

COARSEST, FINEST = 2, 15
"""Levels: at level n the world has 2**n squares a side."""
EVERYWHERE = -1
"""The level that counts all sites in one square."""

_MAPPED = ", ".join(repr(precision) for precision in sorted(MAPPED))


def position(shape: str) -> tuple[str, str]:
    """Return as SQL where the middle of a shape's box is, in 1/2**32 of the world, x to the east, y to the south.

    As `geo.draw.site_layer.to_world`, but rounded down: a square has what is to the right of its left edge.
    """
    lon = f"((ST_XMin({shape}) + ST_XMax({shape})) / 2)"
    lat = f"((ST_YMin({shape}) + ST_YMax({shape})) / 2)"
    sine = f"sin(radians(greatest(least({lat}, 85.0511287798066), -85.0511287798066)))"
    x, y = f"{lon} / 360 + 0.5", f"0.5 - ln((1 + {sine}) / (1 - {sine})) / (4 * pi())"
    most = 2**32 - 1
    return (
        f"greatest(least(floor(({x}) * 4294967296), {most}), 0)::bigint",
        f"greatest(least(floor(({y}) * 4294967296), {most}), 0)::bigint",
    )


def counted(rows: str) -> str:
    """Return as SQL the located ones of some rows of `sites`, with their positions."""
    px, py = position("r.geom")
    return (
        f"SELECT coalesce(r.kind, '') AS kind, coalesce(r.status, '') AS status, {px} AS px, {py} AS py"
        f" FROM {rows} AS r WHERE r.geom IS NOT NULL AND NOT ST_IsEmpty(r.geom)"
        f" AND r.precision IN ({_MAPPED})"
    )


TABLES = """
CREATE TABLE tile_cells (
  level smallint, x bigint, y bigint, kind text, status text,
  n bigint NOT NULL, sx numeric NOT NULL, sy numeric NOT NULL,
  PRIMARY KEY (level, x, y, kind, status));
CREATE TABLE tile_search (fid bigint PRIMARY KEY, search text NOT NULL);
CREATE TABLE tile_news (fid bigint NOT NULL);
CREATE INDEX sites_tiles_street ON sites (street);
CREATE INDEX sites_tiles_source ON sites (source_file);
CREATE INDEX sites_tiles_as_of ON sites (as_of);
CREATE INDEX sites_tiles_invented ON sites (fid) WHERE fictitious;
"""
DROP = """
DROP TRIGGER IF EXISTS sites_tiles_insert ON sites;
DROP TRIGGER IF EXISTS sites_tiles_update ON sites;
DROP TRIGGER IF EXISTS sites_tiles_delete ON sites;
DROP TRIGGER IF EXISTS sites_tiles_truncate ON sites;
DROP FUNCTION IF EXISTS sites_tiles_insert(), sites_tiles_update(), sites_tiles_delete(),
  sites_tiles_truncate();
DROP TABLE IF EXISTS tile_cells, tile_search, tile_news;
DROP INDEX IF EXISTS sites_tiles_street, sites_tiles_source, sites_tiles_as_of, sites_tiles_invented;
"""
# Each level is made of the next finer one: a square's four quarters.
FILL = (
    f"""
INSERT INTO tile_cells SELECT {FINEST}, px >> {32 - FINEST}, py >> {32 - FINEST}, kind, status, count(*),
  sum(px), sum(py) FROM ({counted("sites")}) AS s GROUP BY 2, 3, 4, 5;
"""
    + "".join(
        f"""
INSERT INTO tile_cells SELECT {level}, x >> 1, y >> 1, kind, status, sum(n), sum(sx), sum(sy)
  FROM tile_cells WHERE level = {level + 1} GROUP BY 2, 3, 4, 5;
"""
        for level in reversed(range(COARSEST, FINEST))
    )
    + f"""
INSERT INTO tile_cells SELECT {EVERYWHERE}, 0, 0, coalesce(kind, ''), coalesce(status, ''), count(*), 0, 0
  FROM sites GROUP BY 4, 5;
ANALYZE tile_cells;
"""
)


def triggers(path: str) -> str:
    """Return the statements that make the triggers; `path` is the schemas of the store and of PostGIS, quoted."""
    news = "INSERT INTO tile_news SELECT fid FROM new_rows;"
    gone = "DELETE FROM tile_search AS f USING old_rows AS o WHERE f.fid = o.fid;"
    plus, minus = (1, "new_rows"), (-1, "old_rows")
    parts = [
        _trigger("insert", "REFERENCING NEW TABLE AS new_rows", path, news + _add(plus)),
        _trigger(
            "update",
            "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
            path,
            news + _add(plus, minus),
        ),
        _trigger("delete", "REFERENCING OLD TABLE AS old_rows", path, gone + _add(minus)),
        _trigger(
            "truncate",
            "",
            path,
            "DELETE FROM tile_cells; DELETE FROM tile_search; DELETE FROM tile_news;",
        ),
    ]
    return "".join(parts)


def _add(*signed: tuple[int, str]) -> str:
    """Return the statement that adds some rows to the squares, or takes them away."""
    located = " UNION ALL ".join(
        f"SELECT {sign} AS sign, a.* FROM ({counted(rows)}) AS a" for sign, rows in signed
    )
    every = " UNION ALL ".join(
        f"SELECT {sign} AS sign, coalesce(kind, '') AS kind, coalesce(status, '') AS status FROM {rows}"
        for sign, rows in signed
    )
    # Cells in one order, whoever writes: two writers do not wait for each other crosswise.
    return f"""
INSERT INTO tile_cells AS c
  SELECT level, px >> (32 - level), py >> (32 - level), kind, status, sum(sign), sum(sign * px), sum(sign * py)
  FROM ({located}) AS d, generate_series({COARSEST}, {FINEST}) AS level
  GROUP BY 1, 2, 3, 4, 5 HAVING sum(sign) <> 0 OR sum(sign * px) <> 0 OR sum(sign * py) <> 0
  UNION ALL SELECT {EVERYWHERE}, 0, 0, kind, status, sum(sign), 0, 0 FROM ({every}) AS e
  GROUP BY 4, 5 HAVING sum(sign) <> 0
  ORDER BY 1, 2, 3, 4, 5
  ON CONFLICT (level, x, y, kind, status)
  DO UPDATE SET n = c.n + excluded.n, sx = c.sx + excluded.sx, sy = c.sy + excluded.sy;
"""


def _trigger(event: str, rows: str, path: str, body: str) -> str:
    return f"""
CREATE FUNCTION sites_tiles_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = {path}, pg_temp AS $body$ BEGIN {body} RETURN NULL; END $body$;
CREATE TRIGGER sites_tiles_{event} AFTER {event.upper()} ON sites {rows}
  FOR EACH STATEMENT EXECUTE FUNCTION sites_tiles_{event}();
"""
