"""Worked examples and laws of `geo.locate.datum`.

The numbers come from FACTS.md, from PROJ, from published examples or from the formula itself.
"""

import math

import GeoToolCN
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from geo.errors import DatumError, SiteMapError
from geo.locate.datum import (
    CHINA_BOX,
    Datum,
    convert,
    from_wgs84,
    offset_grid,
    offset_m,
    parse_coordinate,
    parse_datum,
    to_wgs84,
)

SHIFTED = ("gcj02", "bd09")
STATION = (123.16170, 41.27941)  # 辽阳站, WGS84

# From the table in FACTS.md: WGS84, then the raw value.
FACTS_BD09 = {
    "辽阳白塔": ((123.16843, 41.27646), (123.180867, 41.284277)),
    "中华大街×新华路": ((123.18040, 41.27032), (123.192809, 41.278107)),
    "新华路526号附近": ((123.17312, 41.24403), (123.185531, 41.251793)),
    "南郊街11号": ((123.15326, 41.24514), (123.165632, 41.253137)),
    "西文化路18号": ((123.16335, 41.25614), (123.175759, 41.263992)),
    "永寿胡同58-2号": ((123.17407, 41.26037), (123.186482, 41.268145)),
    "富虹4期": ((123.14703, 41.26111), (123.159386, 41.269243)),
}

# Mainland, well inside the box, where the forward formulas are one to one.
lons = st.floats(73.5, 134.8)
lats = st.floats(18.0, 53.6)
box_lons = st.floats(CHINA_BOX[0] + 0.1, CHINA_BOX[2] - 0.1)
box_lats = st.floats(CHINA_BOX[1] + 0.1, CHINA_BOX[3] - 0.1)


def _metres(one, other) -> float:
    return Geod(ellps="WGS84").inv(*one, *other)[2]


def _slow_gcj(lon, lat):
    """The published forward formula, word for word."""
    x, y = lon - 105, lat - 35
    pi, sin = math.pi, math.sin
    fine = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + fine
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + fine
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    a, e2 = 6378245.0, 0.00669342162296594323
    bend = 1 - e2 * sin(math.radians(lat)) ** 2
    north_radius = a * (1 - e2) / (bend * math.sqrt(bend))
    east_radius = a / math.sqrt(bend) * math.cos(math.radians(lat))
    return lon + math.degrees(east / east_radius), lat + math.degrees(north / north_radius)


def _slow_bd(lon, lat):
    """The published forward formula, word for word."""
    x, y = _slow_gcj(lon, lat)
    rate = math.pi * 3000 / 180
    radius = math.sqrt(x * x + y * y) + 0.00002 * math.sin(y * rate)
    angle = math.atan2(y, x) + 0.000003 * math.cos(x * rate)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


# --- worked examples ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", FACTS_BD09)
def test_a_baidu_point_of_the_facts_table_lands_on_its_wgs84_value(place):
    expected, raw = FACTS_BD09[place]
    got = to_wgs84(*raw, "bd09")
    assert np.round(got, 5) == pytest.approx(expected, abs=1.1e-5)  # the table has 5 decimals
    assert _metres(got, expected) <= 1


def test_the_amap_centre_of_the_district_lands_on_its_wgs84_value():
    got = to_wgs84(123.174325, 41.270347, "gcj02")
    assert _metres(got, (123.16851, 41.26818)) <= 1


def test_a_published_example_in_beijing_comes_out_within_a_metre():
    # https://rdrr.io/github/caijun/geoChina/man/gcj2bd.html: Beijing railway station, 5 decimals
    place = (116.42079, 39.90105)
    assert _metres(from_wgs84(*place, "gcj02"), (116.42703, 39.90245)) <= 1.5
    assert _metres(from_wgs84(*place, "bd09"), (116.43351, 39.90851)) <= 1.5


