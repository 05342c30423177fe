import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.locate.address import (
    NEARBY_M,
    Address,
    KnownDoor,
    KnownRoad,
    parse_address,
    resolve_address,
)
from geo.site import EXACT, Reason

# --- what an address says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("新华路526号", Address("新华路", number="526")),
        ("新华路526", Address("新华路", number="526")),
        ("新華路五百二十六號", Address("新华路", number="526")),
        ("永寿胡同58-2号", Address("永寿胡同", number="58-2")),
        ("永寿胡同58之2号", Address("永寿胡同", number="58-2")),
        ("辽阳市白塔区中华大街一段１号", Address("中华大街", "一段", "1")),
        ("中华大街1段1号", Address("中华大街", "一段", "1")),
        ("二一九路8号", Address("二一九路", number="8")),
        ("铁路街12号", Address("铁路街", number="12")),
        ("武圣街道新华路12号", Address("新华路", number="12", street="武圣街道")),
        ("新华路12号3楼", Address("新华路", number="12")),
        ("新华路12号鸿飞大厦", Address("新华路", number="12", rest="鸿飞大厦")),
        ("新华路526号附近", Address("新华路", number="526", nearby=True)),
        ("新华路12号东侧", Address("新华路", number="12", direction="东")),
        ("新华路12号以东100米", Address("新华路", number="12", direction="东", distance_m=100)),
        ("新华路", Address("新华路")),
        ("中华大街二段", Address("中华大街", "二段")),
        ("新华路沿线", Address("新华路", nearby=True)),
    ],
)
def test_a_road_and_a_door_are_read(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "direction", "distance_m", "nearby"),
    [
        ("中华大街与新华路交叉口", "", None, False),
        ("中华大街×新华路", "", None, False),
        ("中华大街、新华路交汇处", "", None, False),
        ("中华大街新华路十字路口", "", None, False),
        ("中华大街二段和新华路路口", "", None, False),
        ("中华大街与新华路交叉口西50米", "西", 50, False),
        ("中华大街与新华路交叉口向西约50米处", "西", 50, False),
        ("中华大街与新华路交叉路口以东北1.5公里", "东北", 1500, False),
        ("中华大街与新华路交叉口正西50m路北", "西", 50, False),
        ("中华大街与新华路路口东北角", "东北", None, False),
        ("中华大街与新华路交叉口附近", "", None, True),
    ],
)
def test_a_crossing_is_read_with_the_way_from_it(text, direction, distance_m, nearby):
    found = parse_address(text)
    assert (found.road, found.crossing) == ("中华大街", "新华路")
    assert (found.direction, found.distance_m, found.nearby) == (direction, distance_m, nearby)


@pytest.mark.parametrize(
    "text",
    [
        "武圣路（新华路与民主路之间）",
        "武圣路新华路和民主路之间路段",
        "武圣路：新华路至民主路",
        "武圣路自新华路到民主路段",
        "新华路与民主路之间的武圣路段",
        "新华路至民主路之间武圣路",
    ],
)
def test_a_stretch_is_read_with_its_ends(text):
    assert parse_address(text) == Address("武圣路", between=("新华路", "民主路"))


@pytest.mark.parametrize(
    "text",
    ["", "辽阳站", "青年街社区", "武圣街道", "新华路口", "建行大厦", "白塔区", "新华路小学", "路"],
)
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None


@given(
    st.text(max_size=80) | st.text(alphabet="新华路街号与交叉口西段一1米-（）之间至", max_size=80)
)
def test_no_text_is_too_strange_to_be_read(text):
    found = parse_address(text)
    assert found is None or found.road


def test_two_writings_of_one_crossing_have_one_key():
    key = parse_address("中华大街与新华路交叉口西50米").key
    assert parse_address("新华路、中华大街路口以西50米处").key == key
    assert parse_address("新华路与中华大街交叉口东50米").key != key
    assert parse_address("新华路与中华大街交叉口").key != key


def test_an_address_of_no_single_spot_has_no_key():
    for text in ("新华路", "新华路12号鸿飞大厦", "武圣路（新华路与民主路之间）"):
        assert parse_address(text).key is None


# --- where that is ----------------------------------------------------------------------------------

# A grid of streets around 123.17, 41.26: a hundredth of a degree is 835.9 m east, 1,111.95 m north.
EAST_M, NORTH_M = 111_195 * math.cos(math.radians(41.26)), 111_195


def _road(name, *spots, within=10.0, **more):
    return KnownRoad(name, shapely.LineString(spots), within, **more)


LONG = _road("甲路", (123.15, 41.26), (123.19, 41.26))  # west to east
CROSS = _road("乙街", (123.17, 41.25), (123.17, 41.27), within=15.0)  # south to north
SECOND = _road("丙街", (123.18, 41.25), (123.18, 41.27))
APART = _road("丁路", (123.15, 41.28), (123.19, 41.28))
SKETCH = _road("戊街", (123.16, 41.25), (123.16, 41.27), sketch=True)
ROADS = [LONG, CROSS, SECOND, APART, SKETCH]


