import math
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import shapely
from geocoder_servers import amap, amap_answer, as_json, serve
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from osm_samples import small_town

from geo.category import load_categories
from geo.district import build_places, built_folder, find_candidates, landmarks, online_geocoder
from geo.draw.basemaps import district_outline
from geo.errors import DatumError, SiteMapError, SourceError, StoreConflict, StoreError
from geo.locate.datum import from_wgs84
from geo.pipeline import (
    DEMO_NOTICE,
    LoadReport,
    import_records,
    load_file,
    load_files,
    merge_known,
    prepare_store,
)
from geo.placing import (
    geocode_waiting,
    place_candidate,
    place_like,
    place_line,
    place_pasted,
    place_site,
    same_address,
    site_candidates,
    undo_place,
)
from geo.read import ReadReport
from geo.settings import load_settings
from geo.site import LOCATION, Claim, SiteRecord, Source, check_sites, is_located
from geo.store import open_store

DATA = Path(__file__).resolve().parents[1] / "data"
HEADER = "名称,类型,状态,日期,地点,经度,纬度,坐标系\n"


@pytest.fixture
def settings(tmp_path):
    return replace(load_settings({}), store=str(tmp_path / "baita.gpkg"), who="lin")


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "own.gpkg") as opened:
        yield opened


@pytest.fixture
def bulletin(settings):
    with prepare_store(settings) as opened:
        yield opened


def _write(folder, rows, name="table.csv"):
    path = folder / name
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def _versions(store):
    sites = store.read_sites()
    return dict(zip(sites["site_id"], sites["version"], strict=True))


def _site(store, site_id):
    return store.site(site_id)


# --- the counts add up ----------------------------------------------------------------------------


def test_a_load_says_what_became_of_every_row(store, tmp_path, settings):
    rows = [
        "甲公司,企业,复工,2020-03-11,,123.17,41.26,wgs84",
        "乙公司,企业,复工,2020-03-11,,,,",
        "丙公司,企业,复公,2020-03-11,,,,",
        "丁项目,项目,在建,2020-03-11,辽阳站,,,",
        "戊公司,企业,未复工,2020-03-11,,116.4,39.9,wgs84",
    ]
    report = load_file(store, _write(tmp_path, rows), settings=settings)
    assert (report.rows, report.located, report.not_located) == (5, 2, 2)
    assert (report.added, report.changed, report.unchanged, report.older) == (4, 0, 0, 0)
    [problem] = report.problems
    assert "复公" in problem.message
    reasons = store.read_sites().set_index("name")["reason"].to_dict()
    assert reasons == {"甲公司": "", "乙公司": "no_coordinate", "丁项目": "", "戊公司": "outside"}


_rows = st.lists(
    st.tuples(
        st.sampled_from(["甲", "乙", "辽阳站", "站前交通枢纽", "新华路", ""]),
        st.sampled_from(["企业", "项目", "停车", "别的"]),
        st.sampled_from(["", "复工", "在建", "怪词"]),
        st.sampled_from(["", "2020-03-11", "2020-03-18", "昨天"]),
        st.sampled_from(["", "白塔区", "北京市", "新华路526号"]),
        st.sampled_from(
            [",,", "123.17,41.26,wgs84", "41.26,123.17,wgs84", "116.4,39.9,gcj02", "1,,"]
        ),
    ).map(",".join),
    max_size=12,
)


@given(_rows)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_row_is_ever_lost_and_loading_twice_changes_nothing(tmp_path_factory, settings, rows):
    folder = tmp_path_factory.mktemp("law")
    path = _write(folder, rows)
    with open_store(folder / "law.gpkg") as store:
        first = load_file(store, path, settings=settings)
        assert first.rows == len(rows) == first.located + first.not_located + len(first.problems)
        sites = check_sites(store.read_sites())
        assert len(sites) == first.added == first.located + first.not_located
        assert is_located(sites).sum() == first.located
        version = store.data_version()
        again = load_file(store, path, settings=settings)
        assert (again.added, again.changed, again.unchanged) == (0, 0, first.added)
        assert store.data_version() == version