def test_at_baita_amap_is_541_m_off_and_baidu_1352_m():
    assert offset_m(123.174, 41.27, "高德") == pytest.approx(541, abs=3)
    assert offset_m(123.174, 41.27, "百度") == pytest.approx(1352, abs=3)
    assert offset_m(123.174, 41.27, "wgs84") == 0
    assert offset_m(123.174, 41.27, "天地图") == 0


def test_an_offset_is_the_distance_between_a_place_and_its_raw_value():
    place, raw = FACTS_BD09["辽阳白塔"]
    assert offset_m(*place, "bd09") == pytest.approx(_metres(place, raw), abs=0.5)
    many = offset_m(np.array([place[0], math.nan]), np.array([place[1], 41.2]), "bd09")
    assert many[0] == offset_m(*place, "bd09")
    assert math.isnan(many[1])


def test_offset_of_a_projection_is_refused():
    with pytest.raises(DatumError, match="in metres"):
        offset_m(*STATION, "EPSG:4550")


def test_the_central_meridian_of_epsg_4550_has_easting_500000_and_the_meridian_arc_as_northing():
    # GRS80 meridian arc by the midpoint rule, from its definition.
    a, e2, steps = 6378137.0, 0.00669438002290, 20_000
    latitude = math.radians(41.27941)
    middles = (np.arange(steps) + 0.5) * latitude / steps
    arc = np.sum(a * (1 - e2) / (1 - e2 * np.sin(middles) ** 2) ** 1.5) * latitude / steps
    east, north = from_wgs84(123.0, 41.27941, "EPSG:4550")
    assert (east, north) == (pytest.approx(500_000, abs=1e-6), pytest.approx(arc, abs=1e-3))
    east, north = from_wgs84(123.0, 41.27941, "EPSG:4529")
    assert (east, north) == (pytest.approx(41_500_000, abs=1e-6), pytest.approx(arc, abs=1e-3))


@pytest.mark.parametrize(("code", "east"), [(4550, 513547.047350), (4529, 41513547.047350)])
def test_easting_comes_first_whatever_the_official_axis_order(code, east):
    assert CRS.from_epsg(code).axis_info[0].direction == "north"  # the trap
    assert from_wgs84(*STATION, str(code)) == pytest.approx((east, 4571616.229989), abs=1e-5)
    assert to_wgs84(east, 4571616.229989, f"EPSG:{code}") == pytest.approx(STATION, abs=1e-10)
    theirs = Transformer.from_crs(4490, code, always_xy=True).transform(*STATION)
    assert from_wgs84(*STATION, str(code)) == pytest.approx(theirs, abs=1e-9)


def test_cgcs2000_counts_as_wgs84():
    assert to_wgs84(*STATION, "cgcs2000") == from_wgs84(*STATION, "cgcs2000") == STATION
    assert convert(*STATION, "cgcs2000", "wgs84") == STATION


def test_web_mercator_and_utm_work_although_their_eastings_look_like_zones():
    for code in (3857, 32651):
        x, y = from_wgs84(*STATION, f"epsg:{code}")
        assert to_wgs84(x, y, f"epsg:{code}") == pytest.approx(STATION, abs=1e-10)
    assert from_wgs84(*STATION, "epsg:3857")[0] == pytest.approx(13_710_297.7, abs=1)


def test_convert_goes_from_any_datum_to_any_other():
    gcj, bd = from_wgs84(*STATION, "gcj02"), from_wgs84(*STATION, "bd09")
    assert _metres(convert(*bd, "bd09", "gcj02"), gcj) <= 1e-6
    x, y = convert(*bd, "百度", "EPSG:4550")
    assert (x, y) == pytest.approx((513547.04735, 4571616.22999), abs=1e-4)


# --- laws -----------------------------------------------------------------------------------------


@given(lon=box_lons, lat=box_lats, datum=st.sampled_from(SHIFTED))
def test_there_and_back_is_within_a_micrometre(lon, lat, datum):
    raw = from_wgs84(lon, lat, datum)
    back = to_wgs84(*raw, datum)
    assert _metres(back, (lon, lat)) <= 1e-6
    assert _metres(from_wgs84(*back, datum), raw) <= 1e-6


