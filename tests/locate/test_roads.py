"""Stretches of road: where they are, and the words for them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osm_samples import MAIN, metres, street

from geo.locate.gazetteer import Place
from geo.locate.roads import (
    METHOD,
    RoadLocator,
    StretchNames,
    parse_stretch,
)
from geo.site import Reason, SiteRecord, Source

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
    _road("新华路", street(-500), uncertainty_m=10.0),
    _road("民主路", street(700)),
    Place("road:无线路", "无线路", "road", "none"),
    _road("示意路", street(200), sketch=True),
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
    assert metres(match.geometry) == pytest.approx(1200, abs=0.5)


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
    twice = (*ROADS, Place("road:2", "民主路", "road", "road", street(900)))
    match = RoadLocator(twice).locate(_record("中华大街（新华路至民主路）"))
    assert match.geometry is None
    assert match.reason == Reason.AMBIGUOUS


def test_what_is_no_stretch_of_a_road_is_none_of_its_business():
    locator = RoadLocator(ROADS)
    assert locator.locate(_record("中华大街")) is None
    assert locator.locate(_record("某厂", "新华路与民主路之间", kind="enterprise")) is None