def test_a_count_that_does_not_add_up_is_a_bug_and_looks_like_one():
    sums = {
        "file": "a",
        "located": 1,
        "not_located": 1,
        "problems": (),
        "changed": 0,
        "unchanged": 0,
    }
    LoadReport(rows=2, added=2, **sums)
    with pytest.raises(RuntimeError, match="rows do not add up"):
        LoadReport(rows=3, added=2, **sums)
    with pytest.raises(RuntimeError, match="stored sites do not add up"):
        LoadReport(rows=2, added=1, **sums)


def test_of_several_files_none_is_stored_if_one_cannot_be_read(store, tmp_path, settings):
    good = _write(tmp_path, ["甲公司,企业,复工,,,,,"])
    with pytest.raises(SourceError):
        load_files(store, [good, tmp_path / "absent.csv"], settings=settings)
    assert store.read_sites().empty


def test_the_history_carries_the_person_and_the_source(store, tmp_path, settings):
    path = _write(tmp_path, ["甲公司,企业,复工,,,,,"])
    load_file(store, path, who="wang", settings=settings)
    [site_id] = store.read_sites()["site_id"]
    [created] = store.history(site_id)
    assert (created.who, "table.csv" in created.source) == ("wang", True)


# --- dates ----------------------------------------------------------------------------------------


def test_an_older_table_never_overwrites_a_newer_one(store, tmp_path, settings):
    new = _write(tmp_path, ["甲公司,企业,复工,2020-03-18,,,,"], "new.csv")
    old = _write(
        tmp_path,
        ["甲公司,企业,未复工,2020-03-11,,,,", "乙公司,企业,复工,2020-03-11,,,,"],
        "old.csv",
    )
    load_file(store, new, settings=settings)
    report = load_file(store, old, settings=settings)
    assert (report.rows, report.added, report.changed, report.older) == (2, 1, 0, 1)
    statuses = store.read_sites().set_index("name")["status"].to_dict()
    assert statuses == {"甲公司": "resumed", "乙公司": "resumed"}


def test_a_later_or_undated_table_is_taken(store, tmp_path, settings):
    for day, status, expected in (
        ("2020-03-11", "未复工", "stopped"),
        ("2020-03-11", "拟复工", "partial"),
        ("2020-03-18", "复工", "resumed"),
        ("", "未复工", "stopped"),
    ):
        load_file(store, _write(tmp_path, [f"甲公司,企业,{status},{day},,,,"]), settings=settings)
        assert store.read_sites()["status"].tolist() == [expected]


# --- the bulletin and the demo --------------------------------------------------------------------


def test_of_the_sixteen_sites_of_the_bulletin_only_one_road_is_drawn_and_as_a_sketch(bulletin):
    sites = check_sites(bulletin.read_sites())
    located = is_located(sites)
    assert (len(sites), located.sum()) == (16, 1)
    road = sites[located].iloc[0]
    assert (road["name"], road["match_method"], road["precision"]) == (
        "新华路",
        "gazetteer sketch",
        "road",
    )
    assert road.geometry.geom_type == "LineString"
    tray = sites[~located]
    assert tray.geometry.isna().all()
    assert (tray["reason"] != "").all()
    waiting = tray.set_index("name")["reason"]
    assert waiting.pop("站前交通枢纽") == "to_confirm"
    assert set(waiting) == {"no_coordinate"}
    assert not sites["fictitious"].any()


def test_the_first_start_brings_the_claims_and_no_notice(bulletin):
    total = next(
        claim for claim in bulletin.claims() if (claim.claim_id, claim.role) == ("S1", "total")
    )
    assert (total.value, total.metric) == (48, "重点企业")
    assert bulletin.meta("notice") is None


def test_the_second_start_reads_nothing_again(settings, monkeypatch):
    prepare_store(settings).close()
    monkeypatch.setattr("geo.pipeline.read_source", lambda *args, **more: pytest.fail("read again"))
    with prepare_store(settings) as store:
        assert len(store.read_sites()) == 16