@pytest.mark.parametrize("datum", SHIFTED)
def test_no_point_on_a_fine_net_over_the_box_misses_the_micrometre(datum):
    west, south, east, north = CHINA_BOX
    # The root of |lon - 105| is infinitely steep at 105: look there with a lens.
    near_105 = 105 + np.outer([-1, 1], np.logspace(-15, 0, 151)).ravel()
    columns = np.concatenate([np.linspace(west, east, 601)[1:-1], near_105, [105.0]])
    lon, lat = np.meshgrid(columns, np.linspace(south, north, 501)[1:-1])
    back = to_wgs84(*from_wgs84(lon, lat, datum), datum)
    assert Geod(ellps="WGS84").inv(lon, lat, *back)[2].max() <= 1e-6


@pytest.mark.parametrize("datum", SHIFTED)
def test_points_just_inside_the_box_come_back_although_their_raw_values_may_lie_outside(datum):
    west, south, east, north = CHINA_BOX
    along = np.linspace(0.01, 0.99, 99)
    lon, lat = west + along * (east - west), south + along * (north - south)
    edge = np.full_like(along, 1e-6)
    lons_in = np.concatenate([lon, lon, west + edge, east - edge])
    lats_in = np.concatenate([south + edge, north - edge, lat, lat])
    raw = from_wgs84(lons_in, lats_in, datum)
    assert ((raw[0] > east) | (raw[1] > north)).any()  # what this test is about does happen
    back = to_wgs84(*raw, datum)
    assert Geod(ellps="WGS84").inv(lons_in, lats_in, *back)[2].max() <= 1e-6


@pytest.mark.parametrize("datum", SHIFTED)
def test_points_just_outside_the_box_are_taken_for_themselves_or_for_a_point_inside(datum):
    west, south, east, north = CHINA_BOX
    along = np.linspace(0.01, 0.99, 99)
    lon, lat = west + along * (east - west), south + along * (north - south)
    edge = np.tile([0.001, 0.003, 0.01], 33)
    raw_lon = np.concatenate([lon, lon, west - edge, east + edge])
    raw_lat = np.concatenate([south - edge, north + edge, lat, lat])
    again = from_wgs84(*to_wgs84(raw_lon, raw_lat, datum), datum)
    assert Geod(ellps="WGS84").inv(raw_lon, raw_lat, *again)[2].max() <= 1e-6


@given(lon=box_lons, lat=box_lats)
def test_the_forward_formulas_are_the_published_ones(lon, lat):
    assert from_wgs84(lon, lat, "gcj02") == pytest.approx(_slow_gcj(lon, lat), abs=1e-12)
    assert from_wgs84(lon, lat, "bd09") == pytest.approx(_slow_bd(lon, lat), abs=1e-12)


@given(lon=lons, lat=lats)
def test_geotool_cn_agrees_within_5_m(lon, lat):
    for ours, theirs in [
        (from_wgs84(lon, lat, "gcj02"), GeoToolCN.wgs84_to_gcj02(lon, lat)),
        (from_wgs84(lon, lat, "bd09"), GeoToolCN.wgs84_to_bd09(lon, lat)),
        (to_wgs84(lon, lat, "gcj02"), GeoToolCN.gcj02_to_wgs84(lon, lat)),
        (to_wgs84(lon, lat, "bd09"), GeoToolCN.bd09_to_wgs84(lon, lat)),
    ]:
        assert _metres(ours, theirs) <= 5


