"""A store that draws itself by tiles says of every filter what the table in memory says."""

from datetime import date

import mvt
import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from store_samples import emptied, few_examples, site_row, sites_of, unlocated
from strategies import CATEGORIES, filters, site_tables

from geo.site import SiteUpdate, make_sites
from geo.store import open_store
from geo.store import tiles as tiles_module
from geo.store.filter_sql import besides_where
from geo.store.tiles import SiteTiles, VersionGone
from geo.view import SiteFilter, SiteIndex

ALL = SiteFilter()


def _ids(tiles, version, chosen):
    return tiles.page(version, chosen)[1]["site_id"].tolist()


@pytest.fixture(scope="module")
def lasting(postgis_url):
    """One store for all laws, with its tiles."""
    import psycopg

    joint = "&" if "?" in postgis_url else "?"
    with open_store(f"{postgis_url}{joint}schema=tile_laws") as store:
        tiles = SiteTiles(store, CATEGORIES)
        tiles.prepare()
        yield store, tiles
    with psycopg.connect(postgis_url, autocommit=True) as db:
        db.execute("DROP SCHEMA tile_laws CASCADE")


@pytest.fixture
def small(new_schema):
    with open_store(new_schema) as store:
        yield store, SiteTiles(store, CATEGORIES)


def _counts(tiles, version, zoom, chosen=ALL):
    """Return the sites of all tiles of a zoom by code, and how many tiles have bubbles."""
    by_code, seen, bubbles = {}, set(), 0
    box = tiles.bounds(version, ALL)
    if box is None:
        return {}, 0
    low = _tile_of(box[0], box[3], zoom)
    high = _tile_of(box[2], box[1], zoom)
    for column in range(low[0], high[0] + 1):
        for row in range(low[1], high[1] + 1):
            found = mvt.layers(tiles.tile(version, zoom, column, row, chosen))
            bubbles += "cells" in found
            for one in found.get("cells", []):
                assert one["properties"]["n"] == sum(
                    n for key, n in one["properties"].items() if key[0] == "c"
                )
                for key, n in one["properties"].items():
                    if key != "n":
                        by_code[int(key[1:])] = by_code.get(int(key[1:]), 0) + n
            for one in found.get("sites", []):
                if one["properties"]["home"]:
                    assert one["id"] not in seen
                    seen.add(one["id"])
                    code = one["properties"]["code"]
                    by_code[code] = by_code.get(code, 0) + 1
    return by_code, bubbles


def _tile_of(lon, lat, zoom):
    y = 0.5 - np.log((1 + np.sin(np.radians(lat))) / (1 - np.sin(np.radians(lat)))) / (4 * np.pi)
    return int((lon / 360 + 0.5) * 2**zoom), int(y * 2**zoom)


@few_examples
@given(sites=site_tables(min_size=1), chosen=filters)
@example(
    sites=make_sites([site_row(1, name="ａ b"), site_row(2, place="乙", name="甲")]),
    chosen=SiteFilter(text="甲乙"),
)
@example(sites=make_sites([site_row(1, name="100%")]), chosen=SiteFilter(text="%"))
@example(sites=make_sites([site_row(1)]), chosen=SiteFilter(text="\0"))
@example(sites=make_sites([site_row(1)]), chosen=SiteFilter(text="\u200b"))
@example(sites=make_sites([site_row(1)]), chosen=SiteFilter(streets=("\0",)))
@example(sites=make_sites([site_row(1, name="Straße")]), chosen=SiteFilter(text="STRASSE"))
@example(sites=make_sites([site_row(1)]), chosen=SiteFilter(text="'; DROP TABLE sites; --"))
def test_the_database_keeps_what_the_filter_keeps_in_memory(lasting, sites, chosen):
    store, tiles = lasting
    emptied(store)
    store.save_sites(sites, who="lin")
    version, kept = store.read_snapshot()
    index = SiteIndex(kept, CATEGORIES)
    wanted = kept["site_id"][index.mask(chosen)].tolist()
    assert _ids(tiles, version, chosen) == wanted
    counts = index.count_by_status(chosen)[["total", "located"]].to_numpy().tolist()
    assert tiles.counts(version, chosen) == counts


