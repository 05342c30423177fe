"""Stretches of road: where they are, and the words for them."""

import math
from datetime import date
from itertools import pairwise

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from osm_samples import at

from geo.locate.gazetteer import Place
from geo.locate.roads import (
    JUNCTION_M,
    METHOD,
    Plane,
    RoadLocator,
    StretchNames,
    cut_road,
    parse_stretch,
    road_between,
)
from geo.site import Reason, SiteRecord, Source


def _line(*metres):
    return shapely.LineString([at(*xy) for xy in metres])


def _street(east):
    return _line((east, -300), (east, 300))


def _metres(shape):
    return shapely.length(Plane(shape).flat(shape))


MAIN = _line((-2000, 0), (2000, 0))
BOTH_WAYS = shapely.MultiLineString(
    [_line((-2000, 12), (2000, 12)), _line((2000, -12), (-2000, -12))]
)


# --- worked examples --------------------------------------------------------------------------------


def test_a_road_is_cut_at_its_two_cross_streets():
    cut = road_between(MAIN, _street(-500), _street(700))
    assert _metres(cut) == pytest.approx(1200, abs=0.5)
    assert shapely.distance(cut, shapely.Point(at(-500, 0))) < 1e-7
    assert shapely.distance(cut, shapely.Point(at(700, 0))) < 1e-7


def test_two_carriageways_are_both_cut():
    cut = road_between(BOTH_WAYS, _street(-500), _street(700))
    assert len(cut.geoms) == 2
    assert _metres(cut) == pytest.approx(2400, abs=1)


def test_a_side_street_that_reaches_one_carriageway_cuts_both():
    side = _line((-500, 300), (-500, 12))
    cut = road_between(BOTH_WAYS, side, _street(700))
    assert _metres(cut) == pytest.approx(2400, abs=1)


def test_a_side_street_drawn_a_little_short_still_meets():
    cut = road_between(MAIN, _line((-500, 300), (-500, 15)), _street(700))
    assert _metres(cut) == pytest.approx(1200, abs=0.5)


def test_carriageways_that_join_on_the_way_stay_in_the_stretch():
    road = shapely.MultiLineString(
        [
            _line((-2000, 12), (-200, 12), (0, 0)),
            _line((-2000, -12), (-200, -12), (0, 0)),
            _line((0, 0), (2000, 0)),
        ]
    )
    cut = road_between(road, _street(-500), _street(700))
    assert _metres(cut) == pytest.approx(2 * (300 + math.hypot(200, 12)) + 700, abs=1)


def test_carriageways_that_split_beside_a_junction_belong_to_the_stretch():
    road = shapely.MultiLineString(
        [
            _line((-2000, 0), (-460, 0)),
            _line((-460, 0), (-440, 12), (2000, 12)),
            _line((-460, 0), (-440, -12), (2000, -12)),
        ]
    )
    cut = road_between(road, _street(-500), _street(700))
    assert _metres(cut) == pytest.approx(40 + 2 * (math.hypot(20, 12) + 1140), abs=1)


def test_a_spur_of_the_same_name_is_left_out():
    road = shapely.MultiLineString([MAIN, _line((100, 0), (100, 400))])
    assert _metres(road_between(road, _street(-500), _street(700))) == pytest.approx(1200, abs=0.5)


def test_a_small_hole_is_bridged_and_a_large_one_is_not():
    def with_hole(metres):
        return shapely.MultiLineString([_line((-2000, 0), (0, 0)), _line((metres, 0), (2000, 0))])

    assert _metres(road_between(with_hole(50), _street(-500), _street(700))) == pytest.approx(
        1150, abs=0.5
    )
    torn = cut_road(with_hole(90), _street(-500), _street(700))
    assert torn.line is None
    assert torn.reason == Reason.AMBIGUOUS
    assert "不连续" in torn.note