@given(
    points=st.lists(st.tuples(lons, lats), max_size=8),
    datum=st.sampled_from([*SHIFTED, "wgs84", "cgcs2000", "epsg:3857"]),
)
def test_an_array_gives_what_its_points_give_one_by_one_in_order(points, datum):
    lon, lat = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    for step in (from_wgs84, to_wgs84):
        if step is to_wgs84 and datum == "epsg:3857":
            lon, lat = from_wgs84(lon, lat, datum)
        out = step(lon, lat, datum)
        assert all(a.dtype == np.float64 and a.shape == lon.shape for a in out)
        for n in range(len(points)):
            one = step(float(lon[n]), float(lat[n]), datum)
            assert (out[0][n], out[1][n]) == pytest.approx(one, abs=1e-13, rel=1e-13)


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90), datum=st.sampled_from(SHIFTED))
def test_outside_the_box_nothing_moves(lon, lat, datum):
    west, south, east, north = CHINA_BOX
    if west - 0.1 < lon < east + 0.1 and south - 0.1 < lat < north + 0.1:
        return
    assert from_wgs84(lon, lat, datum) == (lon, lat)
    assert to_wgs84(lon, lat, datum) == (lon, lat)


@pytest.mark.parametrize("datum", SHIFTED)
@pytest.mark.parametrize(("lon", "lat"), [(2.35, 48.86), (-74.0, 40.7), (151.2, -33.9), (0, 0)])
def test_paris_new_york_sydney_and_null_island_do_not_move(lon, lat, datum):
    assert from_wgs84(lon, lat, datum) == to_wgs84(lon, lat, datum) == (lon, lat)


@pytest.mark.parametrize(
    "datum",
    [*Datum, "epsg:4550", "epsg:4529", "epsg:3857", "epsg:32651"],
)
def test_nan_stays_nan_and_disturbs_no_neighbour(datum):
    x, y = from_wgs84(*STATION, datum)
    xs = np.array([math.nan, x, x, math.nan])
    ys = np.array([y, y, math.nan, math.nan])
    for step, first, second in ((to_wgs84, xs, ys), (from_wgs84, xs * 0 + 123.1617, ys * 0 + 41.2)):
        for out in step(first, second, datum):
            assert np.isnan(out).tolist() == [True, False, True, True]
    assert to_wgs84(xs, ys, datum)[0][1] == pytest.approx(STATION[0], abs=1e-12)
    assert all(map(math.isnan, to_wgs84(math.nan, y, datum)))


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09", "epsg:4550"])
def test_the_arguments_are_left_alone_and_the_answer_is_new(datum):
    xs, ys = (np.array([value, value]) for value in from_wgs84(*STATION, datum))
    before = xs.copy(), ys.copy()
    out = to_wgs84(xs, ys, datum)
    out[0][:] = out[1][:] = 0
    from_wgs84(np.array(STATION[:1]), np.array(STATION[1:]), datum)[0][:] = 0
    offset_m(xs, ys, "gcj02") if datum != "epsg:4550" else None
    assert (xs == before[0]).all()
    assert (ys == before[1]).all()


def test_shapes_lists_and_numbers_of_any_kind_are_kept_or_turned_to_float():
    out = to_wgs84(np.full((2, 3), 123.1), np.full((2, 3), 41.2), "gcj02")
    assert [a.shape for a in out] == [(2, 3), (2, 3)]
    assert [a.size for a in to_wgs84([], [], "bd09")] == [0, 0]
    assert to_wgs84([123], [41], "gcj02")[0][0] == to_wgs84(123, 41, "gcj02")[0]
    assert isinstance(to_wgs84(np.float64(123.1), np.float64(41.2), "gcj02")[0], float)
    single = to_wgs84(np.array([123.1], "f4"), np.array([41.2], "f4"), "gcj02")
    assert single[0].dtype == np.float64
    with pytest.raises(ValueError, match="shape") as caught:
        to_wgs84([123.1, 123.2], [41.2], "gcj02")
    assert not isinstance(caught.value, SiteMapError)  # a slip of the programmer, not of the data


