"""The binary the browser reads: every position within a centimetre, every row where it belongs."""

import gzip
import json
import struct
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.draw.site_layer import (
    APPROXIMATE,
    CHUNK_ROWS,
    LOCATED,
    SKETCH,
    attribute_rows,
    compress,
    pack_mask,
    pack_sites,
    row_flags,
    sort_order,
    to_world,
)
from geo.site import Match, SiteRecord, Source, make_sites, site_row

CATEGORIES = load_categories()
TYPES = {"u1": "u1", "u2": "<u2", "u4": "<u4"}


def _sites(*matches: Match, kind="enterprise", status="resumed"):
    records = (
        SiteRecord(kind, f"甲{n}", status, Source("t.csv", f"row {n}"), site_id=f"s{n}")
        for n in range(len(matches))
    )
    return make_sites(site_row(r, m) for r, m in zip(records, matches, strict=True))


def _at(lon, lat, precision="poi", metres=None, method="given"):
    return Match(method, shapely.Point(lon, lat), precision, metres)


def _unpack(data: bytes) -> dict:
    assert data[:4] == b"BTM1"
    (length,) = struct.unpack("<I", data[4:8])
    header = json.loads(data[8 : 8 + length])
    found = {k: v for k, v in header.items() if k != "sections"}
    for name, (offset, kind, count) in header["sections"].items():
        start = 8 + length + offset
        assert start % 8 == 0
        found[name] = np.frombuffer(data, TYPES[kind], count, start)
    return found


def _lonlat(x, y):
    world = 2.0**32
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * np.asarray(y) / world))))
    return np.asarray(x) / world * 360 - 180, lat


def test_the_origin_is_the_middle_of_the_world():
    x, y = to_world([0.0, -180.0, 180.0], [0.0, 85.06, -85.06])
    assert x.tolist() == [2**31, 0, 2**32 - 1]
    assert y.tolist() == [2**31, 0, 2**32 - 1]


@given(
    st.lists(st.tuples(st.floats(73, 135), st.floats(3, 54)), min_size=1, max_size=60, unique=True)
)
def test_every_point_comes_back_within_a_centimetre_in_its_own_row(places):
    packed = _unpack(pack_sites(_sites(*[_at(*p) for p in places]), CATEGORIES))
    lon, lat = _lonlat(packed["point_x"], packed["point_y"])
    assert sorted(packed["point_row"]) == list(range(len(places)))
    for row, got_lon, got_lat in zip(packed["point_row"], lon, lat, strict=True):
        assert abs(got_lon - places[row][0]) * 111_320 < 0.01
        assert abs(got_lat - places[row][1]) * 111_320 < 0.01


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_a_point_lies_in_the_grid_cell_the_browser_looks_in(count, seed):
    random = np.random.default_rng(seed)
    places = np.column_stack(
        [random.uniform(123.1, 123.3, count), random.uniform(41.2, 41.3, count)]
    )
    packed = _unpack(pack_sites(_sites(*[_at(*p) for p in places]), CATEGORIES))
    size, (x0, y0, x1, y1) = packed["grid"], packed["box"]
    assert packed["cell"][0] == 0
    assert packed["cell"][-1] == count
    for cell in range(size * size):
        for i in range(packed["cell"][cell], packed["cell"][cell + 1]):
            column = min(size - 1, int((packed["point_x"][i] - x0) * size / max(x1 - x0, 1)))
            line = min(size - 1, int((packed["point_y"][i] - y0) * size / max(y1 - y0, 1)))
            assert line * size + column == cell


def test_what_has_no_place_is_counted_but_not_placed():
    nowhere = Match("none", reason="no_coordinate")
    district = Match("gazetteer", shapely.Point(123.17, 41.27), "district", 2000)
    packed = _unpack(pack_sites(_sites(_at(123.2, 41.3), nowhere, district), CATEGORIES))
    assert packed["rows"] == 3
    assert packed["point_row"].tolist() == [0]
    assert packed["flag"].tolist() == [LOCATED, 0, 0]


def test_a_point_coarser_than_a_crossing_is_marked_approximate_with_its_radius():
    packed = _unpack(pack_sites(_sites(_at(123.2, 41.3, "community", 420.4)), CATEGORIES))
    assert packed["point_flag"].tolist() == [LOCATED | APPROXIMATE]
    assert packed["point_radius"].tolist() == [420]


