"""Every selected site is a row, its text is text in every program, and only what is on the map has a place."""

import csv
import io
import json
import math
import re
import sqlite3
import zipfile
from contextlib import closing
from datetime import datetime

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from export_samples import make_grid, make_site, make_wording
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from strategies import laws, site_tables

from geo.category import load_categories
from geo.errors import ExportError
from geo.export import tables
from geo.export.tables import (
    WORDS,
    feature_collection,
    write_csv,
    write_geojson,
    write_gpkg,
    write_xlsx,
)
from geo.site import COLUMNS, is_located, make_sites
from geo.ui.text import load_text

CATEGORIES = load_categories()
HEADER = WORDS["zh"]["header"]
FORMULAS = ['=HYPERLINK("http://x")', "+1", "@x", "-1", "=1+1", "{=1+1}", "＝1+1", "\t=1", "'=1"]
HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}{# ${x} ` D:\\users"
PLAIN = ["http://x.cn/a", "1e5", "007", "true", "2020-03-11", "  两边空格 ", "甲\n乙", "_x0041_"]
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

# What a site table may hold: no halves of a surrogate pair.
anything = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def _xlsx(sites, *, language="zh", wording=None):
    wording = wording or make_wording()
    return write_xlsx(sites, CATEGORIES, language=language, wording=wording)


def _pages(book):
    return openpyxl.load_workbook(io.BytesIO(book)).worksheets


def _rows(book):
    """Return the rows under the header, as cells by column title."""
    titles, *rows = _pages(book)[0].iter_rows()
    return [dict(zip((c.value for c in titles), row, strict=True)) for row in rows]


def _strings(book):
    """Return the texts of a workbook as Excel reads them; openpyxl and others drop what `_x005F_` stands for."""
    part = zipfile.ZipFile(io.BytesIO(book)).read("xl/sharedStrings.xml")
    texts = ["".join(si.itertext()) for si in etree.fromstring(part).iter(f"{S}si")]
    return [re.sub("_x([0-9A-F]{4})_", lambda code: chr(int(code[1], 16)), t) for t in texts]


def _csv(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _unguarded(text):
    return text[1:] if text.startswith("'") and tables._FORMULA.match(text) else text


def _kept(text):
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text)


def _named(*names):
    return make_sites([make_site(n, name=name) for n, name in enumerate(names)])


def _mixed():
    """A point on the map, a road, a point too coarse to be drawn, and a site without a place."""
    road = shapely.LineString([(123.15, 41.26), (123.2, 41.26)])
    coarse = {"precision": "district", "reason": "too_coarse", "uncertainty_m": 5000.0}
    return make_sites(
        [
            make_site(0, -123.25, 41.5, uncertainty_m=20.0),
            make_site(1, kind="parking", status="planned", geometry=road, precision="road"),
            make_site(2, 123.17, 41.27, **coarse),
            make_site(3),
        ]
    )


# ---- XLSX ----------------------------------------------------------------------------------------


def test_the_words_are_those_of_the_page():
    for language in ("zh", "en"):
        page = load_text(language)["map"]
        assert WORDS[language]["precision"] == dict(page["precisions"])
        assert WORDS[language]["reason"] == dict(page["reasons"])
        assert len(WORDS[language]["header"]) == len(HEADER)


def test_a_site_is_a_row_in_our_words():
    (first, *_, last) = _rows(_xlsx(_mixed()))
    assert {title: cell.value for title, cell in first.items()} == {
        "编号": "s0",
        "名称": "甲0",
        "类别": "企业复工",
        "状态": "已复工",
        "截至": datetime(2020, 3, 11),
        "街道": None,
        "地点": None,
        "精度": "地点级",
        "误差(米)": 20,
        "经度": -123.25,
        "纬度": 41.5,
        "原因": None,
        "来源": "甲.csv",
        "备注": None,
    }
    assert (last["精度"].value, last["原因"].value) == ("未定位", "没有查到公开坐标")


def test_dates_are_dates_and_numbers_are_numbers():
    row = _rows(_xlsx(_mixed()))[0]
    assert row["截至"].is_date
    assert row["截至"].number_format == "yyyy-mm-dd"
    assert [row[title].data_type for title in ("误差(米)", "经度", "纬度")] == ["n"] * 3


def test_a_day_that_excel_does_not_know_is_text():
    sites = _named("甲")
    sites["as_of"] = pd.Series([datetime(1899, 12, 31)], dtype="datetime64[ms]")
    assert _rows(_xlsx(sites))[0]["截至"].value == "1899-12-31"


def test_an_hour_in_a_date_does_not_change_the_day():
    sites = _named("甲")
    sites["as_of"] = pd.Series([datetime(2020, 3, 11, 23, 59)], dtype="datetime64[ms]")
    assert _rows(_xlsx(sites))[0]["截至"].value == datetime(2020, 3, 11)
    assert _csv(write_csv(sites, CATEGORIES))[0]["截至"] == "2020-03-11"


def test_only_points_on_the_map_have_a_coordinate():
    for rows in (
        [{k: c.value for k, c in row.items()} for row in _rows(_xlsx(_mixed()))],
        [{k: v or None for k, v in row.items()} for row in _csv(write_csv(_mixed(), CATEGORIES))],
    ):
        places = [(row["经度"], row["纬度"]) for row in rows]
        assert [str(value) for value in places[0]] == ["-123.25", "41.5"]
        assert places[1:] == [(None, None)] * 3


@pytest.mark.parametrize("name", [*FORMULAS, *PLAIN, HOSTILE])
def test_a_name_is_text_in_a_cell_whatever_it_looks_like(name):
    book = _xlsx(_named(name))
    assert name in _strings(book)
    assert _rows(book)[0]["名称"].data_type == "s"
    sheet = zipfile.ZipFile(io.BytesIO(book)).read("xl/worksheets/sheet1.xml")
    assert not list(etree.fromstring(sheet).iter(f"{S}f", f"{S}hyperlink"))


@laws
@given(names=st.lists(anything, min_size=1, max_size=5))
@example(names=["\x00", "_x0000_", "\r\n", "\x7f\x85\u2028", "\ufffe"])
def test_text_comes_back_from_a_workbook_but_for_what_xml_cannot_hold(names):
    book = _xlsx(_named(*names))
    assert {_kept(name) for name in names} - {""} <= set(_strings(book))


def test_a_text_too_long_for_a_cell_ends_in_an_ellipsis_and_is_not_lost():
    sites = _named("长" * 32_767, "长" * 32_768, "😀" * 20_000)
    names = [row["名称"].value for row in _rows(_xlsx(sites))]
    assert names[0] == "长" * 32_767
    assert names[1] == "长" * 32_766 + "…"
    assert names[2] == "😀" * 16_383 + "…"


def test_the_header_stays_in_sight_and_filters():
    (page, _) = _pages(_xlsx(_mixed()))
    assert page.freeze_panes == "C2"
    assert page.auto_filter.ref == "A1:N5"


def test_the_second_sheet_says_what_the_table_is():
    wording = make_wording(notice="演示数据（虚构）")
    (_, about) = _pages(_xlsx(_mixed(), wording=wording))
    assert about.title == "说明"
    said = [row[0] for row in about.iter_rows(values_only=True)]
    assert said[:8] == [
        "白塔区一张图",
        "仅看：未复工",
        "数据截至 2020-03-11",
        "来源：甲、乙",
        "制图：规划股",
        "上图 2 / 共 4",
        "演示数据（虚构）",
        "内部工作用图 请勿公开",
    ]
    assert "EPSG:4326" in said[8]


def test_english_is_english():
    pages = _pages(_xlsx(_mixed(), language="en"))
    assert [page.title for page in pages] == ["Sites", "About"]
    assert [cell.value for cell in pages[0][1]] == WORDS["en"]["header"]
    assert [cell.value for cell in pages[0][2]][2:4] == ["Enterprises", "Resumed"]


def test_nothing_selected_is_a_header_and_no_row():
    nothing = make_sites([])
    assert _rows(_xlsx(nothing)) == []
    assert _csv(write_csv(nothing, CATEGORIES)) == []
    assert json.loads(write_geojson(nothing))["features"] == []


def test_more_sites_than_a_sheet_has_rows_are_refused_before_any_is_lost(monkeypatch):
    monkeypatch.setattr(tables, "MAX_XLSX_ROWS", 3)
    with pytest.raises(ExportError, match=r"4 sites.*CSV"):
        _xlsx(_mixed())


# ---- CSV -----------------------------------------------------------------------------------------


@laws
@given(sites=site_tables())
def test_every_site_is_a_row_in_order(sites):
    ids = sites["site_id"].tolist()
    assert [row["编号"] for row in _csv(write_csv(sites, CATEGORIES))] == ids
    assert [row["编号"].value for row in _rows(_xlsx(sites))] == ids
    assert [f["id"] for f in json.loads(write_geojson(sites))["features"]] == ids


@laws
@given(names=st.lists(anything | st.sampled_from(FORMULAS), min_size=1, max_size=5))
@example(names=["'=x", "=x", "''=x", "'x", "\r\n=x"])
def test_text_comes_back_from_a_csv_and_no_cell_starts_a_formula(names):
    sites = _named(*names)
    read = [row["名称"] for row in _csv(write_csv(sites, CATEGORIES))]
    assert [_unguarded(name) for name in read] == [_kept(name) for name in names]
    assert not any(re.match("[=+\\-@\t\r\n＝＋－＠]", name) for name in read)


def test_a_csv_opens_in_excel_as_chinese():
    data = write_csv(_named("甲"), CATEGORIES)
    assert data.startswith(b"\xef\xbb\xbf\xe7\xbc\x96\xe5\x8f\xb7,")
    assert data.count(b"\r\n") == 2


def test_a_negative_number_is_a_number_in_a_csv():
    assert _csv(write_csv(_mixed(), CATEGORIES))[0]["经度"] == "-123.25"


def test_english_csv_is_english():
    (row,) = _csv(write_csv(_named("甲"), CATEGORIES, language="en"))
    assert (row["Status"], row["Precision"]) == ("Resumed", "not located")


# ---- GeoJSON -------------------------------------------------------------------------------------


def _strict(data):
    def refuse(word):
        raise AssertionError(word)

    return json.loads(data, parse_constant=refuse)


@laws
@given(sites=site_tables())
def test_geojson_says_what_the_table_says(sites):
    collection = _strict(write_geojson(sites, notice="演示"))
    located = is_located(sites)
    assert collection["notice"] == "演示"
    assert collection["counts"]["located"] == located.sum()
    for site, on_map, feature in zip(
        sites.itertuples(), located, collection["features"], strict=True
    ):
        found = feature["properties"]
        assert list(found) == [name for name in COLUMNS if name != "geometry"]
        for name, value in found.items():
            wanted = getattr(site, name)
            if name == "as_of":
                wanted = None if pd.isna(wanted) else wanted.date().isoformat()
            elif isinstance(wanted, float) and not math.isfinite(wanted):
                wanted = None
            assert value == wanted
        if on_map:
            shape = shapely.from_geojson(json.dumps(feature["geometry"]))
            assert shapely.equals(shape, site.geometry)
        else:
            assert feature["geometry"] is None


def test_outer_rings_run_counterclockwise_as_the_standard_says():
    clockwise = shapely.Polygon([(123, 41), (123, 42), (124, 42), (124, 41)])
    sites = make_sites([make_site(0, geometry=clockwise)])
    (feature,) = feature_collection(sites)["features"]
    assert shapely.LinearRing(feature["geometry"]["coordinates"][0]).is_ccw


def test_control_characters_survive_in_geojson():
    (feature,) = _strict(write_geojson(_named("甲\x00\x1b乙")))["features"]
    assert feature["properties"]["name"] == "甲\x00\x1b乙"


def test_what_is_no_number_is_null():
    sites = _mixed()
    sites["raw_x"] = [math.inf, -math.inf, math.nan, 1.5]
    read = _strict(write_geojson(sites))["features"]
    assert [f["properties"]["raw_x"] for f in read] == [None, None, None, 1.5]
    assert "notice" not in _strict(write_geojson(sites))


# ---- GeoPackage ----------------------------------------------------------------------------------


@laws
@given(sites=site_tables())
def test_a_geopackage_reloads_as_it_was_saved(tmp_path_factory, sites):
    path = write_gpkg(sites, tmp_path_factory.mktemp("gpkg") / "sites.gpkg")
    read = pyogrio.read_dataframe(path, layer="sites")
    assert read.crs.to_epsg() == 4326
    wanted = sites.copy()
    wanted["geometry"] = gpd.GeoSeries(
        np.where(is_located(sites), sites.geometry.to_numpy(), None), index=sites.index, crs=4326
    )
    wanted["as_of"] = wanted["as_of"].dt.normalize()
    assert make_sites(read[COLUMNS]).equals(make_sites(wanted))


def test_a_geopackage_has_dates_and_no_write_ahead_log(tmp_path):
    path = write_gpkg(_mixed(), tmp_path / "sites.gpkg")
    kinds = dict(
        zip(*(pyogrio.read_info(path)[name] for name in ("fields", "dtypes")), strict=True)
    )
    assert (kinds["as_of"], kinds["fictitious"], kinds["version"]) == (
        "datetime64[D]",
        "bool",
        "int64",
    )
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert [p.name for p in tmp_path.iterdir()] == ["sites.gpkg"]


def test_what_xml_cannot_hold_does_not_cut_a_name_short(tmp_path):
    path = write_gpkg(_named("甲\x00乙"), tmp_path / "sites.gpkg")
    assert pyogrio.read_dataframe(path)["name"].tolist() == ["甲\ufffd乙"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_gpkg(make_grid(3), tmp_path / "sites.gpkg")
    before = path.read_bytes()

    def fail(path, *_, **__):
        path.write_bytes(b"half")
        raise pyogrio.errors.DataSourceError(f"disk full: {path}")

    monkeypatch.setattr(pyogrio.raw, "write", fail)
    with pytest.raises(ExportError, match=r"sites\.gpkg") as error:
        write_gpkg(make_grid(4), path)
    assert str(tmp_path) not in str(error.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["sites.gpkg"]


def test_a_folder_that_is_not_there_is_an_export_error(tmp_path):
    with pytest.raises(ExportError, match=r"sites\.gpkg cannot be written"):
        write_gpkg(_mixed(), tmp_path / "none" / "sites.gpkg")


def test_a_store_in_use_is_not_written_over(tmp_path):
    path = tmp_path / "store.gpkg"
    path.write_bytes(b"store")
    path.with_name("store.gpkg-wal").touch()
    with pytest.raises(ExportError, match="in use"):
        write_gpkg(_mixed(), path)
    assert path.read_bytes() == b"store"