def test_an_answer_does_not_depend_on_where_a_million_points_are_cut():
    lon, lat = np.full(40_000, 123.1617), np.full(40_000, 41.2794)
    for datum in SHIFTED:
        out = to_wgs84(lon, lat, datum)
        assert [np.ptp(a) for a in out] == [pytest.approx(0, abs=1e-13)] * 2


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "datum", "said"),
    [
        (41.2794, 123.1617, "wgs84", "latitude 123.1617 is outside .* axes may be swapped"),
        (41.2794, 123.1617, "gcj02", "latitude 123.1617 is outside .* axes may be swapped"),
        (41.2794, 123.1617, "bd09", "latitude 123.1617 is outside .* axes may be swapped"),
        (41.2794, 123.1617, "cgcs2000", "latitude 123.1617 is outside .* axes may be swapped"),
        (361.0, 41.2, "wgs84", "longitude 361.0 is outside -180 to 180 degrees$"),
        (123.1, -90.5, "gcj02", "latitude -90.5 is outside -90 to 90"),
        (math.inf, 41.2, "gcj02", "longitude inf is outside -180 to 180 degrees$"),
        (513547.05, 4571616.23, "wgs84", "513547.05 .* metres: name their projection"),
        (41513547.05, 4571616.23, "4550", "zone number 41: that is EPSG:4529, not EPSG:4550"),
        (41513547.05, 4571616.23, "32651", "zone number 41: that is EPSG:4529, not EPSG:32651"),
        (40513547.05, 4571616.23, "4529", "zone number 40: that is EPSG:4528, not EPSG:4529"),
        (21513547.05, 4571616.23, "4550", "zone number 21: that is EPSG:4499, not EPSG:4550"),
        (513547.05, 4571616.23, "4529", "no zone number: that is EPSG:4550, not EPSG:4529"),
        (513547.05, 4571616.23, "4499", "no zone number: that is EPSG:4510, not EPSG:4499"),
        (4571616.23, 513547.05, "4550", "easting 4571616.23, .*axes may be swapped"),
        (4571616.23, 41513547.05, "4529", "easting 4571616.23, .*axes may be swapped"),
        (513547.05, 571616.23, "4550", "northing 571616.23 is outside the area of EPSG:4550$"),
        (123.1617, 41.2794, "4550", "are degrees, not metres in EPSG:4550"),
        (123.1617, 41.2794, "4529", "are degrees, not metres in EPSG:4529"),
        (123.1617, 41.2794, "3857", "are degrees, not metres in EPSG:3857"),
        (123.1617, 41.2794, "32651", "are degrees, not metres in EPSG:32651"),
        (math.inf, math.inf, "4550", "easting inf"),
    ],
)
def test_a_value_out_of_range_is_named_and_never_mended(x, y, datum, said):
    with pytest.raises(DatumError, match=said):
        to_wgs84(x, y, datum)


def test_one_bad_point_among_many_is_counted_out():
    with pytest.raises(DatumError, match=r"latitude 123.1 .*\(point 2 of 3\)"):
        to_wgs84([123.1, 41.2, 123.1], [41.2, 123.1, 41.2], "gcj02")
    with pytest.raises(DatumError, match=r"zone number 41.*\(point 2 of 2\)"):
        to_wgs84([513547.0, 41513547.0], [4571616.0, 4571616.0], "4550")


def test_a_place_far_outside_a_projection_is_refused():
    with pytest.raises(DatumError, match=r"longitude 116.4, latitude 39.9 is outside .*EPSG:4550"):
        from_wgs84(116.4, 39.9, "4550")
    with pytest.raises(DatumError, match="latitude 123"):
        from_wgs84(41.2, 123.1, "gcj02")


@pytest.mark.parametrize("zone", [*range(13, 24), *range(25, 46)])
def test_the_zone_in_an_easting_names_the_code_that_proj_calls_so(zone):
    with pytest.raises(DatumError) as caught:
        to_wgs84(zone * 1e6 + 5e5, 4.5e6, "4550")
    code = str(caught.value).split("EPSG:")[1].split(",")[0]
    assert CRS.from_epsg(int(code)).name.endswith(f"Gauss-Kruger zone {zone}")
    with pytest.raises(DatumError) as caught:
        to_wgs84(5e5, 4.5e6, code)
    plain = CRS.from_epsg(int(str(caught.value).split("EPSG:")[1].split(",")[0]))
    meridian = zone * 6 - 3 if zone < 24 else zone * 3
    width = "3-degree " if zone > 24 else ""
    assert plain.name == f"CGCS2000 / {width}Gauss-Kruger CM {meridian}E"