@pytest.mark.parametrize(
    ("road", "first", "reason", "said"),
    [
        (MAIN, _line((-500, 300), (-500, 60)), Reason.NO_COORDINATE, "不相交"),
        (MAIN, _line((-500, -300), (-500, 300), (0, 300), (0, -300)), Reason.AMBIGUOUS, "2 处"),
        (MAIN, _line((-500, 300), (-500, 15), (-450, 100), (-300, 100), (-300, 15)), Reason.AMBIGUOUS, "2 处"),
        (MAIN, _line((-900, 0), (-500, 0), (-500, 300)), Reason.AMBIGUOUS, "重合"),
        (MAIN, _street(660), Reason.AMBIGUOUS, "同一个路口"),
    ],
)  # fmt: skip
def test_what_the_lines_do_not_settle_has_no_answer_but_a_reason(road, first, reason, said):
    cut = cut_road(road, first, _street(700))
    assert cut.line is None
    assert cut.reason == reason
    assert said in cut.note


def test_a_ring_road_has_two_ways_round_and_therefore_no_answer():
    circle = [
        (1000 * math.cos(a / 18 * math.pi), 1000 * math.sin(a / 18 * math.pi)) for a in range(37)
    ]
    ring = _line(*circle)
    cut = cut_road(ring, _line((800, 5), (1200, 5)), _line((-800, 5), (-1200, 5)))
    assert cut.line is None
    assert "环路" in cut.note


# --- laws -------------------------------------------------------------------------------------------

_BENDS = st.lists(st.integers(-120, 120), min_size=9, max_size=9)
_ENDS = st.lists(st.integers(-1700, 1700), min_size=2, max_size=2).filter(
    lambda ends: abs(ends[0] - ends[1]) > 3 * JUNCTION_M
)


def _bent(bends, shift=0.0):
    return _line(*((x, y + shift) for x, y in zip(range(-2000, 2001, 500), bends, strict=True)))


@given(bends=_BENDS, ends=_ENDS)
def test_the_stretch_lies_on_the_road_and_ends_on_the_crossings(bends, ends):
    road = _bent(bends)
    crosses = [_street(east) for east in ends]
    cut = road_between(road, *crosses)
    vertices = shapely.points(shapely.get_coordinates(cut))
    assert shapely.distance(road, vertices).max() < 1e-9
    tips = shapely.get_point(cut, [0, -1])
    assert max(min(shapely.distance(tip, cross) for cross in crosses) for tip in tips) < 1e-9
    west, east = sorted(ends)
    west_lon, east_lon = at(west, 0)[0], at(east, 0)[0]
    assert cut.bounds[0] == pytest.approx(west_lon, abs=1e-7)
    assert cut.bounds[2] == pytest.approx(east_lon, abs=1e-7)


@given(bends=_BENDS, ends=_ENDS, two=st.booleans(), backwards=st.booleans())
def test_neither_order_nor_direction_makes_a_difference(bends, ends, two, backwards):
    lines = [_bent(bends, 12), _bent(bends, -12)] if two else [_bent(bends)]
    road = shapely.MultiLineString(lines)
    turned = shapely.MultiLineString([shapely.reverse(line) for line in lines[::-1]])
    first, second = (_street(east) for east in ends)
    one = road_between(road, first, second)
    other = road_between(turned if backwards else road, second, first)
    assert shapely.equals_exact(one, other, tolerance=1e-9)


@given(bends=_BENDS, ends=_ENDS, cuts=st.sets(st.integers(1, 7)))
def test_how_a_road_is_cut_into_segments_makes_no_difference(bends, ends, cuts):
    road = _bent(bends)
    where = [0, *sorted(cuts), 8]
    parts = [shapely.LineString(road.coords[a : b + 1]) for a, b in pairwise(where)]
    crosses = [_street(east) for east in ends]
    whole, joined = (
        road_between(road, *crosses),
        road_between(shapely.MultiLineString(parts), *crosses),
    )
    assert shapely.hausdorff_distance(whole, joined) < 1e-9


