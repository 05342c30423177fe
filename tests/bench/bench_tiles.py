"""Measure a map of millions by tiles: how long a tile takes at each zoom, the first map, an edit, and memory.

    python tests/bench/bench_tiles.py [--sites 5000000] [--tiles 40] [--readme]

A private PostgreSQL with PostGIS in a temporary folder; sites invented in SQL, in 400 towns of a province of 6 by 4
degrees. Tiles are those around random sites. `new` is a tile nobody has asked for, `kept` the same one again, `text`
one under a text filter, which has to be counted from the sites. Each is asked as the server's route does, gzip
included, the network not.
"""

import argparse
import math
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg
from _harness import SEED, about, markdown_table, show, write_between_marks

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from postgres_server import PrivateServer

from geo.category import load_categories
from geo.store import open_store
from geo.store.tiles import SiteTiles
from geo.ui.library import LargeSnapshot
from geo.view import SiteFilter

ZOOMS = range(8, 18)
ALL, SOME = SiteFilter(), SiteFilter(text="示范777")
FILL = """
INSERT INTO sites (site_id, kind, name, status, as_of, place, street, source_file, source_where, precision,
    uncertainty_m, match_method, match_score, geom)
SELECT 'bench-' || n, k.kind, '示范' || n || '号', k.status, date '2020-02-01' + (n %% 29)::int,
  '第' || n %% 997 || '社区建设大街' || n %% 1999 || '号', '第' || n %% 90 || '街道',
  'bench.csv', 'row ' || n, 'poi', 30,
  'given', 100,
  ST_SetSRID(ST_MakePoint(
    119 + 6 * (hashint4(n %% 400) & 1048575) / 1048576.0 + 0.02 * random_normal(n),
    39 + 4 * (hashint4(n %% 400 + 1000) & 1048575) / 1048576.0 + 0.02 * random_normal(n + 7)), 4326)
FROM generate_series({first}, {last}) AS n
JOIN unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k (kind, status, place) ON k.place = n %% {kinds} + 1
"""
# Twelve uniform numbers make a normal one; by the row's number, so that every run has the same sites.
NORMAL = """
CREATE FUNCTION random_normal(seed int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
  SELECT sum((hashint8(seed::bigint * 12 + i) & 1048575) / 1048576.0) - 6 FROM generate_series(0, 11) AS i $$
"""


def fill(url: str, count: int) -> None:
    """Put invented sites into the store, as one of its own writes without a history."""
    statuses = load_categories().statuses
    with psycopg.connect(url) as db:
        db.execute("SELECT set_config('baita.ours', '1', false)")
        db.execute(NORMAL)
        for first in range(1, count + 1, 250_000):
            query = FILL.format(first=first, last=min(first + 249_999, count), kinds=len(statuses))
            db.execute(query.encode(), ([s.kind for s in statuses], [s.code for s in statuses]))
            db.commit()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("VACUUM ANALYZE sites")


def timed(run: Any) -> tuple[float, Any]:
    """Return the milliseconds something took, and what it gave."""
    began = time.perf_counter()
    given = run()
    return (time.perf_counter() - began) * 1000, given