# --- words for a datum ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "datum"),
    [
        ("WGS84|wgs-84|WGS 84|ＷＧＳ８４|gps|GPS坐标|EPSG:4326|4326|CRS84|wgs84 ", "wgs84"),
        (
            "CGCS2000|天地图|天地图坐标系|国家2000|2000国家大地坐标系|4490|epsg:4490|北斗",
            "cgcs2000",
        ),
        ("高德|高德地图|高德坐标系|GCJ-02|gcj02|GCJ_02|火星坐标|火星坐标系|腾讯|AMap", "gcj02"),
        ("百度|百度地图|百度坐标|BD-09|bd09|BD09LL|百度经纬度|Baidu", "bd09"),
        ("GCJ-02 (高德, 腾讯)|高德/腾讯|GCJ02（火星坐标）", "gcj02"),
        ("EPSG:4550|epsg:4550|4550|EPSG 4550|epsg4550|ＥＰＳＧ：４５５０", "epsg:4550"),
        ("urn:ogc:def:crs:EPSG::4529|4529", "epsg:4529"),
    ],
)
def test_a_datum_is_known_by_the_words_people_use(words, datum):
    for word in words.split("|"):
        assert parse_datum(word) == datum
    assert parse_datum(datum) == datum
    assert type(parse_datum(datum)) is str


def test_every_named_datum_is_its_own_word():
    assert [parse_datum(datum) for datum in Datum] == ["wgs84", "cgcs2000", "gcj02", "bd09"]
    assert to_wgs84(123.1, 41.2, Datum.GCJ02) == to_wgs84(123.1, 41.2, "gcj02")


@pytest.mark.parametrize(
    "text", ["", " ", "坐标", "local", "谷歌", "百度墨卡托", "高德/百度", "84", "2.0"]
)
def test_an_unknown_datum_lists_what_is_known(text):
    with pytest.raises(DatumError, match=r"WGS84.*CGCS2000.*GCJ-02.*BD-09.*EPSG:4550"):
        parse_datum(text)


@pytest.mark.parametrize("text", ["EPSG:999999", "9999", "EPSG:0000", "1984"])
def test_an_epsg_code_that_does_not_exist_is_never_wgs84(text):
    with pytest.raises(DatumError, match="does not exist"):
        to_wgs84(123.1, 41.2, text)


@pytest.mark.parametrize(
    "text", ["EPSG:2381", "4610", "EPSG:2433", "4214", "西安80", "北京54坐标系"]
)
def test_old_datums_without_a_public_shift_are_refused(text):
    with pytest.raises(DatumError, match="convert the data to CGCS2000 first"):
        parse_datum(text)


@pytest.mark.parametrize("text", ["EPSG:4979", "EPSG:4978", "4480", "4479", "5773"])
def test_codes_that_are_no_flat_map_are_refused(text):
    with pytest.raises(DatumError):
        parse_datum(text)


