"""Stretches of road between two cross streets: worked examples and laws."""

import math
from itertools import pairwise

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from osm_samples import MAIN, at, line, metres, street

from geo.locate.stretch import JUNCTION_M, cut_road
from geo.site import Reason

BOTH_WAYS = shapely.MultiLineString(
    [line((-2000, 12), (2000, 12)), line((2000, -12), (-2000, -12))]
)


# --- worked examples --------------------------------------------------------------------------------


def test_a_road_is_cut_at_its_two_cross_streets():
    cut = cut_road(MAIN, street(-500), street(700)).line
    assert metres(cut) == pytest.approx(1200, abs=0.5)
    assert shapely.distance(cut, shapely.Point(at(-500, 0))) < 1e-7
    assert shapely.distance(cut, shapely.Point(at(700, 0))) < 1e-7


def test_two_carriageways_are_both_cut():
    cut = cut_road(BOTH_WAYS, street(-500), street(700)).line
    assert len(cut.geoms) == 2
    assert metres(cut) == pytest.approx(2400, abs=1)


def test_a_side_street_that_reaches_one_carriageway_cuts_both():
    side = line((-500, 300), (-500, 12))
    cut = cut_road(BOTH_WAYS, side, street(700)).line
    assert metres(cut) == pytest.approx(2400, abs=1)


def test_a_side_street_drawn_a_little_short_still_meets():
    cut = cut_road(MAIN, line((-500, 300), (-500, 15)), street(700)).line
    assert metres(cut) == pytest.approx(1200, abs=0.5)


def test_carriageways_that_join_on_the_way_stay_in_the_stretch():
    road = shapely.MultiLineString(
        [
            line((-2000, 12), (-200, 12), (0, 0)),
            line((-2000, -12), (-200, -12), (0, 0)),
            line((0, 0), (2000, 0)),
        ]
    )
    cut = cut_road(road, street(-500), street(700)).line
    assert metres(cut) == pytest.approx(2 * (300 + math.hypot(200, 12)) + 700, abs=1)


def test_carriageways_that_split_beside_a_junction_belong_to_the_stretch():
    road = shapely.MultiLineString(
        [
            line((-2000, 0), (-460, 0)),
            line((-460, 0), (-440, 12), (2000, 12)),
            line((-460, 0), (-440, -12), (2000, -12)),
        ]
    )
    cut = cut_road(road, street(-500), street(700)).line
    assert metres(cut) == pytest.approx(40 + 2 * (math.hypot(20, 12) + 1140), abs=1)


def test_a_spur_of_the_same_name_is_left_out():
    road = shapely.MultiLineString([MAIN, line((100, 0), (100, 400))])
    assert metres(cut_road(road, street(-500), street(700)).line) == pytest.approx(1200, abs=0.5)


def test_a_small_hole_is_bridged_and_a_large_one_is_not():
    def with_hole(metres):
        return shapely.MultiLineString([line((-2000, 0), (0, 0)), line((metres, 0), (2000, 0))])

    assert metres(cut_road(with_hole(50), street(-500), street(700)).line) == pytest.approx(
        1150, abs=0.5
    )
    torn = cut_road(with_hole(90), street(-500), street(700))
    assert torn.line is None
    assert torn.reason == Reason.AMBIGUOUS
    assert "不连续" in torn.note


@pytest.mark.parametrize(
    ("road", "first", "reason", "said"),
    [
        (MAIN, line((-500, 300), (-500, 60)), Reason.NO_COORDINATE, "不相交"),
        (MAIN, line((-500, -300), (-500, 300), (0, 300), (0, -300)), Reason.AMBIGUOUS, "2 处"),
        (MAIN, line((-500, 300), (-500, 15), (-450, 100), (-300, 100), (-300, 15)), Reason.AMBIGUOUS, "2 处"),
        (MAIN, line((-900, 0), (-500, 0), (-500, 300)), Reason.AMBIGUOUS, "重合"),
        (MAIN, street(660), Reason.AMBIGUOUS, "同一个路口"),
    ],
)  # fmt: skip
def test_what_the_lines_do_not_settle_has_no_answer_but_a_reason(road, first, reason, said):
    cut = cut_road(road, first, street(700))
    assert cut.line is None
    assert cut.reason == reason
    assert said in cut.note


def test_a_ring_road_has_two_ways_round_and_therefore_no_answer():
    circle = [
        (1000 * math.cos(a / 18 * math.pi), 1000 * math.sin(a / 18 * math.pi)) for a in range(37)
    ]
    ring = line(*circle)
    cut = cut_road(ring, line((800, 5), (1200, 5)), line((-800, 5), (-1200, 5)))
    assert cut.line is None
    assert "环路" in cut.note


# --- laws -------------------------------------------------------------------------------------------

_BENDS = st.lists(st.integers(-120, 120), min_size=9, max_size=9)
_ENDS = st.lists(st.integers(-1700, 1700), min_size=2, max_size=2).filter(
    lambda ends: abs(ends[0] - ends[1]) > 3 * JUNCTION_M
)


def _bent(bends, shift=0.0):
    return line(*((x, y + shift) for x, y in zip(range(-2000, 2001, 500), bends, strict=True)))


@given(bends=_BENDS, ends=_ENDS)
def test_the_stretch_lies_on_the_road_and_ends_on_the_crossings(bends, ends):
    road = _bent(bends)
    crosses = [street(east) for east in ends]
    cut = cut_road(road, *crosses).line
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
    first, second = (street(east) for east in ends)
    one = cut_road(road, first, second).line
    other = cut_road(turned if backwards else road, second, first).line
    assert shapely.equals_exact(one, other, tolerance=1e-9)


@given(bends=_BENDS, ends=_ENDS, cuts=st.sets(st.integers(1, 7)))
def test_how_a_road_is_cut_into_segments_makes_no_difference(bends, ends, cuts):
    road = _bent(bends)
    where = [0, *sorted(cuts), 8]
    parts = [shapely.LineString(road.coords[a : b + 1]) for a, b in pairwise(where)]
    crosses = [street(east) for east in ends]
    whole, joined = (
        cut_road(road, *crosses).line,
        cut_road(shapely.MultiLineString(parts), *crosses).line,
    )
    assert shapely.hausdorff_distance(whole, joined) < 1e-9