def quantiles(times: list[float]) -> tuple[float, float]:
    """Return p50 and p95."""
    ordered = sorted(times)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def measure_tiles(
    snapshot: LargeSnapshot, points: list[tuple[float, float]], tiles: int
) -> list[list[str]]:
    """Return a row for each zoom."""
    rows = []
    for zoom in ZOOMS:
        new, kept, text, size = [], [], [], []
        for column, row in dict.fromkeys(tile_of(*point, zoom) for point in points[:tiles]):
            took, data = timed(lambda z=zoom, x=column, y=row: snapshot.tile(z, x, y, ALL))
            new.append(took)
            size.append(len(data) / 1000)
            kept.append(timed(lambda z=zoom, x=column, y=row: snapshot.tile(z, x, y, ALL))[0])
        for column, row in dict.fromkeys(
            tile_of(*point, zoom) for point in points[: max(3, tiles // 8)]
        ):
            text.append(timed(lambda z=zoom, x=column, y=row: snapshot.tile(z, x, y, SOME))[0])
        cells = [zoom, *quantiles(new), *quantiles(kept), *quantiles(text), max(size)]
        rows.append([str(cells[0]), *(show(value, 1) for value in cells[1:])])
        print(rows[-1], file=sys.stderr)
    return rows


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """Return column and row of the tile a place is in."""
    sine = math.sin(math.radians(lat))
    y = 0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)
    return int((lon / 360 + 0.5) * 2**zoom), int(y * 2**zoom)


def run(count: int, tiles: int) -> str:
    """Measure it all; return the report as Markdown."""
    lines = [f"{about()}. {count:,} sites."]
    with PrivateServer() as server, open_store(server.url) as store:
        took, _ = timed(lambda: fill(server.url, count))
        print(f"filled in {took / 1000:.0f} s", file=sys.stderr)
        categories = load_categories()
        site_tiles = SiteTiles(store, categories)
        prepare_s = timed(site_tiles.prepare)[0] / 1000
        print(f"prepared in {prepare_s:.0f} s", file=sys.stderr)
        with psycopg.connect(server.url, autocommit=True) as db:
            db.execute("VACUUM ANALYZE")
            sizes = db.execute(
                "SELECT pg_database_size(current_database()), pg_total_relation_size('sites'),"
                " pg_total_relation_size('tile_cells'), pg_total_relation_size('tile_search')"
            ).fetchone()
            picked = random.Random(SEED).sample(range(1, count + 1), tiles)
            points = db.execute(
                "SELECT ST_X(geom), ST_Y(geom) FROM sites WHERE fid = ANY (%s)", (picked,)
            ).fetchall()
        assert sizes
        process = psutil.Process()
        before = process.memory_info().rss / 1e6

        def opened() -> LargeSnapshot:
            return LargeSnapshot(
                "bulletin", store.data_version(), (), categories, site_tiles, store.data_version
            )

        def first_map() -> LargeSnapshot:
            found = opened()
            _ = found.counts(ALL), found.provenance(ALL)
            west, south, east, north = found.bounds(ALL) or (0, 0, 0, 0)
            left, top = tile_of(west, north, 8)
            right, bottom = tile_of(east, south, 8)
            for x in range(left, right + 1):
                for y in range(top, bottom + 1):
                    found.tile(8, x, y, ALL)
            return found

        first, snapshot = timed(first_map)
        counted = sum(located for _, located in snapshot.counts(ALL))
        rows = measure_tiles(opened(), points, tiles)
        edits = []
        for n in range(10):
            edits.append(
                timed(
                    lambda n=n: store.update_site(
                        f"bench-{n + 1}", {"note": "x"}, version=1, who="b"
                    )
                )[0]
            )
        newest = opened()
        after, _ = timed(lambda: (newest.counts(ALL), newest.provenance(ALL)))
        page, _ = timed(lambda: site_tiles.page(newest.version, ALL, limit=200))
        deep, _ = timed(lambda: site_tiles.page(newest.version, ALL, offset=1_000_000, limit=200))
        text_counts, _ = timed(lambda: newest.counts(SOME))
        memory = process.memory_info().rss / 1e6
    heads = "zoom|new p50|new p95|kept p50|kept p95|text p50|text p95|largest, kB".split("|")
    lines += ["", "Milliseconds for a tile.", "", markdown_table(heads, rows), ""]
    lines += [
        f"- Made ready once in {prepare_s:,.0f} s. Database {sizes[0] / 1e9:.2f} GB: sites {sizes[1] / 1e9:.2f}, "
        f"squares {sizes[2] / 1e9:.2f}, search texts {sizes[3] / 1e9:.2f}. Located: {counted:,}.",
        f"- First map (counts, dates, sources, bounds and all tiles of the province at zoom 8): {first:,.0f} ms.",
        f"- An edit: p50 {quantiles(edits)[0]:.1f} ms, p95 {quantiles(edits)[1]:.1f} ms; what a page then asks "
        f"for: {after:,.0f} ms. Counts under a text filter: {text_counts:,.0f} ms.",
        f"- 200 rows of the table: {page:,.0f} ms; those after the first million: {deep:,.0f} ms.",
        f"- Memory of the app's process: {before:,.0f} MB before, {memory:,.0f} MB after all of it.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=5_000_000)
    parser.add_argument("--tiles", type=int, default=40)
    parser.add_argument("--readme", action="store_true")
    chosen = parser.parse_args()
    text = run(chosen.sites, chosen.tiles)
    print(text)
    if chosen.readme:
        write_between_marks("bench_tiles", text)


if __name__ == "__main__":
    main()