# --- a pasted coordinate --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "123.1617, 41.2794",
        "123.1617,41.2794",
        "  123.1617   41.2794\n",
        "123.1617\t41.2794",
        "123.1617\n41.2794",
        "123.1617;41.2794",
        "123.1617，41.2794",
        "123.1617；41.2794",
        "123.1617、41.2794",
        "123.1617\u300041.2794",
        "１２３．１６１７，４１．２７９４",
        "(123.1617, 41.2794)",
        "（123.1617，41.2794）",
        "[123.1617, 41.2794]",
        "\u200e123.1617, 41.2794\ufeff",
        "41.2794, 123.1617",  # latitude first: 123 can only be a longitude
        "41.2794N 123.1617E",
        "41.2794°N, 123.1617°E",
        "123.1617E 41.2794N",
        "N41.2794 E123.1617",
        "E123.1617N41.2794",
        "41.2794N123.1617E",
        "lng=123.1617&lat=41.2794",
        "lat=41.2794&lng=123.1617",
        "lon: 123.1617, lat: 41.2794",
        "Longitude 123.1617 Latitude 41.2794",
        '{"lng":123.1617,"lat":41.2794}',
        "经度123.1617 纬度41.2794",
        "经度：123.1617，纬度：41.2794",
        "纬度 41.2794 经度 123.1617",
        "东经123.1617°，北纬41.2794°",
        "东经123.1617度北纬41.2794度",
        "经度：123.1617E，纬度：41.2794N",
        "x=123.1617 y=41.2794",
        "123°9.702′E 41°16.764′N",
        "123°9′42.12″ 41°16′45.84″",
    ],
)
def test_a_coordinate_is_read_in_the_usual_notations(text):
    assert parse_coordinate(text) == pytest.approx((123.1617, 41.2794), abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "41°16′45.86″N 123°9′42.13″E",
        "41°16'45.86\"N 123°9'42.13\"E",
        "41° 16′ 45.86″ N, 123° 9′ 42.13″ E",
        "41º16’45.86”N 123º9’42.13”E",
        "41°16''45.86\"N 123°9′42.13″E".replace("''", "'"),
        "北纬41°16′45.86″，东经123°9′42.13″",
        "东经123度9分42.13秒，北纬41度16分45.86秒",
        "经度 123°9′42.13″E 纬度 41°16′45.86″N",
        "４１°１６′４５．８６″Ｎ　１２３°９′４２．１３″Ｅ",
    ],
)
def test_the_station_of_the_encyclopedia_is_read_from_degrees_minutes_and_seconds(text):
    assert np.round(parse_coordinate(text), 5) == pytest.approx(STATION, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("513547.05 4571616.23", (513547.05, 4571616.23)),
        ("4571616.23, 513547.05", (513547.05, 4571616.23)),
        ("X=4571616.23 Y=513547.05", (513547.05, 4571616.23)),  # Chinese custom: X is north
        ("41513547.05,4571616.23", (41513547.05, 4571616.23)),
        ("-123.5, 41.2", (-123.5, 41.2)),
        ("33.9S 151.2E", (151.2, -33.9)),
        ("40.7N 74.0W", (-74.0, 40.7)),
        ("西经74.0 北纬40.7", (-74.0, 40.7)),
        ("lon=87.6 lat=43.8", (87.6, 43.8)),
        ("43.8N 87.6E", (87.6, 43.8)),
        ("0N 180E", (180.0, 0.0)),
    ],
)
def test_metres_other_hemispheres_and_labels_below_90_are_read(text, expected):
    assert parse_coordinate(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("87.6, 43.8", "either number could be the longitude"),
        ("x=87.6 y=43.8", "either number could be the longitude"),
        ("41, 41", "either number could be the longitude"),
        ("123.1, 141.2", "no longitude"),
        ("200, 41", "no longitude"),
        ("123.1", "without guessing"),
        ("", "without guessing"),
        ("辽阳站", "without guessing"),
        ("123.1, 41.2, 15", "without guessing"),
        ("123,1617 41,2794", "without guessing"),
        ("123.1 41.2 GCJ02", "without guessing"),
        ("高德 123.1, 41.2", "without guessing"),
        ("123.1-41.2", "without guessing"),
        ("41°16′45.86″N", "without guessing"),
        ("123.1², 41.2", "without guessing"),
        ("①23.1, 41.2", "without guessing"),
        ("1e2 41", "without guessing"),
        ("nan, nan", "without guessing"),
        ("123.1," + " " * 300 + "41.2", "without guessing"),
        ("lat=41.2 lat=41.3", "one longitude and one latitude"),
        ("x=123.1 x=41.2", "one longitude and one latitude"),
        ("lon=123.1 y=41.2", "one longitude and one latitude"),
        ("经度41.2 纬度123.1", "latitude 123.1 is outside .*swapped"),
        ("123.1N 41.2E", "latitude 123.1 is outside .*swapped"),
        ("经度123.1N 纬度41.2", "contradict"),
        ("-41.2S 151.2E", "- and s contradict"),
        ("41°76′N 123°9′E", "below 60"),
        ("41°16′60″N 123°9′E", "below 60"),
        ("41.5°16′N 123°9′E", "only the last part"),
        ("513547° 4571616°", "outside -180 to 180"),
        ("513547.05 571616.23", "no easting"),
        ("91513547.05 4571616.23", "no easting"),
    ],
)
def test_what_could_be_read_in_two_ways_or_none_is_refused(text, said):
    with pytest.raises(DatumError, match=said) as caught:
        parse_coordinate(text)
    assert len(str(caught.value)) < 260
    assert "\n" not in str(caught.value)