def _door(text, lon, lat, precision="road", within=100.0):
    return KnownDoor(text, parse_address(text), shapely.Point(lon, lat), precision, within)


def _resolve(text, roads=ROADS, doors=()):
    return resolve_address(parse_address(text), roads, doors)


def _metres(spot, lon, lat):
    return math.hypot((spot.geometry.x - lon) * EAST_M, (spot.geometry.y - lat) * NORTH_M)


def test_a_crossing_of_two_known_lines_is_an_intersection():
    spot = _resolve("甲路与乙街交叉口")
    assert (spot.geometry.x, spot.geometry.y) == pytest.approx((123.17, 41.26), abs=1e-9)
    assert (spot.precision, spot.uncertainty_m, spot.reason) == ("intersection", 20.0, "")
    assert spot.score >= 90


@pytest.mark.parametrize(
    ("within", "precision"), [(90.0, "intersection"), (150.0, "road"), (None, "road")]
)
def test_a_crossing_is_no_better_known_than_its_worse_road(within, precision):
    vague = _road("乙街", (123.17, 41.25), (123.17, 41.27), within=within)
    spot = _resolve("甲路与乙街交叉口", [LONG, vague])
    assert (spot.precision, spot.uncertainty_m) == (precision, within)
    stretch = _resolve("甲路（乙街与丙街之间）", [LONG, vague, SECOND])
    assert (stretch.precision, stretch.uncertainty_m) == ("road", within)


def test_roads_that_run_together_do_not_cross():
    spot = _resolve("甲路与乙街交叉口", [LONG, _road("乙街", (123.16, 41.26), (123.18, 41.26))])
    assert (spot.geometry, spot.reason) == (None, Reason.AMBIGUOUS)
    assert _resolve("甲路与甲路交叉口").reason == Reason.AMBIGUOUS


@pytest.mark.parametrize(
    ("text", "roads", "reason", "words"),
    [
        ("甲路与己街交叉口", ROADS, Reason.NO_COORDINATE, "己街没有真实的线形"),
        ("甲路与戊街交叉口", ROADS, Reason.NO_COORDINATE, "戊街没有真实的线形"),
        ("甲路与丁路交叉口", ROADS, Reason.NO_COORDINATE, "不相交"),
        (
            "甲路与庚街交叉口",
            [
                LONG,
                _road("庚街", (123.16, 41.25), (123.16, 41.27), (123.18, 41.27), (123.18, 41.25)),
            ],
            Reason.AMBIGUOUS,
            "2 处",
        ),
    ],
)
def test_a_crossing_that_is_not_known_is_nowhere_and_says_why(text, roads, reason, words):
    spot = _resolve(text, roads)
    assert (spot.geometry, spot.precision, spot.reason) == (None, "none", reason)
    assert words in spot.note


def test_a_road_of_two_carriageways_is_crossed_once_in_their_middle():
    north, south = (_road("甲路", (123.15, lat), (123.19, lat)) for lat in (41.2602, 41.2598))
    spot = _resolve("甲路与乙街路口", [north, south, CROSS])
    assert _metres(spot, 123.17, 41.26) < 0.1
    assert spot.uncertainty_m == pytest.approx(15 + 0.0002 * NORTH_M, abs=0.1)


def test_a_t_junction_with_a_gap_is_a_crossing_with_the_gap_added():
    short = _road("乙街", (123.17, 41.2602), (123.17, 41.27), within=15.0)  # ends 22 m north
    spot = _resolve("甲路与乙街路口", [LONG, short])
    assert spot.precision == "intersection"
    assert spot.uncertainty_m == pytest.approx(15 + 0.0002 * NORTH_M, abs=0.1)
    far = _road("乙街", (123.17, 41.2604), (123.17, 41.27))  # 44 m
    assert _resolve("甲路与乙街路口", [LONG, far]).geometry is None


@pytest.mark.parametrize(
    ("way", "east", "north"), [("西", -1, 0), ("东", 1, 0), ("北", 0, 1), ("南", 0, -1)]
)
def test_so_many_metres_from_a_crossing_lie_on_the_road_that_goes_that_way(way, east, north):
    spot = _resolve(f"甲路与乙街交叉口{way}200米")
    assert (spot.geometry.x - 123.17) * EAST_M == pytest.approx(200 * east, abs=1)
    assert (spot.geometry.y - 41.26) * NORTH_M == pytest.approx(200 * north, abs=1)
    assert (spot.precision, spot.uncertainty_m, spot.reason) == ("road", 70.0, "")


def test_metres_where_no_road_goes_that_way_wait_for_a_person():
    end = _road("乙街", (123.17, 41.26), (123.17, 41.27))  # nothing south of the crossing
    long = _road("甲路", (123.10, 41.26), (123.24, 41.26))
    for text in ("甲路与乙街交叉口南200米", "甲路与乙街交叉口东9公里", "甲路与乙街交叉口东2.5公里"):
        spot = _resolve(text, [long, end])
        assert (spot.precision, spot.reason) == ("road", Reason.TO_CONFIRM)
        assert spot.score < 90
        assert spot.uncertainty_m >= 200


