from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.draw.basemaps import district_outline
from geo.locate import (
    Boundary,
    Corrections,
    Gazetteer,
    GivenCoordinates,
    find_match,
    locate_sites,
    read_gazetteer,
)
from geo.site import Correction, Match, Reason, SiteRecord, Source, check_sites, is_located

GAZETTEER = Gazetteer(
    read_gazetteer(Path(__file__).resolve().parents[2] / "data" / "gazetteer.csv")
)
OUTLINE = district_outline("211002")


def _record(name="某公司", kind="enterprise", **more):
    return SiteRecord(kind, name, "unverified", Source("test.csv"), **more)


class _Says:
    def __init__(self, match):
        self.match = match

    def locate(self, record):
        return self.match


_WAIT = Match("a", reason=Reason.TO_CONFIRM, note="ask")
_FOUND = Match("b", geometry=shapely.Point(123.17, 41.26), precision="poi", score=100.0)
_OUTSIDE = Match("c", reason=Reason.OUTSIDE)


# --- the order ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([None, _FOUND], _FOUND),
        ([_WAIT, _FOUND], _FOUND),
        ([None, _WAIT, None], _WAIT),
        ([_WAIT, Match("z", reason=Reason.AMBIGUOUS)], _WAIT),
        ([_OUTSIDE, _FOUND], _OUTSIDE),
        ([_FOUND, _OUTSIDE], _FOUND),
        ([], Match("none", reason=Reason.NO_COORDINATE)),
        ([None], Match("none", reason=Reason.NO_COORDINATE)),
    ],
)
def test_the_first_place_wins_and_failing_that_the_first_reason(answers, expected):
    assert find_match(_record(), [_Says(answer) for answer in answers]) == expected


_names = st.sampled_from(
    ["辽阳站", "辽阳白塔", "站前交通枢纽", "某公司", "新华路", "建行", "富虹四期"]
)
_records = st.builds(
    _record,
    name=_names,
    kind=st.sampled_from(["enterprise", "project", "parking"]),
    place=st.sampled_from(["", "白塔区", "武圣街道", "北京市", "新华路526号"]),
    x=st.one_of(st.none(), st.sampled_from([0.0, 123.17, 41.26, 116.4, float("nan")])),
    y=st.one_of(st.none(), st.sampled_from([0.0, 123.17, 41.26, 39.9])),
    datum=st.sampled_from(["", "wgs84", "gcj02", "epsg:4550", "mars2"]),
    precision=st.sampled_from(["", "poi", "road", "district"]),
    as_of=st.sampled_from([None, date(2020, 3, 11), date(2024, 1, 1)]),
)


@given(st.lists(_records, max_size=20))
def test_every_record_comes_back_in_order_and_the_table_is_sound(records):
    records = [_record_with_id(record, f"s{n}") for n, record in enumerate(records)]
    sites = locate_sites(records, [GivenCoordinates(OUTLINE), GAZETTEER])
    assert sites["site_id"].tolist() == [record.site_id for record in records]
    assert sites["name"].tolist() == [record.name for record in records]
    check_sites(sites)
    located = is_located(sites)
    assert located.sum() + (sites["reason"] != "").sum() == len(records)
    assert (sites.loc[~located, "geometry"].isna()).all()


def _record_with_id(record, site_id):
    fields = {name: getattr(record, name) for name in record.__slots__}
    return SiteRecord(**{**fields, "site_id": site_id})


def test_a_correction_wins_over_the_source_and_the_gazetteer():
    record = _record("辽阳站", kind="project", x=123.17, y=41.26, datum="wgs84")
    spot = shapely.Point(123.18, 41.27)
    said = Correction(
        record.site_id,
        "project",
        "辽阳站",
        spot,
        "poi",
        20,
        "lin",
        datetime(2020, 3, 12, tzinfo=UTC),
    )
    locators = [Corrections([said]), GivenCoordinates(OUTLINE), GAZETTEER]
    assert find_match(record, locators).geometry == spot
    assert find_match(record, locators[1:]).geometry == shapely.Point(123.17, 41.26)
    assert find_match(record, locators[2:]).method == "gazetteer"


# --- coordinates the source gives -----------------------------------------------------------------


def test_given_coordinates_are_converted_and_the_raw_numbers_kept():
    record = _record(x=123.180867, y=41.284277, datum="bd09", precision="rooftop", uncertainty_m=5)
    match = GivenCoordinates(OUTLINE).locate(record)
    assert (round(match.geometry.x, 5), round(match.geometry.y, 5)) == (123.16843, 41.27646)
    assert (match.raw_x, match.raw_y, match.raw_datum) == (123.180867, 41.284277, "bd09")
    assert (match.precision, match.uncertainty_m, match.note) == ("rooftop", 5, "")


def test_precision_that_nobody_stated_is_said_to_be_unstated():
    match = GivenCoordinates(OUTLINE).locate(_record(x=123.17, y=41.26, datum="wgs84"))
    assert (match.precision, match.uncertainty_m) == ("poi", None)
    assert "精度未说明" in match.note


