from datetime import date
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_near_name_says_what_differs_and_how_clear_it_is(baita):
    [found, *_] = baita.candidates("站前交通枢钮")
    assert (found.name, found.why) == ("站前交通枢纽", "1 个同音字")
    assert found.margin == found.score
    exact = baita.candidates("辽阳站")
    assert exact[0].why == "同名"
    assert exact[0].margin == round(100 - max((c.score for c in exact[1:]), default=0), 1)
    assert all(other.margin < 0 for other in exact[1:])


def test_a_place_in_another_subdistrict_than_the_source_names_is_not_taken():
    here = _place("建行", place_id="a", street="武圣街道")
    there = _place("建行", 123.2, place_id="b", street="南门街道")
    gazetteer = Gazetteer([here, there])
    assert accept(gazetteer.candidates("建行")) is None
    found = gazetteer.candidates("建行", street="南门")
    assert accept(found).geometry == there.geometry
    assert "不在南门" in found[1].why
    assert gazetteer.locate(_record("建行", street="南门街道")).geometry == there.geometry
    alone = Gazetteer([here, _place("某处", street="南门街道")])
    match = alone.locate(_record("建行", street="南门街道"))
    assert (match.geometry, match.reason) == (None, Reason.TO_CONFIRM)
    assert "武圣街道" in match.note
    assert alone.locate(_record("建行", street="不知道的街道")).geometry == here.geometry
    assert alone.locate(_record("建行", place="南门街道甲路1号")).reason == Reason.TO_CONFIRM


def test_a_community_is_in_the_subdistrict_of_its_day(baita):
    old = baita.candidates("金银社区", day=MARCH, street="襄平街道")[0]
    new = baita.candidates("金银社区", street="文圣街道")[0]
    assert (old.score, new.score) == (100.0, 100.0)
    assert baita.candidates("金银社区", day=MARCH, street="文圣街道")[0].score == 85.0


# --- names that nobody knows, and what is like them -----------------------------------------------


def test_a_misspelt_name_is_asked_about_and_not_taken(baita):
    match = baita.locate(_record("遼陽火車占"))
    assert (match.geometry, match.reason) == (None, Reason.TO_CONFIRM)
    assert "辽阳站（plc-station，1 个同音字）" in match.note
    assert baita.locate(_record("襄林御府")) is None


@pytest.mark.parametrize("name", ["遼陽站", "辽阳火车站 ", "（辽阳站）", "辽阳市白塔区遼陽站"])
def test_another_script_or_width_is_the_same_name(baita, name):
    assert baita.locate(_record(name)).score == 100


# --- addresses ------------------------------------------------------------------------------------


def _line(name, *spots, **more):
    values = {"place_id": name, "kind": "road", "precision": "road", "uncertainty_m": 10.0}
    return Place(name=name, geometry=shapely.LineString(spots), **{**values, **more})


TOWN = Gazetteer(
    [
        _line("甲路", (123.15, 41.26), (123.19, 41.26)),
        _line("乙街", (123.17, 41.25), (123.17, 41.27), aliases=("老乙街",)),
        _line("丙街", (123.18, 41.25), (123.18, 41.27), valid_to=date(2020, 6, 30)),
        _line("戊街", (123.16, 41.25), (123.16, 41.27), sketch=True),
        _place("甲路10号", 123.16, 41.2601, kind="address", precision="poi"),
        _place("己巷3号", 123.165, 41.255, kind="address", precision="road"),
        _place("学校", 123.171, 41.2601, aliases=("甲路与乙街交叉口东80米",)),
    ]
)


def test_an_address_written_another_way_is_the_same_place(baita):
    match = baita.locate(_record("某厂", kind="enterprise", place="新华路、中华大街路口以西50米处"))
    assert (match.precision, match.uncertainty_m, match.score) == ("road", 100.0, 98.0)
    assert "同一地址" in match.note
    found = baita.candidates("新华路与中华大街交汇处西50米")
    assert (accept(found).name, found[0].why) == (
        "中华大街与新华路交叉口西50米",
        "同一地址的另一种写法",
    )


def test_a_crossing_of_two_known_roads_is_found_as_an_intersection():
    for place in ("甲路与乙街交叉口", "老乙街甲路路口"):
        match = TOWN.locate(_record("某厂", kind="enterprise", place=place))
        assert match.geometry.equals_exact(shapely.Point(123.17, 41.26), 1e-9)
        assert (match.precision, match.method, match.reason) == (
            "intersection",
            "gazetteer address",
            "",
        )
    found = TOWN.candidates("甲路与乙街交叉口")
    assert accept(found) == found[0]
    assert found[0].precision == "intersection"