@few_examples
@given(before=site_tables(), after=site_tables(), zoom=st.integers(0, 11), data=st.data())
def test_the_bubbles_count_every_located_site_once_after_any_writes(
    lasting, before, after, zoom, data
):
    store, tiles = lasting
    emptied(store)
    store.save_sites(before, who="lin")
    store.save_sites(after, who="wang")
    with store._writing() as db:  # another program takes some away
        gone = data.draw(st.sampled_from(["s0", "s1", "none"]))
        db.execute("DELETE FROM sites WHERE site_id = ?", (gone,))
    version, kept = store.read_snapshot()
    index = SiteIndex(kept, CATEGORIES)
    codes = index.codes[index.located]
    wanted = {int(code): int((codes == code).sum()) for code in np.unique(codes)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles_module, "MOST_POINTS", (0, 0))
        found, bubbles = _counts(tiles, version, zoom)
    assert found == wanted
    assert bool(bubbles) == bool(wanted)


def test_points_bubbles_and_filtered_bubbles_count_the_same(small, monkeypatch):
    store, tiles = small
    sites = sites_of(60)
    store.save_sites(sites, who="lin")
    tiles.prepare()
    version = store.data_version()
    wanted = ({CATEGORIES.codes["enterprise.stopped"]: 60}, 0)
    assert _counts(tiles, version, 10) == wanted
    assert _counts(tiles, version, 15) == wanted
    monkeypatch.setattr(tiles_module, "MOST_POINTS", (2, 0))
    assert _counts(tiles, version, 10)[0] == wanted[0]
    found, bubbles = _counts(tiles, version, 14)
    assert found == wanted[0]
    assert bubbles > 20
    some = SiteFilter(text="企业1", until=date(2020, 3, 11))
    [(_, number)] = _counts(tiles, version, 9, some)[0].items()
    assert number == 11
    assert _counts(tiles, version, 9, some)[1] > 0
    hidden = SiteFilter(hidden=frozenset({"enterprise.stopped"}))
    assert _counts(tiles, version, 10, hidden)[0] == wanted[0], "the browser hides categories"


def test_a_point_is_where_it_is_and_says_what_the_symbol_needs(small):
    store, tiles = small
    rows = [
        site_row(1, geometry=shapely.Point(123.17, 41.26)),
        site_row(2, precision="community", uncertainty_m=250.4, geometry=shapely.Point(123.171, 41.261)),
        site_row(3, precision="road", match_method="gazetteer sketch",
                 geometry=shapely.LineString([(123.17, 41.26), (123.172, 41.261)])),
        unlocated(4),
        site_row(5, precision="district"),
    ]  # fmt: skip
    store.save_sites(make_sites(rows), who="lin")
    tiles.prepare()
    column, row = _tile_of(123.1705, 41.2605, 14)
    found = mvt.layers(tiles.tile(store.data_version(), 14, column, row, ALL))["sites"]
    said = [
        (one["id"], one["type"], one["properties"]["flag"], one["properties"]["radius"])
        for one in found
    ]
    assert said == [(1, 1, 1, 10), (2, 1, 3, 250), (3, 2, 5, 10)]
    command, x, y = found[0]["geometry"]
    assert command == 9
    lon = (column + (x >> 1) / 4096) / 2**14 * 360 - 180
    assert abs(lon - 123.17) < 360 / 2**14 / 4096
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * (row + (y >> 1) / 4096) / 2**14))))
    assert abs(lat - 41.26) < 360 / 2**14 / 4096