def test_a_given_line_is_a_road():
    path = ((123.17, 41.26), (123.18, 41.27))
    record = _record("某路", kind="parking", path=path, datum="wgs84")
    match = GivenCoordinates(OUTLINE).locate(record)
    assert match.geometry == shapely.LineString(path)
    assert match.precision == "road"
    silent = _record("某路", kind="parking", path=path)
    assert GivenCoordinates(OUTLINE).locate(silent).reason == Reason.TO_CONFIRM


def test_every_vertex_of_a_given_line_is_converted():
    path = ((123.180867, 41.284277), (123.192809, 41.278107))
    record = _record("某路", kind="parking", path=path, datum="百度")
    line = GivenCoordinates(OUTLINE).locate(record).geometry
    expected = [[123.16843, 41.27646], [123.18040, 41.27032]]
    assert shapely.get_coordinates(line).round(5).tolist() == expected


def test_a_site_beside_the_border_is_kept_and_one_far_away_is_not_drawn():
    _, north = shapely.bounds(OUTLINE)[[0, 3]]
    top = next(p for p in shapely.get_coordinates(OUTLINE) if p[1] == north)
    beside = _record(x=top[0], y=top[1] + 0.02, datum="wgs84")  # 2.2 km
    beyond = _record(x=top[0], y=top[1] + 0.03, datum="wgs84")  # 3.3 km
    given_by_source = GivenCoordinates(OUTLINE)
    assert given_by_source.locate(beside).geometry is not None
    match = given_by_source.locate(beyond)
    assert (match.geometry, match.precision, match.reason) == (None, "none", Reason.OUTSIDE)
    assert (match.raw_x, match.raw_y, match.raw_datum) == (beyond.x, beyond.y, "wgs84")
    assert "3.3 km" in match.note
    assert f"{beyond.y:.5f}" in match.note
    assert GivenCoordinates(OUTLINE, tolerance_m=4000).locate(beyond).geometry is not None
    assert GivenCoordinates().locate(beyond).geometry is not None


def test_a_line_that_leaves_the_district_is_not_drawn():
    record = _record("某路", kind="parking", path=((123.17, 41.26), (123.17, 41.6)), datum="wgs84")
    assert GivenCoordinates(OUTLINE).locate(record).reason == Reason.OUTSIDE


def test_a_name_known_here_does_not_draw_a_site_that_its_source_puts_elsewhere():
    record = _record("辽阳站", kind="project", x=116.4, y=39.9, datum="wgs84")
    match = find_match(record, [GivenCoordinates(OUTLINE), GAZETTEER])
    assert (match.geometry, match.reason) == (None, Reason.OUTSIDE)


@pytest.mark.parametrize(
    ("x", "y", "datum", "reason"),
    [
        (123.17, 41.26, "", Reason.TO_CONFIRM),
        (123.17, 41.26, "mars2", Reason.TO_CONFIRM),
        (41.26, 123.17, "wgs84", Reason.TO_CONFIRM),
        (0.0, 0.0, "wgs84", Reason.NO_COORDINATE),
    ],
)
def test_numbers_that_cannot_be_read_without_guessing_are_kept_but_not_drawn(x, y, datum, reason):
    match = GivenCoordinates(OUTLINE).locate(_record(x=x, y=y, datum=datum))
    assert (match.geometry, match.reason, match.raw_x, match.raw_y) == (None, reason, x, y)
    assert match.note


def test_a_coordinate_as_coarse_as_the_district_is_not_drawn():
    record = _record(x=123.17, y=41.26, datum="wgs84", precision="district")
    match = GivenCoordinates(OUTLINE).locate(record)
    assert (match.geometry, match.reason) == (None, Reason.TOO_COARSE)


@given(st.lists(_records, max_size=20))
def test_converting_ahead_changes_no_answer(records):
    together = GivenCoordinates(OUTLINE, ahead=records)
    one_by_one = GivenCoordinates(OUTLINE)
    for record in records:
        ours, theirs = together.locate(record), one_by_one.locate(record)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert (ours.reason, ours.note) == (theirs.reason, theirs.note)
            assert (ours.geometry is None) == (theirs.geometry is None)
            if ours.geometry is not None:
                assert ours.geometry.equals_exact(theirs.geometry, 1e-12)


def test_no_numbers_or_half_of_them_say_nothing():
    for x, y in ((None, None), (123.17, None), (float("nan"), 41.26), (123.17, float("nan"))):
        assert GivenCoordinates(OUTLINE).locate(_record(x=x, y=y, datum="wgs84")) is None


def test_the_distance_outside_is_in_metres():
    square = Boundary(shapely.box(123.16, 41.25, 123.18, 41.27))
    assert square.metres_outside(shapely.Point(123.17, 41.26)) == 0
    assert square.metres_outside(shapely.Point(123.17, 41.28)) == pytest.approx(1110.6, rel=0.005)
    assert square.metres_outside(shapely.Point(123.19, 41.26)) == pytest.approx(837.9, rel=0.005)