@given(lon=st.floats(90.001, 179.9), lat=st.floats(-89.9, 89.9), data=st.data())
def test_a_coordinate_written_down_is_read_back(lon, lat, data):
    lon, lat = round(lon, 6), round(lat, 6) + 0.0  # no minus zero
    side, size = ("N", lat) if lat >= 0 else ("S", -lat)
    text = data.draw(
        st.sampled_from(
            [
                f"{lon:.6f}, {lat:.6f}",
                f"{lat:.6f} {lon:.6f}",
                f"{size:.6f}{side} {lon:.6f}E",
                f"lat={lat:.6f}&lng={lon:.6f}",
                f"经度{lon:.6f}，纬度{lat:.6f}",
            ]
        )
    )
    assert parse_coordinate(text) == (lon, lat)


@given(
    st.one_of(
        st.text(max_size=40),
        st.text(alphabet="0123456789.,- °′″'\"NSEWxy东经北纬度分秒lngat=&;()", max_size=40),
    )
)
def test_any_text_gives_a_finite_pair_or_a_datum_error(text):
    try:
        x, y = parse_coordinate(text)
    except DatumError:
        return
    assert math.isfinite(x)
    assert math.isfinite(y)
    assert (abs(x) <= 180 and abs(y) <= 90) or (x >= 1e5 and y >= 1e6)


@given(st.text(max_size=20))
def test_any_word_gives_a_canonical_datum_or_a_datum_error(text):
    try:
        datum = parse_datum(text)
    except DatumError:
        return
    assert parse_datum(datum) == datum


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_a_grid_of_offsets_is_within_half_a_metre_between_its_knots(datum):
    bounds = (123.03, 41.12, 123.33, 41.40)
    grid = offset_grid(datum, bounds)
    assert grid is not None
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(bounds[0], bounds[2], 400), rng.uniform(bounds[1], bounds[3], 400)
    u = (lon - bounds[0]) / (bounds[2] - bounds[0]) * (grid["columns"] - 1)
    v = (lat - bounds[1]) / (bounds[3] - bounds[1]) * (grid["rows"] - 1)
    i, j = u.astype(int), v.astype(int)
    a, b = u - i, v - j

    def mixed(name):
        knots = np.array(grid[name]).reshape(grid["rows"], grid["columns"])
        low = (1 - a) * knots[j, i] + a * knots[j, i + 1]
        high = (1 - a) * knots[j + 1, i] + a * knots[j + 1, i + 1]
        return (1 - b) * low + b * high

    there = from_wgs84(lon, lat, datum)
    apart = np.hypot(
        (there[0] - lon - mixed("lon")) * 83_600, (there[1] - lat - mixed("lat")) * 111_100
    )
    assert apart.max() < 0.5


def test_wgs84_needs_no_grid():
    assert offset_grid("wgs84", (1, 2, 3, 4)) is None
    assert offset_grid("天地图", (1, 2, 3, 4)) is None