# --- words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "road", "first", "second"),
    [
        ("武圣路（新华路至民主路）", "武圣路", "新华路", "民主路"),
        ("武圣路（新华路—民主路段）", "武圣路", "新华路", "民主路"),
        ("武圣路(从新华路到民主路)", "武圣路", "新华路", "民主路"),
        ("武圣路新华路至民主路段", "武圣路", "新华路", "民主路"),
        ("武圣路（新华路与民主路之间）", "武圣路", "新华路", "民主路"),
        ("武圣路【新华路路口至民主路路口】", "武圣路", "新华路", "民主路"),
        ("中华大街：新运大街～卫国路", "中华大街", "新运大街", "卫国路"),
        ("新华路与民主路之间", "", "新华路", "民主路"),
        ("新华路—民主路段", "", "新华路", "民主路"),
        ("新华路-民主路", "", "新华路", "民主路"),
        ("从新华路到民主路", "", "新华路", "民主路"),
        ("位于新华路和民主路之间路段", "", "新华路", "民主路"),
        ("新华路与民主路之间的武圣路", "武圣路", "新华路", "民主路"),
        ("辽阳市白塔区武圣路（新华路至民主路）", "武圣路", "新华路", "民主路"),
        ("武聖路（新華路至民主路）", "武圣路", "新华路", "民主路"),
    ],
)
def test_the_phrases_of_bulletins_are_read(text, road, first, second):
    assert parse_stretch(text) == StretchNames(road, first, second)


@pytest.mark.parametrize(
    "text",
    ["武圣路", "", "武圣路与新华路交叉口", "武圣路12号", "武圣路（2024年3月至5月）", "新华路与民主路",
     "从火车站到民主路", "新" * 80 + "路至民主路", "至", "路至路"],
)  # fmt: skip
def test_other_texts_name_no_stretch(text):
    assert parse_stretch(text) is None


@given(st.text(alphabet="新华武圣路街从自由到至与和之间的段(（)-—", max_size=70))
def test_any_text_is_read_or_refused_without_trouble(text):
    names = parse_stretch(text)
    assert names is None or (names.first and names.second)


# --- the locator ------------------------------------------------------------------------------------


def _road(name, line, **more):
    return Place(f"road:{name}", name, "road", "road", line, source="样例.osm.pbf；way/1", **more)


ROADS = (
    _road("中华大街", MAIN, aliases=("旧中华街",)),
    _road("新华路", _street(-500), uncertainty_m=10.0),
    _road("民主路", _street(700)),
    Place("road:无线路", "无线路", "road", "none"),
    _road("示意路", _street(200), sketch=True),
)


def _record(name, place="", kind="parking"):
    return SiteRecord(
        kind, name, "cleared", Source("通报.txt"), place=place, as_of=date(2024, 3, 1)
    )


@pytest.mark.parametrize(
    "record",
    [
        _record("中华大街（新华路至民主路）"),
        _record("中华大街", "新华路与民主路之间"),
        _record("旧中华街", "从民主路到新华路"),
    ],
)
def test_a_record_of_a_stretch_gets_that_stretch(record):
    match = RoadLocator(ROADS).locate(record)
    assert match.method == METHOD
    assert match.precision == "road"
    assert match.uncertainty_m == 10.0
    assert match.score >= 90
    assert _metres(match.geometry) == pytest.approx(1200, abs=0.5)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (_record("中华大街（新华路至无线路）"), Reason.NO_COORDINATE),
        (_record("中华大街（新华路至示意路）"), Reason.NO_COORDINATE),
        (_record("中华大街（新华路至未知路）"), Reason.NO_COORDINATE),
        (_record("新华路（中华大街至民主路）"), Reason.NO_COORDINATE),
    ],
)
def test_a_stretch_that_is_not_known_has_a_reason_and_no_line(record, reason):
    match = RoadLocator(ROADS).locate(record)
    assert match.geometry is None
    assert match.reason == reason


def test_two_roads_of_one_name_are_for_a_person_to_choose():
    twice = (*ROADS, Place("road:2", "民主路", "road", "road", _street(900)))
    match = RoadLocator(twice).locate(_record("中华大街（新华路至民主路）"))
    assert match.geometry is None
    assert match.reason == Reason.AMBIGUOUS


def test_what_is_no_stretch_of_a_road_is_none_of_its_business():
    locator = RoadLocator(ROADS)
    assert locator.locate(_record("中华大街")) is None
    assert locator.locate(_record("某厂", "新华路与民主路之间", kind="enterprise")) is None
