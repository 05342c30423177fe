from datetime import date
from pathlib import Path

import pytest
import shapely

from geo.errors import SchemaError, SourceError
from geo.locate.gazetteer import Candidate, Gazetteer, Place, accept, read_gazetteer
from geo.site import Reason, SiteRecord, Source

DATA = Path(__file__).resolve().parents[2] / "data"
MARCH = date(2020, 3, 11)


@pytest.fixture(scope="module")
def baita() -> Gazetteer:
    return Gazetteer(read_gazetteer(DATA / "gazetteer.csv"))


def _record(name, kind="project", **more):
    return SiteRecord(kind, name, "unverified", Source("test.csv"), **{"as_of": MARCH, **more})


def _place(name, lon=123.17, lat=41.26, **more):
    values = {"place_id": name, "kind": "place", "precision": "poi", "uncertainty_m": 50.0}
    return Place(name=name, geometry=shapely.Point(lon, lat), **{**values, **more})


# --- what is found ------------------------------------------------------------------------------


def test_a_landmark_is_found_with_its_raw_numbers_and_datum(baita):
    match = baita.locate(_record("辽阳白塔"))
    assert (round(match.geometry.x, 5), round(match.geometry.y, 5)) == (123.16843, 41.27646)
    assert (match.raw_x, match.raw_y, match.raw_datum) == (123.180867, 41.284277, "bd09")
    assert (match.precision, match.uncertainty_m, match.score) == ("poi", 80.0, 100.0)
    assert match.method == "gazetteer"


@pytest.mark.parametrize("name", ["辽阳市白塔区辽阳站", "辽阳火车站", " 辽阳站 "])
def test_another_spelling_or_an_alias_finds_the_same_place(baita, name):
    assert baita.locate(_record(name)).geometry == shapely.Point(123.16170, 41.27941)


def test_an_unknown_name_is_found_by_its_address(baita):
    match = baita.locate(_record("某某公司", kind="enterprise", place="白塔区新华路526号"))
    assert (match.precision, match.uncertainty_m) == ("road", 100.0)


def test_a_sketched_road_is_a_line_and_says_that_it_is_a_sketch(baita):
    match = baita.locate(_record("新华路", kind="parking"))
    assert match.geometry.geom_type == "LineString"
    assert (match.method, match.precision) == ("gazetteer sketch", "road")


def test_a_subdistrict_is_an_area_with_its_uncertainty_as_of_the_record(baita):
    match = baita.locate(_record("某某公司", kind="enterprise", place="武圣街道"))
    assert (match.precision, match.uncertainty_m) == ("street", 889.0)
    for later in (date(2021, 1, 1), None):
        match = baita.locate(_record("某某公司", kind="enterprise", place="武圣街道", as_of=later))
        assert (match.geometry, match.reason) == (None, Reason.NO_COORDINATE)


# --- what is not ----------------------------------------------------------------------------------


def test_a_road_is_never_a_building_and_a_building_never_a_road(baita):
    assert baita.locate(_record("新华路", kind="enterprise")) is None
    assert baita.locate(_record("辽阳站", kind="parking")) is None


def test_a_place_that_a_person_must_confirm_waits_and_says_what_and_where(baita):
    match = baita.locate(_record("站前交通枢纽"))
    assert (match.geometry, match.precision, match.reason) == (None, "none", Reason.TO_CONFIRM)
    for part in ("站前交通枢纽", "123.16170, 41.27941", "500 m"):
        assert part in match.note


def test_a_known_road_without_a_coordinate_is_not_drawn(baita):
    match = baita.locate(_record("团结街", kind="parking"))
    assert (match.geometry, match.reason) == (None, Reason.NO_COORDINATE)


def test_a_district_is_too_coarse_to_draw(baita):
    match = baita.locate(_record("某某公司", place="辽阳市白塔区"))
    assert (match.geometry, match.reason) == (None, Reason.TOO_COARSE)


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("大什街", "parking", "吉林省辽源市"),
        ("大什街", "parking", "辽源"),
        ("辽源市大什街", "parking", ""),
        ("武圣路", "parking", "北京市朝阳区"),
        ("武圣路", "parking", "北京武圣路"),
        ("北京市武圣路", "parking", ""),
        ("新华路", "parking", "首山镇"),
        ("新华路", "parking", "首山镇新华路"),
        ("新华路17号", "enterprise", "辽阳县首山镇新华路17号"),
        ("辽阳县首山镇新华路526号", "enterprise", ""),
        ("辽阳站", "project", "沈阳市浑南区"),
        ("沈阳市白塔小学", "project", ""),
        ("白塔小学", "project", "沈阳市"),
    ],
)
def test_the_same_name_in_another_city_is_never_found_here(baita, name, kind, place):
    schools = [*baita.places, _place("白塔小学"), _place("新华路17号", kind="address")]
    for gazetteer in (baita, Gazetteer(schools)):
        match = gazetteer.locate(_record(name, kind=kind, place=place))
        assert match is None or (match.geometry is None and match.reason == Reason.OUTSIDE)


def test_the_subdistrict_column_can_also_say_that_a_site_is_elsewhere(baita):
    match = baita.locate(_record("辽阳站", street="首山镇"))
    assert (match.geometry, match.reason) == (None, Reason.OUTSIDE)