def test_a_crossing_is_that_of_its_day_and_never_that_of_a_sketch():
    then = TOWN.locate(_record("某厂", place="甲路与丙街交叉口"))
    now = TOWN.locate(_record("某厂", place="甲路与丙街交叉口", as_of=None))
    assert (then.precision, now.geometry, now.reason) == (
        "intersection",
        None,
        Reason.NO_COORDINATE,
    )
    drawn = TOWN.locate(_record("某厂", place="甲路与戊街交叉口"))
    assert (drawn.geometry, drawn.reason) == (None, Reason.NO_COORDINATE)
    assert "戊街" in drawn.note


@pytest.mark.parametrize(
    "place", ["甲路12号", "甲路12号某大厦", "己巷5号", "己巷3号附近", "甲路", "戊街8号"]
)
def test_an_address_that_is_only_on_a_road_waits_for_a_person_and_says_where(place):
    match = TOWN.locate(_record("某厂", kind="enterprise", place=place))
    assert (match.geometry, match.precision, match.reason) == (None, "none", Reason.TO_CONFIRM)
    assert match.note.startswith("地址推断：")


def test_a_door_number_is_suggested_as_a_road_and_never_as_a_house(baita):
    found = TOWN.candidates("甲路12号")[0]
    assert (found.precision, found.uncertainty_m, found.reason) == ("road", 10.0, Reason.TO_CONFIRM)
    found = baita.candidates("青年大街30号")[0]
    assert (found.name, found.precision) == ("青年大街31号", "road")
    assert found.uncertainty_m > 1000
    assert accept(baita.candidates("青年大街30号")) is None


def test_an_address_in_another_city_is_never_answered_by_a_road_of_this_one():
    for name in ("沈阳市某某街道甲路与乙街交叉口", "沈阳市某某街道甲路10号"):
        assert TOWN.locate(_record(name, kind="enterprise")) is None
        assert TOWN.candidates(name) == []


def test_a_stretch_of_a_road_is_clipped_for_a_road_and_left_to_a_person_for_a_site():
    text = "甲路（乙街与丙街之间）"
    match = TOWN.locate(_record("甲路", kind="parking", place=text))
    assert match.geometry.bounds == pytest.approx((123.17, 41.26, 123.18, 41.26))
    assert (match.precision, match.reason) == ("road", "")
    assert TOWN.locate(_record(text, kind="parking")).geometry == match.geometry
    assert TOWN.locate(_record("某厂", kind="enterprise", place=text)).reason == Reason.TO_CONFIRM


def test_a_stretch_whose_ends_nobody_knows_is_the_road_and_says_so(baita):
    record = _record("新华路", kind="parking", place="新华路（武圣路与民主路之间）")
    match = baita.locate(record)
    assert match.method == "gazetteer sketch"
    assert "只写其中一段" in match.note
    assert baita.locate(_record("新新路（甲路与乙路之间）", kind="parking")).reason == (
        Reason.NO_COORDINATE
    )


_places = st.just("") | st.sampled_from(
    "甲路10号 甲路11号 甲路10号附近 甲路与乙街交叉口 甲路与戊街交叉口 甲路与乙街交叉口西90米 乙街与甲路路口东80米 "
    "甲路（乙街与丙街之间） 丙街 己巷4号某店 学校旁 学效 沈阳市甲路10号".split()
)


@given(
    name=_places,
    place=_places,
    kind=st.sampled_from(["enterprise", "project", "parking"]),
    day=st.sampled_from([MARCH, date(2024, 1, 1), None]),
)
def test_what_is_found_is_sure_enough_and_what_is_not_has_a_reason(name, place, kind, day):
    match = TOWN.locate(_record(name or "某厂", kind=kind, place=place, as_of=day))
    if match is None:
        return
    assert (match.geometry is None) == bool(match.reason)
    if match.geometry is not None:
        assert match.score >= 90
        assert (match.geometry.geom_type == "Point") == (kind != "parking")
        assert match.geometry.intersects(shapely.box(123.15, 41.25, 123.19, 41.27))
    for found in TOWN.candidates(name or "某厂", kind=kind, day=day):
        assert found.score < 90 or found.why in ("同名", "同一地址的另一种写法", "按地址推断")


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