def test_a_version_that_is_over_is_told(small):
    store, tiles = small
    store.save_sites(sites_of(2), who="lin")
    tiles.prepare()
    old = store.data_version()
    store.update_site("s0", {"note": "新"}, version=1, who="lin")
    for ask in (tiles.counts, tiles.page, tiles.bounds):
        with pytest.raises(VersionGone):
            ask(old, ALL)
    assert _ids(tiles, store.data_version(), SiteFilter(text="新")) == ["s0"]


def test_edits_from_outside_are_counted_and_found(small):
    store, tiles = small
    store.save_sites(sites_of(3), who="lin")
    tiles.prepare()
    with store._connections.reading() as db:
        db.execute(
            "UPDATE sites SET name = 'ＱＧＩＳ 改', geom = NULL, precision = 'none' WHERE site_id = 's1'"
        )
    version = store.data_version()
    assert _ids(tiles, version, SiteFilter(text="qgis改")) == ["s1"]
    assert sum(_counts(tiles, version, 8)[0].values()) == 2


def test_preparing_twice_and_forgetting_leave_the_sites_alone(small):
    store, tiles = small
    store.save_sites(sites_of(3), who="lin")
    version, told = store.data_version(), []
    tiles.prepare(told.append)
    tiles.prepare(told.append)
    assert told == ["counting sites by squares", "search texts: 3"]
    tiles.forget()
    assert store.data_version() == version
    assert store.check() == []
    store.update_sites([SiteUpdate("s0", 1, {"note": "x"})], who="lin")


def test_pages_are_in_order_and_rows_are_found_by_number(small):
    store, tiles = small
    rows = [site_row(n, as_of=f"2020-03-{n + 1:02d}" if n else None) for n in range(7)]
    store.save_sites(make_sites(rows), who="lin")
    tiles.prepare()
    version = store.data_version()
    numbers, page = tiles.page(version, ALL, offset=2, limit=3)
    assert page["site_id"].tolist() == ["s2", "s3", "s4"]
    assert tiles.rows(version, [numbers[1], 10**9, numbers[0]])[1]["site_id"].tolist() == [
        "s3",
        "s2",
    ]
    down = tiles.page(version, ALL, sort="as_of", descending=True, limit=9)[1]
    assert down["site_id"].tolist() == ["s6", "s5", "s4", "s3", "s2", "s1", "s0"]
    assert tiles.fid(version, "s3") == numbers[1]
    with pytest.raises(KeyError):
        tiles.fid(version, "none")
    with pytest.raises(KeyError):
        tiles.page(version, ALL, sort="fid; DROP TABLE sites")


def test_facts_name_streets_sources_and_what_no_category_knows(small):
    store, tiles = small
    store.save_sites(sites_of(3, street="南门街道"), who="lin")
    with store._connections.reading() as db:
        db.execute("UPDATE sites SET kind = 'unknown' WHERE site_id = 's2'")
    tiles.prepare()
    facts = tiles.facts(store.data_version())
    assert (facts.streets, facts.sources, facts.fictitious) == (
        ("南门街道",),
        ("通报.docx",),
        False,
    )
    assert facts.aside == ("企业2号",)
    assert _ids(tiles, store.data_version(), ALL) == ["s0", "s1"]
    assert tiles.latest(store.data_version(), ALL) == "2020-03-11"


def test_a_word_with_half_a_character_is_in_no_site(small):
    store, tiles = small
    store.save_sites(sites_of(2), who="lin")
    tiles.prepare()
    half = SiteFilter(text="\ud800", streets=("\ud800",))
    assert _ids(tiles, store.data_version(), half) == []


def test_nothing_of_a_filter_is_in_a_statement():
    hostile = "x' OR true --"
    where = besides_where(SiteFilter(text=hostile, streets=(hostile,)))
    assert "'" not in where.sql.replace("''", "")
    assert "OR true" not in where.sql


@pytest.mark.parametrize("address", [(-1, 0, 0), (20, 0, 0), (3, 8, 0), (3, 0, -1)])
def test_a_tile_that_is_not_there_is_refused(small, address):
    with pytest.raises(ValueError, match="no tile"):
        small[1].tile("0", *address, ALL)
