"""The files in data/ say what their sources say, and no more."""

import csv
import importlib.util
import json
import re
import sys
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import shapely
from pyproj import Geod

from geo.locate.datum import to_wgs84
from geo.read import read_claims, read_source
from geo.site import EXACT, PRECISIONS, Reason

DATA = Path(__file__).resolve().parent.parent / "data"
SEED = DATA.parent.parent / "shared" / "seed"
DAYS = ("2020-03-11", "2020-03-18")


def _rows(name):
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _seed(name):
    if not (SEED / name).is_file():
        pytest.skip(f"the bulletin the project starts from is not here ({SEED / name})")
    return (SEED / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def places():
    return {row["place_id"]: row for row in _rows("gazetteer.csv")}


# --- sites of the bulletin ------------------------------------------------------------------------


def test_every_named_site_of_the_bulletin_is_there_and_no_other():
    report = read_source(DATA / "sites.csv")
    assert report.problems == []
    kinds = Counter(record.kind for record in report.records)
    assert kinds == {"enterprise": 3, "project": 10, "parking": 3}


def test_no_site_of_the_bulletin_has_a_coordinate_or_a_subdistrict_nobody_stated():
    for record in read_source(DATA / "sites.csv").records:
        assert (record.x, record.y, record.datum, record.path) == (None, None, "", ())
        assert (record.precision, record.uncertainty_m, record.street) == ("", None, "")
        assert not record.fictitious


def test_sites_have_the_names_stages_and_dates_of_the_bulletin():
    expected = json.loads(_seed("expected.json"))
    # In the order the page names the stages; the first mention of a project counts.
    codes = {
        "resumed_full": "resumed",
        "resumed": "resumed",
        "not_stated": "unverified",
        "resume_asap": "resuming",
        "start_asap": "starting",
        "land_asap": "landing",
        "open_asap": "opening",
        "attract_more": "attracting",
    }
    core = [e for e in expected["enterprises"] if e["tier"] == "core"]
    wanted = {e["name"]: codes[e["status_code"]] for e in core}
    for project in expected["projects"]:
        wanted.setdefault(project["name"], codes.get(project["stage_code"]))
    wanted |= {road["name"]: "enforced" for road in expected["parking"]}
    records = read_source(DATA / "sites.csv").records
    assert {record.name: record.status for record in records} == wanted
    assert {r.as_of for r in records if r.kind == "parking"} == {date(2020, 3, 10)}
    assert {r.as_of for r in records if r.kind == "project"} == {date(2020, 3, 11)}


def test_the_project_named_twice_says_so():
    notes = {record.name: record.note for record in read_source(DATA / "sites.csv").records}
    assert "重点推进" in notes["鸿飞金融中心"]


def test_every_site_and_claim_says_where_in_the_page_it_stands():
    records = read_source(DATA / "sites.csv").records
    for source in [r.source for r in records] + [
        c.source for c in read_claims(DATA / "claims.csv")
    ]:
        assert source.file == "2020-03 报纸版面"
        assert source.where.startswith("版面")


# --- figures --------------------------------------------------------------------------------------


def test_every_core_figure_of_the_bulletin_is_a_claim_with_the_same_value():
    core = [s for s in json.loads(_seed("expected.json"))["statistics"] if s["tier"] == "core"]
    wanted = {
        (
            s["id"],
            v["name"].split("_")[0],
            s["scope"],
            s["sector"] or "",
            s["kind"],
            v["value"],
            v["unit"],
            v["approx"] or "",
        )
        for s in core
        for v in s["values"]
    }
    found = {
        (c.claim_id, c.role, c.scope, c.sector, c.claim_kind, c.value, c.unit, c.approx)
        for c in read_claims(DATA / "claims.csv")
    }
    assert found == wanted


def test_every_claim_has_a_statement_and_a_date():
    for claim in read_claims(DATA / "claims.csv"):
        assert re.fullmatch(r"S\d+", claim.claim_id)
        assert claim.as_of is not None


def test_the_stated_parts_add_up_to_the_stated_totals():
    value = {
        f"{claim.claim_id}-{claim.role}": claim.value for claim in read_claims(DATA / "claims.csv")
    }
    for role in ("total", "resumed"):
        assert value[f"S1-{role}"] == sum(value[f"S{n}-{role}"] for n in (2, 3, 4))
    assert round(100 * value["S4-resumed"] / value["S4-total"], 1) == value["S4-rate"]
    assert round(100 * value["S8-resumed"] / value["S8-total"], 2) == value["S8-rate"]


# --- the page's sentences stay out ----------------------------------------------------------------


def _letters(text):
    """Drop everything but letters and digits, so that punctuation does not hide a copied sentence."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(char for char in plain if unicodedata.category(char)[0] in "LN")


def _names_and_cited_titles(bulletin):
    """Return what may be repeated: names, and whole lines of the page that we cite between 《 and 》."""
    names = [row["name"] for row in _rows("sites.csv")]
    cited = {t for row in _rows("sites.csv") + _rows("claims.csv") for t in _cited(row)}
    assert cited <= set(bulletin.splitlines())
    return sorted({_letters(text) for text in [*names, *cited]}, key=len, reverse=True)


def _cited(row):
    return re.findall("《(.+?)》", row["source_where"])


_TEXTS = sorted(p for p in DATA.rglob("*") if p.suffix in {".csv", ".md", ".toml"})


@pytest.mark.parametrize("path", _TEXTS, ids=lambda path: path.name)
def test_no_twelve_characters_in_a_row_are_copied_from_the_bulletin(path):
    bulletin = _seed("bulletin.txt")
    allowed = _names_and_cited_titles(bulletin)
    page = _letters(bulletin)
    grams = {page[n : n + 12] for n in range(len(page) - 11)}
    encoding = "gb18030" if "gbk" in path.name else "utf-8"
    for cell in re.split(r"[,\n]", path.read_text(encoding=encoding)):
        text = _letters(cell)
        for known in allowed:
            text = text.replace(known, "|")
        copied = [text[n : n + 12] for n in range(len(text) - 11) if text[n : n + 12] in grams]
        assert not copied, f"{cell!r} copies {copied[0]!r}"


# --- the gazetteer --------------------------------------------------------------------------------

# What FACTS.md allows at most: precision and metres. Nothing may be upgraded.
FINEST = {
    "plc-station": ("poi", 100),
    "plc-white-pagoda": ("poi", 80),
    "plc-zhanqian": ("street", 500),
    "adr-zhonghua-xinhua": ("road", 100),
    "adr-xinhua-526": ("road", 100),
    "adr-qingnian-24": ("road", 250),
    "adr-qingnian-31": ("road", 250),
    "adr-qingnian-38": ("road", 250),
    "adr-nanjiao-11": ("road", 300),
    "adr-xiwenhua-18": ("community", 200),
    "adr-yongshou-58-2": ("road", 300),
    "plc-fuhong-4": ("community", 100),
    "dst-baita": ("district", 500),
    "str-old-wusheng": ("street", 889),
    "str-old-xiangping": ("street", 961),
    "str-old-wensheng": ("street", 1086),
    "str-old-weiguolu": ("street", 2139),
    "str-old-xinghuo": ("street", 1359),
    "rd-xinhua": ("road", 100),
}


def test_only_the_places_with_a_known_coordinate_have_one_and_none_is_upgraded(places):
    located = {i: row for i, row in places.items() if row["lon"] or row["wkt"]}
    assert set(located) == set(FINEST)
    for place_id, row in located.items():
        precision, metres = FINEST[place_id]
        assert PRECISIONS.index(row["precision"]) >= PRECISIONS.index(precision), place_id
        assert float(row["uncertainty_m"]) >= metres, place_id


def test_a_place_without_a_coordinate_has_a_reason_and_no_precision(places):
    for row in places.values():
        if not (row["lon"] or row["wkt"]):
            assert (row["precision"], row["uncertainty_m"]) == ("none", "")
            assert row["reason"] == Reason.NO_COORDINATE
            assert row["note"]


def test_longitude_and_latitude_are_the_raw_numbers_in_wgs84_within_two_metres(places):
    checked = 0
    for row in places.values():
        if row["raw_x"]:
            lon, lat = to_wgs84(float(row["raw_x"]), float(row["raw_y"]), row["raw_datum"])
            off_m = Geod(ellps="WGS84").inv(lon, lat, float(row["lon"]), float(row["lat"]))[2]
            assert off_m < 2, row["place_id"]
            checked += 1
    assert checked == 14


def test_where_a_raw_number_was_not_kept_the_row_says_so_or_was_derived(places):
    silent = {i for i, row in places.items() if row["lon"] and not row["raw_x"]}
    assert silent == {"adr-qingnian-24", "adr-qingnian-31", "adr-qingnian-38", "plc-zhanqian"}


def test_old_subdistricts_end_in_the_middle_of_2020_and_todays_begin_there(places):
    for place_id, row in places.items():
        if place_id.startswith(("str-old-", "com-old-")):
            assert (row["valid_from"], row["valid_to"]) == ("", "2020-06-30")
        elif place_id.startswith(("str-new-", "com-new-")):
            assert (row["valid_from"], row["valid_to"]) == ("2020-07-01", "")
    today = {r["name"] for r in places.values() if r["place_id"].startswith("str-new-")}
    assert today == {"文圣街道", "武圣街道", "南门街道", "襄平街道"}


def test_the_only_road_that_is_drawn_is_a_straight_sketch_between_two_known_points(places):
    drawn = [row for row in places.values() if row["wkt"]]
    assert [row["place_id"] for row in drawn if row["sketch"] == "1"] == ["rd-xinhua"]
    ends = [places["adr-zhonghua-xinhua"], places["adr-xinhua-526"]]
    points = [(float(end["lon"]), float(end["lat"])) for end in ends]
    assert shapely.from_wkt(drawn[0]["wkt"]) == shapely.LineString(points)
    assert "不是道路实际走向" in drawn[0]["note"]


def test_landmarks_are_the_station_and_the_pagoda_and_only_the_hub_needs_a_person(places):
    def flagged(flag):
        return [row["name"] for row in places.values() if row[flag] == "1"]

    assert flagged("landmark") == ["辽阳站", "辽阳白塔"]
    assert flagged("needs_confirmation") == ["站前交通枢纽"]


# --- the invented sample --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def make_demo():
    path = DATA / "samples" / "make_demo.py"
    spec = importlib.util.spec_from_file_location("make_demo", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_demo"] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    yield module
    del sys.modules["make_demo"]


@pytest.fixture(scope="module")
def demo():
    reports = [read_source(DATA / "samples" / f"demo_{day}.csv") for day in DAYS]
    assert all(report.problems == [] for report in reports)
    return [report.records for report in reports]


def test_the_demo_is_written_again_byte_for_byte(make_demo, tmp_path):
    for _ in range(2):
        for path in make_demo.write_demo(tmp_path):
            assert path.read_bytes() == (DATA / "samples" / path.name).read_bytes()


def test_every_demo_row_says_that_it_is_invented(demo):
    for records in demo:
        for record in records:
            assert record.fictitious
            assert record.name.startswith("演示")
            assert "虚构" in record.source.file
    for name in ("demo_2020-03-11.csv", "demo_2020-03-18.csv"):
        assert {row["fictitious"] for row in _rows(f"samples/{name}")} == {"1"}


def test_the_demo_has_as_many_sites_as_it_says(demo):
    for day, records in zip(DAYS, demo, strict=True):
        kinds = Counter(record.kind for record in records)
        assert kinds == {"enterprise": 600, "project": 40, "parking": 25}
        assert {record.as_of for record in records} == {date.fromisoformat(day)}
        assert len({record.name for record in records}) == len(records)


def test_all_of_the_demo_lies_inside_the_district(demo, make_demo):
    outline = make_demo.outline()
    assert outline.bounds == pytest.approx((123.13285, 41.22684, 123.23044, 41.29248), abs=2e-5)
    for record in demo[0]:
        if record.path:
            assert outline.contains(shapely.LineString(record.path)), record.name
        elif record.x is not None:
            assert outline.contains(shapely.Point(*to_wgs84(record.x, record.y, record.datum)))


def test_the_demo_is_known_as_unevenly_as_a_real_table(demo):
    points = [record for record in demo[0] if record.kind != "parking"]
    known = Counter(
        "none" if r.x is None else "exact" if r.precision in EXACT else "coarse" for r in points
    )
    assert known["none"] / len(points) == pytest.approx(0.06, abs=0.005)
    assert known["coarse"] / len(points) == pytest.approx(0.12, abs=0.005)
    coarse = [r for r in points if r.x is not None and r.precision not in EXACT]
    assert {r.precision for r in coarse} == {"road", "community", "street"}
    assert all(100 <= r.uncertainty_m <= 900 for r in coarse)
    assert {r.datum for r in points if r.x is not None} == {"wgs84", "gcj02", "bd09"}
    assert all(len(r.path) >= 2 for r in demo[0] if r.kind == "parking")


def test_a_week_later_the_same_sites_are_further_on(demo):
    before, after = demo
    for one, other in zip(before, after, strict=True):
        assert (one.site_id, one.name, one.x, one.y, one.path) == (
            other.site_id,
            other.name,
            other.x,
            other.y,
            other.path,
        )
    counts = [Counter(f"{r.kind}.{r.status}" for r in records) for records in demo]
    for status in ("enterprise.resumed", "project.building", "parking.cleared"):
        assert counts[1][status] > counts[0][status]
    assert counts[1]["enterprise.stopped"] < counts[0]["enterprise.stopped"]


def test_the_readme_of_the_samples_counts_right():
    said = (DATA / "samples" / "README.md").read_text(encoding="utf-8")
    datums = Counter(row["datum"] for row in _rows("samples/demo_2020-03-11.csv"))
    assert datums["gcj02"] == datums["bd09"] == 26
    assert "各有 26 个点" in said