@pytest.mark.parametrize("text", ["甲路与乙街交叉口附近", "甲路与乙街交叉口东侧"])
def test_near_a_crossing_is_no_crossing(text):
    spot = _resolve(text)
    assert (spot.precision, spot.uncertainty_m) == ("road", 20.0 + NEARBY_M)
    assert spot.reason == Reason.TO_CONFIRM


def test_a_stretch_is_the_part_of_the_road_between_its_ends():
    for text in ("甲路（乙街与丙街之间）", "甲路：丙街至乙街"):
        spot = _resolve(text)
        assert shapely.get_coordinates(spot.geometry) == pytest.approx(
            shapely.get_coordinates(shapely.LineString([(123.17, 41.26), (123.18, 41.26)]))
        )
        assert (spot.precision, spot.reason) == ("road", "")


def test_a_stretch_of_two_carriageways_has_both():
    roads = [_road("甲路", (123.15, lat), (123.19, lat)) for lat in (41.2602, 41.2598)]
    spot = _resolve("甲路（乙街与丙街之间）", [*roads, CROSS, SECOND])
    assert spot.geometry.geom_type == "MultiLineString"
    assert spot.geometry.bounds == pytest.approx((123.17, 41.2598, 123.18, 41.2602))


def test_a_stretch_over_a_hole_in_the_drawing_is_whole_and_over_a_gap_is_not_known():
    def torn(degrees):
        return [
            _road("甲路", (123.15, 41.26), (123.175, 41.26)),
            _road("甲路", (123.175 + degrees, 41.26), (123.19, 41.26)),
        ]

    bridged = _resolve("甲路（乙街与丙街之间）", [*torn(0.0005), CROSS, SECOND])  # 42 m
    assert bridged.geometry.bounds == pytest.approx((123.17, 41.26, 123.18, 41.26))
    gap = _resolve("甲路（乙街与丙街之间）", [*torn(0.002), CROSS, SECOND])
    assert (gap.geometry, gap.reason) == (None, Reason.AMBIGUOUS)
    assert "不连续" in gap.note


def test_a_stretch_with_an_unknown_end_is_nowhere():
    spot = _resolve("甲路（乙街与己街之间）")
    assert (spot.geometry, spot.reason) == (None, Reason.NO_COORDINATE)
    assert _resolve("辛路（壬街与癸街之间）") is None


def test_a_door_number_on_a_line_is_that_line_and_waits_for_a_person():
    spot = _resolve("甲路12号", doors=[_door("甲路10号", 123.16, 41.26)])
    assert spot.geometry == LONG.line
    assert (spot.precision, spot.uncertainty_m, spot.reason) == ("road", 10.0, Reason.TO_CONFIRM)
    assert spot.score < 90


def test_a_door_number_between_known_doors_is_the_nearest_as_far_as_the_road_is_known():
    doors = [_door("甲路10号", 123.16, 41.26), _door("甲路40号", 123.18, 41.26, within=50.0)]
    spot = _resolve("甲路12号", [], doors)
    assert (spot.geometry, spot.precision, spot.reason) == (
        doors[0].point,
        "road",
        Reason.TO_CONFIRM,
    )
    assert spot.uncertainty_m == pytest.approx(0.02 * EAST_M + 100, rel=0.001)
    assert "甲路10号" in spot.note
    alone = _resolve("甲路12号", [], doors[:1])
    assert alone.uncertainty_m is None
    assert _resolve("甲路12号", [], [_door("甲路一段10号", 123.16, 41.26)]) is None


def test_a_known_door_stays_one_of_the_road_however_well_its_point_is_known():
    doors = [_door("甲路12号", 123.16, 41.26, precision="rooftop", within=5.0)]
    for text, within in (("甲路12号某某大厦", 5.0), ("甲路12号附近", 5.0 + NEARBY_M)):
        spot = _resolve(text, [], doors)
        assert (spot.precision, spot.uncertainty_m) == ("road", within)
        assert spot.reason == Reason.TO_CONFIRM


def test_a_sketched_road_says_that_it_is_one():
    spot = _resolve("戊街12号")
    assert (spot.sketch, spot.precision, spot.reason) == (True, "road", Reason.TO_CONFIRM)


@given(
    text=st.sampled_from(["甲路12号", "甲路", "戊街3号", "甲路10号附近", "乙街10-1号某店"]),
    known=st.lists(
        st.tuples(
            st.sampled_from(["甲路10号", "甲路12号", "戊街1号", "乙街10号"]),
            st.floats(123.15, 123.19),
            st.floats(41.25, 41.27),
            st.sampled_from(["rooftop", "poi", "road", "community"]),
        ),
        max_size=4,
    ),
)
def test_a_door_number_is_never_a_pin_and_never_a_point_that_no_source_gave(text, known):
    doors = [_door(*door) for door in known]
    spot = _resolve(text, doors=doors)
    if spot is not None:
        assert spot.precision not in EXACT
        assert spot.reason == Reason.TO_CONFIRM
        assert any(spot.geometry == given.point for given in doors) or any(
            spot.geometry == road.line for road in ROADS
        )