def test_two_places_of_one_name_are_left_to_a_person():
    gazetteer = Gazetteer([_place("建行", place_id="a"), _place("建行", 123.2, place_id="b")])
    match = gazetteer.locate(_record("建行"))
    assert (match.geometry, match.reason) == (None, Reason.AMBIGUOUS)
    assert "（a）" in match.note
    assert "（b）" in match.note


def test_a_name_and_an_address_that_contradict_are_left_to_a_person():
    here, there = _place("建行大厦"), _place("某街1号", 123.2, kind="address")
    gazetteer = Gazetteer([here, there])
    assert gazetteer.locate(_record("建行大厦", place="某街1号")).reason == Reason.AMBIGUOUS
    near = _place("某街1号", 123.1705, kind="address")
    match = Gazetteer([here, near]).locate(_record("建行大厦", place="某街1号"))
    assert match.geometry == here.geometry


def test_one_row_whose_alias_is_its_name_does_not_rival_itself():
    gazetteer = Gazetteer([_place("建行大厦", aliases=("白塔区建行大厦", "建行大厦"))])
    assert gazetteer.locate(_record("建行大厦")).geometry is not None


# --- candidates and the rule ----------------------------------------------------------------------


def _candidate(score):
    return Candidate(f"{score}", score, "test", "", "poi", None, None, "")


@pytest.mark.parametrize(
    ("scores", "taken"),
    [
        ([], None),
        ([89.9], None),
        ([90.0], 90.0),
        ([95.0, 90.1], None),
        ([95.0, 90.0], 95.0),
        ([40.0, 100.0], 100.0),
        ([100.0, 100.0], None),
    ],
)
def test_only_a_good_and_clear_candidate_is_taken_without_a_person(scores, taken):
    found = accept([_candidate(score) for score in scores])
    assert (found and found.score) == taken


def test_a_near_name_is_suggested_but_can_never_be_taken(baita):
    found = baita.candidates("新华路562号", kind="enterprise")
    assert found[0].name == "新华路526号附近"
    assert all(candidate.score < 90 for candidate in found)
    assert accept(found) is None


def test_the_same_name_comes_first_with_its_point(baita):
    found = baita.candidates("辽阳站")
    assert (found[0].name, found[0].score) == ("辽阳站", 100.0)
    assert found[0].lon_lat == (123.16170, 41.27941)
    assert accept(found) == found[0]


def test_a_place_to_confirm_is_shown_with_its_point_and_the_reason(baita):
    found = baita.candidates("站前交通枢纽", kind="project")[0]
    assert (found.reason, found.lon_lat) == (Reason.TO_CONFIRM, (123.16170, 41.27941))


def test_another_city_or_a_name_that_begins_with_one_has_no_candidate_here(baita):
    assert baita.candidates("武圣路", city="北京") == []
    assert baita.candidates("大什街", city="辽源市") == []
    assert baita.candidates("北京市武圣路") == []
    assert baita.candidates("") == []
    assert baita.candidates("武圣路", city="辽阳市")[0].name == "武圣路"
    assert baita.candidates("武圣路", city="白塔区", kind="enterprise") == []


def test_the_date_chooses_between_the_old_and_the_new_subdistrict(baita):
    old = [c for c in baita.candidates("武圣街道", day=MARCH) if c.score == 100]
    new = [c for c in baita.candidates("武圣街道") if c.score == 100]
    assert ([c.precision for c in old], [c.precision for c in new]) == (["street"], ["none"])


# --- the file ---------------------------------------------------------------------------------------


def test_every_fault_of_a_gazetteer_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "gazetteer.csv"
    header = (DATA / "gazetteer.csv").read_text(encoding="utf-8").splitlines()[0].split(",")

    def line(**cells):
        return ",".join(cells.get(name, "") for name in header)

    good = {"kind_hint": "place", "precision": "none"}
    rows = [
        line(place_id="a", name="甲", **good),
        line(place_id="a", name="乙", **good),
        line(place_id="c", name="丙", kind_hint="planet", precision="none"),
        line(place_id="d", name="丁", kind_hint="place", precision="poi"),
        line(place_id="e", name="戊", kind_hint="place", precision="poi", lon="123.1"),
        line(place_id="f", name="己", kind_hint="road", precision="road", wkt="LINESTRING (1"),
        line(place_id="g", name="庚", raw_datum="mars2", **good),
        line(place_id="h", name="辛", valid_from="soon", **good),
        line(place_id="i", name="壬", kind_hint="place", precision="poi", lon="nan", lat="1"),
        line(place_id="j", name="癸", **good) + ",",
    ]
    path.write_text("\n".join([",".join(header), *rows]), encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        read_gazetteer(path)
    lines = [fault.partition(":")[0] for fault in caught.value.faults]
    assert lines == [*(f"line {n}" for n in (4, 5, 6, 7, 8, 9, 10, 11)), "place_id a appears twice"]


def test_a_gazetteer_that_is_not_there_or_lacks_columns_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"none\.csv cannot be read"):
        read_gazetteer(tmp_path / "none.csv")
    (tmp_path / "short.csv").write_text("name,lon\n甲,1\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="column place_id is missing"):
        read_gazetteer(tmp_path / "short.csv")


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "gazetteer.csv"
    lines = (DATA / "gazetteer.csv").read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines), encoding="utf-8")
    before = read_gazetteer(path)
    assert read_gazetteer(path) is before
    path.write_text("\n".join(lines[:-1]), encoding="utf-8")
    assert len(read_gazetteer(path)) == len(before) - 1