@pytest.mark.parametrize("precision", ["rooftop", "poi", "intersection"])
def test_an_exact_point_is_not_approximate(precision):
    assert row_flags(_sites(_at(123.2, 41.3, precision, 30))).tolist() == [LOCATED]


def test_a_line_between_two_known_points_is_marked_as_a_sketch():
    line = shapely.LineString([(123.18, 41.27), (123.17, 41.24)])
    match = Match("gazetteer sketch", line, "road", 100)
    assert row_flags(_sites(match, kind="parking", status="enforced")).tolist() == [
        LOCATED | SKETCH
    ]


def test_lines_and_areas_keep_their_vertices_parts_and_order():
    line = shapely.LineString([(123.1, 41.2), (123.2, 41.25), (123.3, 41.3)])
    area = shapely.Polygon(
        [(123, 41), (124, 41), (124, 42), (123, 41)],
        [[(123.4, 41.1), (123.5, 41.1), (123.5, 41.2)]],
    )
    sites = _sites(Match("given", area, "poi"), _at(123.2, 41.3), Match("given", line, "road"))
    packed = _unpack(pack_sites(sites, CATEGORIES))
    assert packed["shape_row"].tolist() == [0, 2]
    assert packed["shape_area"].tolist() == [1, 0]
    assert packed["shape_part"].tolist() == [0, 2, 3]
    assert packed["part_vertex"].tolist() == [0, 4, 8, 11]
    lon, lat = _lonlat(packed["vertex_x"][8:], packed["vertex_y"][8:])
    assert np.allclose(np.column_stack([lon, lat]), line.coords, atol=1e-7)


@pytest.mark.parametrize("turned", [False, True])
def test_holes_run_the_other_way_round(turned):
    area = shapely.Polygon(
        [(123, 41), (124, 41), (124, 42), (123, 41)],
        [[(123.4, 41.1), (123.5, 41.1), (123.5, 41.2)]],
    )
    shape = shapely.MultiPolygon(
        [area.reverse() if turned else area, shapely.box(125, 41, 126, 42)]
    )
    packed = _unpack(pack_sites(_sites(Match("given", shape, "poi")), CATEGORIES))
    ends = packed["part_vertex"].tolist()
    lon, lat = _lonlat(packed["vertex_x"], packed["vertex_y"])
    ways = [
        shapely.is_ccw(shapely.LinearRing(np.column_stack([lon[a:b], lat[a:b]])))
        for a, b in pairwise(ends)
    ]
    assert ways == [True, False, True]


def test_an_empty_table_packs():
    packed = _unpack(pack_sites(make_sites([]), CATEGORIES))
    assert packed["rows"] == 0
    assert len(packed["point_row"]) == len(packed["shape_row"]) == 0


def test_no_word_of_a_site_is_in_the_binary():
    assert "甲0".encode() not in pack_sites(_sites(_at(123.2, 41.3)), CATEGORIES)


@given(st.lists(st.booleans(), max_size=70))
def test_the_browser_reads_a_row_s_bit_as_python_wrote_it(mask):
    bits = pack_mask(np.array(mask, dtype=bool))
    assert [bool(bits[row >> 3] >> (row & 7) & 1) for row in range(len(mask))] == mask


def test_words_come_in_chunks_and_stay_as_they_are():
    name = "<img src=x onerror=alert(1)>{{7*7}}"
    record = SiteRecord("enterprise", name, "resumed", Source("t.csv"), site_id="x", place="路口")
    rows = make_sites(site_row(record, _at(1, 2, "road", 99.6)) for _ in range(CHUNK_ROWS + 1))
    assert len(attribute_rows(rows, 0)) == CHUNK_ROWS
    assert attribute_rows(rows, 1) == [["x", name, "", "", "路口", "road", "", 100]]
    with pytest.raises(IndexError):
        attribute_rows(rows, 2)
    with pytest.raises(IndexError):
        attribute_rows(rows, -1)


def test_precision_sorts_best_first():
    sites = _sites(_at(1, 2, "road"), Match("none", reason="x"), _at(1, 2, "rooftop"))
    assert np.frombuffer(sort_order(sites, "precision", CATEGORIES), "<u4").tolist() == [2, 0, 1]


def test_a_column_that_cannot_be_sorted_by_is_refused():
    with pytest.raises(KeyError):
        sort_order(_sites(_at(1, 2)), "site_id; drop table sites", CATEGORIES)


def test_the_same_bytes_compress_to_the_same_bytes():
    assert compress(b"abc") == compress(b"abc")
    assert gzip.decompress(compress(b"abc")) == b"abc"