def test_a_changed_data_file_is_read_again_and_a_correction_survives_it(settings, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(DATA, data)
    changed = replace(settings, data=data)
    with prepare_store(changed) as store:
        place_site(store, "prj-jianhang", 123.17, 41.26, "wgs84", who="lin")
    sites = (data / "sites.csv").read_text(encoding="utf-8")
    (data / "sites.csv").write_text(
        sites.replace("建行大厦,opening", "建行大厦,open"), encoding="utf-8"
    )
    with prepare_store(changed) as store:
        site = _site(store, "prj-jianhang")
        assert (site["status"], site["match_method"]) == ("open", "correction")
        assert site.geometry == shapely.Point(123.17, 41.26)


def test_a_store_that_somebody_else_has_filled_is_left_alone(settings, tmp_path):
    with open_store(settings.store) as store:
        load_file(store, _write(tmp_path, ["甲公司,企业,复工,,,,,"]), settings=settings)
    with prepare_store(settings) as store:
        assert store.read_sites()["name"].tolist() == ["甲公司"]


def test_a_first_start_that_broke_off_is_finished_by_the_next(settings, monkeypatch):
    def _power_cut(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("geo.pipeline.read_claims", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            prepare_store(settings)
    with prepare_store(settings) as store:
        assert len(store.read_sites()) == 16
        assert store.claims()


def test_the_demo_has_its_own_file_a_notice_and_a_history(settings, tmp_path):
    steps = []
    with prepare_store(settings, "demo", progress=lambda what, part: steps.append(part)) as store:
        sites = check_sites(store.read_sites())
        assert sites["fictitious"].all()
        assert store.meta("notice") == DEMO_NOTICE == "演示数据（虚构）"
        assert len(sites) == 665
        assert 0 < is_located(sites).sum() < len(sites)
        fields = {change.field for change in store.history("demo-ent-002")}
        assert {"created", "status"} <= fields
        version = store.data_version()
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0.0, 1.0)
    assert (tmp_path / "demo.gpkg").exists()
    assert not (tmp_path / "baita.gpkg").exists()
    with prepare_store(settings, "demo") as store:
        assert store.data_version() == version


def test_the_demo_adds_up_and_its_first_week_comes_back_as_older(settings):
    with prepare_store(settings, "demo") as store:
        first, second = load_files(
            store,
            [DATA / "samples" / f"demo_2020-03-{day}.csv" for day in (11, 18)],
            settings=settings,
        )
    assert (first.rows, first.older) == (665, 665)
    assert (second.rows, second.unchanged) == (665, 665)
    assert first.problems == second.problems == ()


def test_there_is_no_third_set(settings):
    with pytest.raises(ValueError, match="secret is not one of bulletin, demo"):
        prepare_store(settings, "secret")


# --- a person's word ------------------------------------------------------------------------------


def test_a_placed_site_stays_when_its_source_is_read_again(bulletin, settings):
    kept = place_site(
        bulletin, "prj-zhanqian", 123.180867, 41.284277, "百度", who="lin", uncertainty_m=30
    )
    site = _site(bulletin, "prj-zhanqian")
    assert [round(v, 5) for v in site.geometry.coords[0]] == [123.16843, 41.27646]
    assert (site["raw_x"], site["raw_y"], site["raw_datum"]) == (123.180867, 41.284277, "bd09")
    assert (site["precision"], site["uncertainty_m"], site["reason"]) == ("poi", 30, "")
    assert kept == bulletin.last_correction()
    for _ in range(2):
        load_file(bulletin, DATA / "sites.csv", settings=settings)
        again = _site(bulletin, "prj-zhanqian")
        assert again[LOCATION].to_dict() == site[LOCATION].to_dict()
    version = bulletin.data_version()
    load_file(bulletin, DATA / "sites.csv", settings=settings)
    assert bulletin.data_version() == version


def test_a_correction_outranks_the_sources_own_coordinates_and_the_gazetteer(
    store, tmp_path, settings
):
    path = _write(tmp_path, ["甲公司,企业,复工,,,123.16,41.25,wgs84", "辽阳站,项目,在建,,,,,"])
    load_file(store, path, settings=settings)
    for site_id in store.read_sites()["site_id"]:
        place_site(store, site_id, 123.17, 41.26, "wgs84", who="lin")
    load_file(store, path, settings=settings)
    sites = store.read_sites()
    assert sites.geometry.tolist() == [shapely.Point(123.17, 41.26)] * 2
    assert set(sites["match_method"]) == {"correction"}


def test_undo_brings_back_what_was_there_and_reading_again_agrees(bulletin, settings):
    before = _site(bulletin, "road-xinhua")
    place_site(bulletin, "road-xinhua", 123.17, 41.26, "wgs84", who="lin", precision="road")
    assert _site(bulletin, "road-xinhua").geometry.geom_type == "Point"
    undone = undo_place(bulletin, "wang")
    assert undone.site_id == "road-xinhua"
    for _ in range(2):
        after = _site(bulletin, "road-xinhua")
        assert after[[*LOCATION, "note"]].to_json(default_handler=str) == before[
            [*LOCATION, "note"]
        ].to_json(default_handler=str)
        load_file(bulletin, DATA / "sites.csv", settings=settings)
    assert undo_place(bulletin, "wang") is None


def test_another_spelling_of_a_known_name_is_the_same_site_and_stays_where_it_was_put(
    bulletin, tmp_path, settings
):
    place_site(bulletin, "prj-jianhang", 123.17, 41.26, "wgs84", who="lin")
    before = len(bulletin.read_sites())
    load_file(bulletin, _write(tmp_path, ["白塔区建行大厦,项目,在建,,,,,"]), settings=settings)
    site = bulletin.site("prj-jianhang")
    assert (site["match_method"], site["status"]) == ("correction", "building")
    assert site.geometry == shapely.Point(123.17, 41.26)
    assert len(bulletin.read_sites()) == before


def test_a_bulletin_on_the_command_line_takes_what_is_plain_and_names_the_rest(
    bulletin, tmp_path, settings
):
    path = tmp_path / "通报.txt"
    path.write_text(
        "截至2026年3月20日，重点企业50户，复工40户。辽阳青松机械有限公司已全面复工复产。"
        "星河商务中心等项目要尽早开工。重点推进星河商务中心建设。",
        encoding="utf-8",
    )
    report = load_file(bulletin, path, settings=settings)
    assert (report.rows, report.added, len(report.problems)) == (3, 1, 2)
    assert all("星河商务中心" in one.message for one in report.problems)
    assert {c.value for c in bulletin.claims() if c.source.file == "通报.txt"} == {50.0, 40.0}


@pytest.mark.parametrize(
    ("x", "y", "datum", "message"),
    [
        (41.26, 123.17, "wgs84", r"wgs84 with the axes swapped \(123.17, 41.26\)"),
        (116.4, 39.9, "wgs84", r"km outside the district; check the numbers"),
        (*from_wgs84(123.17, 41.26, "epsg:4529"), "epsg:4550", "read as epsg:4529"),
        (*from_wgs84(123.17, 41.26, "epsg:4550"), "wgs84", "read as epsg:4550"),
        (123.17, 41.26, "mars2", "is not known"),
        (math.nan, 41.26, "wgs84", "nan, 41.26 is not a coordinate"),
    ],
)
def test_a_point_outside_is_refused_with_the_reading_that_would_fit(bulletin, x, y, datum, message):
    version = bulletin.data_version()
    with pytest.raises(DatumError, match=message):
        place_site(bulletin, "prj-jianhang", x, y, datum, who="lin")
    assert bulletin.data_version() == version


def test_another_datum_is_named_when_it_alone_would_be_near_enough(bulletin):
    outline = district_outline("211002")
    north = next(p for p in shapely.get_coordinates(outline) if p[1] == shapely.bounds(outline)[3])
    lon, lat = float(north[0]), float(north[1]) + 0.024  # 2.7 km north of the border
    x, y = from_wgs84(lon, lat, "bd09")
    with pytest.raises(DatumError, match=r"outside the district; inside .* bd09"):
        place_site(bulletin, "prj-jianhang", x, y, "wgs84", who="lin")
    place_site(bulletin, "prj-jianhang", x, y, "bd09", who="lin")


def test_a_site_beside_the_border_may_be_placed(bulletin):
    north = shapely.bounds(district_outline("211002"))[3]
    spot = next(p for p in shapely.get_coordinates(district_outline("211002")) if p[1] == north)
    place_site(bulletin, "prj-jianhang", spot[0], north + 0.02, "wgs84", who="lin")


def test_a_site_that_is_not_there_or_changed_meanwhile_is_not_placed(bulletin):
    with pytest.raises(StoreError, match="nowhere is not in the store"):
        place_site(bulletin, "nowhere", 123.17, 41.26, "wgs84", who="lin")
    place_site(bulletin, "prj-jianhang", 123.17, 41.26, "wgs84", who="lin", version=1)
    with pytest.raises(StoreConflict):
        place_site(bulletin, "prj-jianhang", 123.18, 41.26, "wgs84", who="wang", version=1)
    with pytest.raises(ValueError, match="precision district"):
        place_site(
            bulletin, "prj-jianhang", 123.17, 41.26, "wgs84", who="lin", precision="district"
        )


def test_a_pasted_coordinate_is_read_and_kept_as_written(bulletin):
    place_pasted(bulletin, "prj-jianhang", "41°16′45.86″N 123°9′42.13″E", "gps", who="lin")
    site = _site(bulletin, "prj-jianhang")
    assert (round(site["raw_x"], 5), round(site["raw_y"], 5)) == (123.16170, 41.27941)
    assert site["raw_datum"] == "wgs84"
    with pytest.raises(DatumError, match="without guessing"):
        place_pasted(bulletin, "prj-jianhang", "near the station", "gps", who="lin")


def test_a_drawn_road_is_kept_as_a_line_and_survives_its_source(bulletin, settings):
    vertices = [(123.16, 41.25), (123.17, 41.26), (123.17, 41.27)]
    place_line(bulletin, "road-wusheng", vertices, who="lin", uncertainty_m=25)
    load_file(bulletin, DATA / "sites.csv", settings=settings)
    site = _site(bulletin, "road-wusheng")
    assert site.geometry == shapely.LineString(vertices)
    assert (site["precision"], site["uncertainty_m"]) == ("road", 25)
    assert undo_place(bulletin, "lin").site_id == "road-wusheng"
    assert _site(bulletin, "road-wusheng").geometry is None


def test_a_road_of_one_point_or_one_that_leaves_the_district_is_refused(bulletin):
    for vertices in ([(123.17, 41.26)] * 2, [(123.17, 41.26), (123.17, 41.6)], []):
        with pytest.raises(DatumError):
            place_line(bulletin, "road-wusheng", vertices, who="lin", uncertainty_m=25)
    assert bulletin.corrections() == []


def test_the_landmarks_are_the_points_that_the_gazetteer_marks(settings):
    names = {name for name, _, _ in landmarks(settings)}
    assert names == {"辽阳站", "辽阳白塔"}


# --- names ----------------------------------------------------------------------------------------


def test_candidates_come_from_the_districts_gazetteer(settings):
    assert find_candidates("新华路", kind="停车", settings=settings)[0].method == "gazetteer sketch"
    assert find_candidates("大什街", city="辽源", settings=settings) == []


def test_as_of_is_a_date_all_the_way(bulletin):
    assert _site(bulletin, "road-xinhua")["as_of"].date() == date(2020, 3, 10)


# --- imports ----------------------------------------------------------------------------------------------

CATEGORIES = load_categories()


def _said(name="辽阳鸿宇晶体有限公司", status="unverified", **more):
    return SiteRecord(
        kind="enterprise",
        name=name,
        status=status,
        source=Source("周报", "字 1–9", "原话"),
        **{"site_id": "ent-hongyu", **more},
    )


def _import(store, settings, *records, claims=()):
    read = ReadReport(list(records), [], len(records), claims=list(claims))
    return import_records(store, "周报", read, who="lin", settings=settings, categories=CATEGORIES)


def test_a_load_can_be_taken_back(bulletin, tmp_path, settings):
    before = _versions(bulletin)
    report = load_file(bulletin, _write(tmp_path, ["甲公司,企业,复工,,,,,"]), settings=settings)
    assert report.import_id
    assert bulletin.undo_import(report.import_id, who="lin").removed == 1
    assert _versions(bulletin) == before


def test_the_projects_own_files_are_no_imports(bulletin):
    assert bulletin.imports() == []


def test_what_a_new_source_does_not_say_stays_as_it_was(bulletin, settings):
    place_site(bulletin, "ent-hongyu", 123.18, 41.26, "wgs84", who="lin")
    before = bulletin.site("ent-hongyu")
    report = _import(bulletin, settings, _said(as_of=date(2020, 3, 20)))
    after = bulletin.site("ent-hongyu")
    assert (report.added, report.changed) == (0, 1)
    assert after["status"] == before["status"] == "resumed"
    assert after["note"] == before["note"] != ""
    assert after["geometry"].equals(before["geometry"])
    assert after["precision"] == before["precision"]
    assert after["as_of"].date() == date(2020, 3, 20)
    assert after["source_file"] == "周报"


def test_what_a_new_source_says_is_taken_and_its_undo_brings_the_old_back(bulletin, settings):
    before = bulletin.site("ent-hongyu").drop("version")
    claim = Claim("z1", "白塔区", "", "企业", "total", 9, "家")
    report = _import(
        bulletin, settings, _said(status="stopped", place="新华路 9 号"), claims=[claim]
    )
    after = bulletin.site("ent-hongyu")
    assert (after["status"], after["place"]) == ("stopped", "新华路 9 号")
    assert claim in bulletin.claims()
    bulletin.undo_import(report.import_id, who="lin")
    assert bulletin.site("ent-hongyu").drop("version").equals(before)
    assert claim not in bulletin.claims()


def test_a_known_name_is_not_respelt_by_a_new_source(bulletin, settings):
    _import(bulletin, settings, _said(name="鸿宇公司", status="stopped"))
    assert bulletin.site("ent-hongyu")["name"] == "辽阳鸿宇晶体有限公司"


def test_a_new_coordinate_moves_a_site_that_no_person_has_placed(bulletin, settings):
    _import(bulletin, settings, _said(x=123.17, y=41.25, datum="wgs84", precision="poi"))
    assert bulletin.site("ent-hongyu")["geometry"].x == pytest.approx(123.17)


def test_merging_with_nothing_known_changes_nothing(bulletin):
    sites = bulletin.read_sites()
    assert merge_known(sites, sites.iloc[:0], CATEGORIES).equals(sites)
    assert (
        merge_known(sites, sites, CATEGORIES)
        .drop(columns="geometry")
        .equals(sites.drop(columns="geometry"))
    )


# --- the review desk --------------------------------------------------------------------------------------


def test_a_shared_link_is_placed_in_its_own_datum_and_no_other(bulletin):
    link = "https://uri.amap.com/marker?position=123.1761,41.2676"
    kept = place_pasted(bulletin, "prj-jianhang", link, "", who="lin")
    assert (kept.x, kept.y, kept.datum) == (123.1761, 41.2676, "gcj02")
    place_pasted(bulletin, "prj-jianhang", link, "高德", who="lin")
    with pytest.raises(DatumError, match="leave the datum to it"):
        place_pasted(bulletin, "prj-jianhang", link, "bd09", who="lin")


def test_a_chosen_candidate_keeps_its_own_precision_and_uncertainty(bulletin, settings):
    road = next(
        one
        for one in site_candidates(bulletin.site("road-xinhua"), settings)
        if one.name == "新华路"
    )
    place_candidate(bulletin, "road-wusheng", road, who="lin")
    site = bulletin.site("road-wusheng")
    assert (site["match_method"], site["precision"]) == ("correction", str(road.precision))
    assert site["geometry"].equals(road.geometry)
    with pytest.raises(ValueError, match="may be drawn"):
        place_candidate(bulletin, "road-wusheng", replace(road, geometry=None), who="lin")


def test_candidates_of_a_site_can_all_be_drawn(bulletin, settings):
    for _, site in bulletin.read_sites().iterrows():
        for one in site_candidates(site, settings):
            assert one.geometry is not None
            assert one.precision not in ("district", "city", "none")


def test_sites_of_one_address_are_found_and_placed_alike(bulletin):
    for site_id, place in (
        ("prj-jianhang", "新华路 1 号"),
        ("prj-hongfei", "新华路1号"),
        ("prj-haoyu", "新华路2号"),
    ):
        version = int(bulletin.site(site_id)["version"])
        bulletin.update_site(site_id, {"place": place}, version=version, who="lin")
    assert same_address(bulletin.read_sites(), "prj-jianhang") == ["prj-hongfei"]
    assert same_address(bulletin.read_sites(), "ent-hongyu") == []
    assert same_address(bulletin.read_sites(), "nobody") == []
    with pytest.raises(StoreError, match="no place yet"):
        place_like(bulletin, "prj-jianhang", ["prj-hongfei"], who="lin")
    place_site(bulletin, "prj-jianhang", 123.17, 41.26, "gcj02", who="lin")
    assert len(place_like(bulletin, "prj-jianhang", ["prj-hongfei"], who="lin")) == 1
    one, other = bulletin.site("prj-jianhang"), bulletin.site("prj-hongfei")
    assert other[LOCATION].drop("geometry").equals(one[LOCATION].drop("geometry"))
    assert other["geometry"].equals(one["geometry"])
    assert same_address(bulletin.read_sites(), "prj-jianhang") == []
    undo_place(bulletin, "lin")
    assert bulletin.site("prj-hongfei")["geometry"] is None


# --- online geocoder --------------------------------------------------------------------------------------


@pytest.fixture
def online(monkeypatch):
    """A server that speaks as 高德 does: it knows one name exactly, and one only roughly."""

    def answers(number, asked):
        text = asked["address"]
        if "建行大厦" in text:
            return as_json(amap_answer(amap(text, "兴趣点")))
        if "襄林御府" in text:
            return as_json(amap_answer(amap("辽宁省辽阳市白塔区", "区县")))
        return as_json(amap_answer())

    with serve(answers) as server:
        monkeypatch.setenv("BAITA_GEOCODER", "amap")
        monkeypatch.setenv("BAITA_GEOCODER_KEY", "0123456789abcdef")
        monkeypatch.setenv("BAITA_GEOCODER_URL", server.url)
        monkeypatch.setenv("BAITA_GEOCODER_PER_SECOND", "1000")
        yield server


def test_nothing_is_asked_online_without_a_geocoder_set(bulletin, settings, monkeypatch):
    monkeypatch.delenv("BAITA_GEOCODER", raising=False)
    assert online_geocoder(settings) is None
    with pytest.raises(SiteMapError, match="no online geocoder is set"):
        geocode_waiting(bulletin, settings, who="lin")


def test_what_waits_is_asked_once_and_only_what_is_sure_is_placed(bulletin, settings, online):
    before = bulletin.read_sites().drop(columns="version")
    report = geocode_waiting(bulletin, settings, who="lin")
    assert (report.waiting, report.left, report.stopped) == (15, 0, "")
    placed = bulletin.read_sites()
    found = placed[placed["match_method"].str.contains("amap")]
    assert report.placed == len(found)
    assert set(found["name"]) == {"建行大厦"}
    assert set(found["raw_datum"]) <= {"gcj02"}
    calls = len(online.asked)
    again = geocode_waiting(bulletin, settings, who="lin")
    assert (len(online.asked), again.asked, again.placed) == (calls, 0, 0)
    if report.import_id:
        bulletin.undo_import(report.import_id, who="lin")
    assert bulletin.read_sites().drop(columns="version").equals(before)


@pytest.mark.parametrize("how", ["placed", "changed"])
def test_what_people_do_while_the_service_is_asked_stays_theirs(bulletin, settings, online, how):
    site = "prj-jianhang"  # the one that the service is sure of

    def meanwhile(share):
        if bulletin.site(site)["version"] > 1:
            return
        if how == "placed":
            place_site(bulletin, site, 123.17, 41.2655, "wgs84", who="wang")
        else:
            bulletin.update_site(site, {"status": "open"}, version=1, who="wang")

    assert bulletin.site(site)["version"] == 1
    report = geocode_waiting(bulletin, settings, who="lin", progress=meanwhile)
    after = bulletin.site(site)
    assert report.placed == 0
    if how == "placed":
        assert (after["match_method"], after["geometry"]) == (
            "correction",
            shapely.Point(123.17, 41.2655),
        )
    else:
        assert (after["status"], after["geometry"]) == ("open", None)


def test_the_review_desk_offers_what_the_service_says(bulletin, settings, online):
    candidates = site_candidates(bulletin.site("prj-jianhang"), settings)
    assert any("amap" in one.method or "高德" in one.source for one in candidates)
    online.stop.set()


# --- roads and places built from OSM ----------------------------------------------------------------------


def test_an_extract_gives_roads_their_real_lines_clipped_when_the_text_says_so(
    store, settings, tmp_path
):
    extract = small_town().write(tmp_path / "town.osm.pbf")
    said = build_places(extract, settings)
    assert said["basemap"]
    assert said["counts"]["roads"] > 4
    rows = [
        "中华大街,停车,已整治,,,,,",
        "民主路,停车,已整治,,民主路,,,",
        "团结街,停车,待整治,,中华大街（新华路至团结街）,,,",
    ]
    report = load_file(store, _write(tmp_path, rows), settings=settings)
    sites = store.read_sites().set_index("name")
    assert report.located == 3
    assert set(sites["precision"]) == {"road"}
    assert sites.loc["民主路"].geometry.length < sites.loc["中华大街"].geometry.length
    assert not sites["match_method"].str.contains("sketch").any()


def test_a_file_that_is_no_extract_leaves_what_was_built(settings, tmp_path):
    build_places(small_town().write(tmp_path / "town.osm"), settings)
    before = (built_folder(settings) / "gazetteer.gpkg").read_bytes()
    bad = tmp_path / "bad.osm.pbf"
    bad.write_bytes(b"not an extract")
    with pytest.raises(SourceError):
        build_places(bad, settings)
    assert (built_folder(settings) / "gazetteer.gpkg").read_bytes() == before


def test_a_store_in_postgis_is_filled_as_a_file_is(settings, new_schema):
    with (
        prepare_store(settings) as file,
        prepare_store(replace(settings, store=new_schema)) as store,
    ):
        found, expected = store.read_sites(), file.read_sites()
        assert found.drop(columns="geometry").equals(expected.drop(columns="geometry"))
        assert shapely.equals_identical(found.geometry.to_numpy(), expected.geometry.to_numpy())[
            expected.geometry.notna()
        ].all()
        assert store.claims() == file.claims()
        version = store.data_version()
    with prepare_store(replace(settings, store=new_schema)) as again:
        assert again.data_version() == version


def test_what_a_person_has_stated_survives_a_new_release(settings, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(DATA, data)
    changed = replace(settings, data=data)
    with prepare_store(changed) as store:
        version = int(_site(store, "prj-jianhang")["version"])
        store.update_site(
            "prj-jianhang", {"status": "open", "note": "林工看过"}, who="lin", version=version
        )
        untouched = _site(store, "ent-hongyu")["status"]
    for release in range(2):
        gazetteer = data / "gazetteer.csv"
        gazetteer.write_bytes(gazetteer.read_bytes() + b"\n" * (release + 1))
        sites = (data / "sites.csv").read_text(encoding="utf-8")
        (data / "sites.csv").write_text(
            sites.replace("鸿宇公司", f"鸿宇公司{release}"), encoding="utf-8"
        )
        with prepare_store(changed) as store:
            site = _site(store, "prj-jianhang")
            assert (site["status"], site["note"]) == ("open", "林工看过")
            assert _site(store, "ent-hongyu")["status"] == untouched
            assert f"鸿宇公司{release}" in _site(store, "ent-hongyu")["note"]


def test_a_place_that_is_only_looked_up_does_not_replace_a_better_known_one(settings, tmp_path):
    header = "name,kind,status,x,y,datum,place,as_of\n"
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(
        f"{header}甲公司,enterprise,已复工,123.1750,41.2655,wgs84,,2020-03-10\n", encoding="utf-8"
    )
    second.write_text(f"{header}甲公司,enterprise,停产,,,,襄平街道,2020-03-18\n", encoding="utf-8")
    with open_store(settings.store) as store:
        load_file(store, first, settings=settings)
        before = store.read_sites().iloc[0]
        load_file(store, second, settings=settings)
        [after] = [row for _, row in store.read_sites().iterrows()]
    assert after["status"] != before["status"]
    assert after.geometry == before.geometry == shapely.Point(123.175, 41.2655)
    assert after["precision"] == before["precision"]


def test_the_number_of_another_kind_of_site_is_a_problem_and_overwrites_nothing(settings, tmp_path):
    first, second = tmp_path / "企业.csv", tmp_path / "项目.csv"
    first.write_text("site_id,name,kind,status\n1,甲公司,enterprise,已复工\n", encoding="utf-8")
    second.write_text(
        "site_id,name,kind,status\n1,乙大厦,project,在建\n2,丙大厦,project,在建\n", encoding="utf-8"
    )
    with open_store(settings.store) as store:
        load_file(store, first, settings=settings)
        report = load_file(store, second, settings=settings)
        names = dict(zip(store.read_sites()["site_id"], store.read_sites()["name"], strict=True))
    assert names == {"1": "甲公司", "2": "丙大厦"}
    assert (report.rows, len(report.problems)) == (2, 1)
    assert "another kind" in report.problems[0].message
