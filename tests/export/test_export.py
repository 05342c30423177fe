"""The one door: every format from the same selection, whole files or none, and a clear word when it cannot be."""

import io
import json
import os
import re
import stat
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from datetime import date

import numpy as np
import openpyxl
import pytest
import shapely
from export_samples import OUTLINE, make_grid, make_site, make_wording
from PIL import Image

from geo.category import load_categories
from geo.errors import ExportError
from geo.export import (
    FORMATS,
    PICTURES,
    PRESETS,
    TABLES,
    NotPublicError,
    Picture,
    draw_pages,
    draw_series,
    export_selection,
    file_name,
    render_selection,
    thumbnail,
    write_file,
)
from geo.export.check import Basemap, check_sheets, refusals
from geo.site import make_sites

APPROVED = Basemap("标准地图", False, approval="辽S(2020)1号", approved_until=date(2999, 1, 1))


def _picture(sites, preset="16:9-720", **more):
    return Picture(
        sites=sites,
        preset=PRESETS[preset],
        wording=more.pop("wording", None) or make_wording(),
        categories=load_categories(),
        outline=OUTLINE,
        **more,
    )


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_accounts_for_every_selected_site(form, tmp_path):
    sites = make_grid(6, missing=2)
    report = export_selection(_picture(sites), form, tmp_path / f"图.{form}")
    assert sorted([*report.on_map, *report.missing]) == sorted(sites["site_id"])
    assert report.missing == ("s6", "s7")
    assert [path.stat().st_size > 500 for path in report.files] == [True]
    assert sorted(tmp_path.iterdir()) == sorted(report.files)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_selected_says_so_and_writes_nothing(form, tmp_path):
    with pytest.raises(ExportError, match="nothing is selected"):
        export_selection(_picture(make_sites([])), form, tmp_path / f"a.{form}")
    assert not list(tmp_path.iterdir())


def test_all_sites_unlocated_still_make_a_picture_that_lists_them(tmp_path):
    report = export_selection(_picture(make_grid(0, missing=5)), "png", tmp_path / "a.png")
    assert report.on_map == ()
    assert next(finding.code for finding in report.findings) == "nothing_on_map"


def test_a_frame_that_shows_no_site_is_refused(tmp_path):
    picture = _picture(make_grid(4), bounds=(120.0, 40.0, 120.1, 40.1))
    with pytest.raises(ExportError, match="the frame shows none"):
        export_selection(picture, "png", tmp_path / "a.png")


def test_an_unknown_format_names_the_known_ones(tmp_path):
    with pytest.raises(ExportError, match=r"docx.*png, pdf, svg, pptx"):
        export_selection(_picture(make_grid(1)), "docx", tmp_path / "a.docx")


def test_a_full_disk_leaves_no_half_file_and_no_path_in_the_message(tmp_path, monkeypatch):
    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(ExportError, match="No space left") as caught:
        export_selection(_picture(make_grid(2)), "geojson", tmp_path / "a.geojson")
    assert str(tmp_path) not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays_as_it_was_when_the_new_one_fails(tmp_path, monkeypatch):
    target = tmp_path / "a.csv"
    target.write_text("old", encoding="utf-8")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(ExportError):
        export_selection(_picture(make_grid(2)), "csv", target)
    assert target.read_text(encoding="utf-8") == "old"


def test_cancelling_leaves_no_file(tmp_path):
    class Cancelled(Exception):
        pass

    def cancel(share):
        raise Cancelled

    with pytest.raises(Cancelled):
        export_selection(_picture(make_grid(3)), "png", tmp_path / "a.png", progress=cancel)
    assert not list(tmp_path.iterdir())


def _mixed():
    rows = [make_site(n, 123.15 + n / 100, 41.25) for n in range(3)]
    rows += [make_site(9, 123.19, 41.26, status="stopped"), make_site(10)]
    return make_sites(rows)


def test_a_series_keeps_frame_legend_and_numbers_and_lights_one_status_a_page():
    pages = draw_series(_picture(_mixed()))
    assert [name for name, _ in pages] == ["总览", "企业复工-已复工", "企业复工-未复工"]
    overview = pages[0][1][0]
    for _, (sheet, *_rest) in pages[1:]:
        assert sheet.frame == overview.frame
        assert sheet.legend == overview.legend
        assert sheet.symbols == overview.symbols
        assert len(sheet.lit_statuses) == 1
    assert pages[2][1][0].wording.title == "白塔区一张图 · 企业复工 · 未复工 1"


def test_a_series_of_pictures_is_a_zip_named_in_order(tmp_path):
    report = export_selection(_picture(_mixed()), "png", tmp_path / "周报.png", series="status")
    (path,) = report.files
    assert path.name == "周报.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [
            "01_总览_截至20200311.png",
            "02_企业复工-已复工_截至20200311.png",
            "03_企业复工-未复工_截至20200311.png",
        ]
        assert all(archive.read(name).startswith(b"\x89PNG") for name in archive.namelist())


def test_a_series_of_slides_and_of_pages_has_one_for_each(tmp_path):
    deck = export_selection(_picture(_mixed()), "pptx", tmp_path / "a.pptx", series="status").files[
        0
    ]
    with zipfile.ZipFile(deck) as archive:
        slides = [n for n in archive.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", n)]
    assert len(slides) == 3
    pdf = export_selection(_picture(_mixed()), "pdf", tmp_path / "a.pdf", series="status").files[0]
    assert len(re.findall(rb"/Type /Page\b", pdf.read_bytes())) == 3


def test_symbols_on_one_spot_are_found(tmp_path):
    rows = [make_site(n, 123.17, 41.26) for n in range(4)]
    report = export_selection(_picture(make_sites(rows)), "svg", tmp_path / "a.svg")
    assert [(f.code, f.count) for f in report.findings if f.code == "symbols_overlap"] == [
        ("symbols_overlap", 3)
    ]


def test_a_clean_picture_has_no_finding(lay):
    assert check_sheets(lay(make_grid(4))) == []


def test_the_outline_of_a_package_may_not_be_published():
    today = date(2020, 3, 11)
    assert refusals(Basemap("outline", own_boundaries=True), today) == [
        "own_boundaries",
        "no_approval",
    ]
    tiles = Basemap("osm", False, "https://tile.openstreetmap.org/{z}/{x}/{y}.png")
    assert refusals(tiles, today) == ["osm_tiles", "no_approval"]
    approved = Basemap("标准地图", False, approval="辽S(2020)1号", approved_until=date(2020, 3, 10))
    assert refusals(approved, today) == ["approval_expired"]
    assert refusals(approved, date(2020, 3, 10)) == []


# ---- the door of the web --------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_a_rendered_file_is_named_after_title_and_date_and_writes_nothing(
    form, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rendered = render_selection(_picture(make_grid(5, missing=1)), form)
    assert list(rendered.files) == [f"白塔区一张图_截至20200311.{form}"]
    assert len(rendered.report.on_map) == 5
    assert rendered.report.missing == ("s5",)
    assert not list(tmp_path.iterdir())


def test_several_pages_are_handed_out_as_one_zip():
    rendered = render_selection(_picture(make_grid(300)), "png")
    assert list(rendered.files)[1] == "白塔区一张图_截至20200311-2.png"
    name, data = rendered.as_one()
    assert name == "白塔区一张图_截至20200311.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == rendered.files


def test_one_file_is_handed_out_as_it_is():
    rendered = render_selection(_picture(make_grid(3)), "csv")
    assert {rendered.as_one()[0]: rendered.as_one()[1]} == rendered.files


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("CON", "_CON.png"),
        ("lpt1.map", "_lpt1.map.png"),
        ("../../etc/passwd", "etc-passwd.png"),
        ('a\\b:c*?"<>|d\n e.', "a-b-c-d-e.png"),
        ("白塔区\u202egnp.exe", "白塔区gnp.exe.png"),
        ("…\x00", "….png"),
        ("...", "一张图.png"),
        ("图" * 200, "图" * 60 + ".png"),
    ],
)
def test_a_file_name_is_safe_on_every_system(title, name):
    assert file_name(replace(make_wording(title=title), as_of=""), "png") == name


def test_what_was_true_is_a_series_by_status(tmp_path):
    report = export_selection(_picture(_mixed()), "svg", tmp_path / "a.svg", series=True)
    assert [path.name for path in report.files] == ["a.zip"]


def test_an_unknown_series_names_the_known_ones():
    with pytest.raises(ExportError, match="status, street"):
        render_selection(_picture(_mixed()), "png", series="colour")


# ---- streets --------------------------------------------------------------------------------------


def _by_street():
    streets = ["南门街道", "武圣街道", "", "南门街道", "武圣街道"]
    rows = [make_site(n, 123.15 + n / 100, 41.25, status="stopped") for n in range(4)]
    rows.append(make_site(4))
    return make_sites({**row, "street": street} for row, street in zip(rows, streets, strict=True))


def test_a_series_by_street_lights_each_street_and_last_what_has_none():
    overview, *streets = draw_series(_picture(_by_street(), labels="numbers"), "street")
    assert overview[0] == "总览"
    assert [name for name, _ in streets] == ["南门街道", "武圣街道", "未注明街道"]
    lit = [
        {s.site_id for s in sheets[0].symbols if sheets[0].is_lit(s.site_id)}
        for _, sheets in streets
    ]
    assert lit == [{"s0", "s3"}, {"s1"}, {"s2"}]
    listed = [[row.site_id for row in sheets[0].table] for _, sheets in streets]
    assert listed == [["s0", "s3"], ["s1", "s4"], ["s2"]]
    for _, (sheet,) in streets:
        assert (sheet.frame, sheet.legend, sheet.labels) == (
            overview[1][0].frame,
            overview[1][0].legend,
            overview[1][0].labels,
        )
    assert streets[0][1][0].wording.title == "白塔区一张图 · 南门街道 2"


def test_a_street_with_nothing_on_the_map_has_no_page():
    sites = _by_street()
    pages = draw_series(_picture(sites[sites["site_id"] != "s1"]), "street")
    assert [name for name, _ in pages] == ["总览", "南门街道", "未注明街道"]


def test_a_hostile_street_does_not_leave_the_zip():
    sites = _by_street().assign(street="../../x")
    rendered = render_selection(_picture(sites), "svg", series="street")
    with zipfile.ZipFile(io.BytesIO(rendered.as_one()[1])) as archive:
        assert archive.namelist() == ["01_总览_截至20200311.svg", "02_x_截至20200311.svg"]


# ---- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "texts", "rows"),
    [
        ("auto", {"甲0", "甲1", "甲2"}, ["s3"]),
        ("names", {"甲0", "甲1", "甲2"}, ["s3"]),
        ("numbers", {"1", "2", "3"}, ["s0", "s1", "s2", "s3"]),
        ("none", set(), ["s3"]),
    ],
)
def test_labels_are_what_was_asked_for(labels, texts, rows):
    (sheet,) = draw_pages(_picture(make_grid(3, missing=1), labels=labels))
    assert {label.text for label in sheet.labels} == texts
    assert [row.site_id for row in sheet.table] == rows


def test_unknown_labels_name_the_known_ones():
    with pytest.raises(ExportError, match="auto, names, numbers, none"):
        draw_pages(_picture(make_grid(3), labels="all"))


# ---- in public ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PICTURES)
def test_a_public_picture_on_our_own_outline_is_refused_and_says_why(form, tmp_path):
    with pytest.raises(NotPublicError, match="own_boundaries, no_approval") as caught:
        export_selection(_picture(make_grid(3), public=True), form, tmp_path / f"a.{form}")
    assert caught.value.reasons == ("own_boundaries", "no_approval")
    assert isinstance(caught.value, ExportError)
    assert not list(tmp_path.iterdir())


def test_a_thumbnail_of_a_public_picture_is_refused_too():
    with pytest.raises(NotPublicError):
        thumbnail(draw_pages(_picture(make_grid(3), public=True))[0], 320)


def test_an_approved_picture_bears_its_number():
    words = replace(make_wording(), marking="审图号：辽S(2020)1号")
    picture = _picture(make_grid(3), public=True, basemap=APPROVED, wording=words)
    (svg,) = render_selection(picture, "svg").files.values()
    assert "审图号：辽S(2020)1号" in svg.decode()
    expired = replace(APPROVED, approved_until=date(2020, 3, 10))
    with pytest.raises(NotPublicError) as caught:
        render_selection(replace(picture, basemap=expired), "svg")
    assert caught.value.reasons == ("approval_expired",)


@pytest.mark.parametrize("form", TABLES)
def test_a_table_has_no_basemap_to_be_approved(form):
    assert render_selection(_picture(make_grid(3), public=True), form).files


# ---- progress -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PICTURES)
def test_progress_is_told_before_every_page_and_can_end_the_work(form):
    told = []
    render_selection(_picture(_mixed()), form, series="status", progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert len(told) >= 3 + 3  # start, laid out, three pages, done

    class Cancelled(Exception):
        pass

    def cancel(share):
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        render_selection(_picture(_mixed()), form, series="status", progress=cancel)


# ---- ids read back --------------------------------------------------------------------------------


def test_an_svg_accounts_for_every_id_also_outside_the_frame():
    sites = make_grid(9, missing=2)
    picture = _picture(sites, bounds=(123.149, 41.239, 123.17, 41.255))
    (svg,) = render_selection(picture, "svg").files.values()
    tree = ET.fromstring(svg)
    drawn = [i for node in tree.iter() if (i := node.get("data-site")) is not None]
    (about,) = (
        json.loads(node.text) for node in tree.iter("{http://purl.org/dc/elements/1.1/}description")
    )
    assert sorted([*drawn, *about["missing"]]) == sorted(sites["site_id"])
    assert about["outside"]
    assert set(about["missing"]) - set(about["outside"]) == {"s9", "s10"}


def test_a_workbook_accounts_for_every_id():
    sites = make_grid(9, missing=2)
    (data,) = render_selection(_picture(sites), "xlsx").files.values()
    page = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    assert [row[0].value for row in list(page.rows)[1:]] == list(sites["site_id"])


# ---- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PICTURES)
def test_names_of_eighty_characters_make_a_picture(form):
    rows = [make_site(n, 123.16 + n / 400, 41.26, name=f"{n}" + "名" * 79) for n in range(9)]
    rows.append(make_site(9, name="名" * 80))
    report = render_selection(_picture(make_sites(rows)), form).report
    assert len(report.on_map) == 9
    assert report.missing == ("s9",)


def test_five_thousand_sites_in_one_block_are_all_on_the_picture():
    rows = [make_site(n, 123.17 + n % 70 * 1e-5, 41.26 + n // 70 * 1e-5) for n in range(5000)]
    rendered = render_selection(_picture(make_sites(rows)), "svg")
    (svg,) = rendered.files.values()
    assert len(re.findall(rb"data-site=", svg)) == 5000
    assert "symbols_overlap" in [finding.code for finding in rendered.report.findings]


@pytest.mark.parametrize("form", PICTURES)
def test_one_site_alone_is_shown_in_its_district(form):
    report = render_selection(_picture(make_grid(1)), form).report
    assert report.on_map == ("s0",)
    assert report.findings == ()


def test_a_site_far_outside_the_district_is_shown_without_an_inset():
    (sheet,) = draw_pages(_picture(make_sites([make_site(0, 125.0, 43.0)])))
    assert sheet.on_map == ("s0",)
    assert sheet.inset is None


def test_an_area_that_crosses_itself_is_drawn():
    bow = shapely.Polygon([(123.16, 41.25), (123.18, 41.27), (123.18, 41.25), (123.16, 41.27)])
    row = make_site(0, kind="project", status="building", geometry=bow, precision="poi")
    for form in PICTURES:
        assert render_selection(_picture(make_sites([row])), form).report.on_map == ("s0",)


# ---- thumbnail ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "height"), [("16:9-4k", 360), ("16:9-720", 360), ("a3", 453)])
def test_a_thumbnail_has_the_width_that_was_asked_for(preset, height):
    png = thumbnail(draw_pages(_picture(make_grid(4), preset))[0], 640)
    size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert size[0] == 640
    assert size[1] == pytest.approx(height, abs=1)


def test_a_thumbnail_is_the_same_picture_smaller():
    picture = _picture(make_sites([make_site(0, 123.17, 41.26, status="stopped")]))
    (full,) = render_selection(picture, "png").files.values()
    small = thumbnail(draw_pages(picture)[0], 640)
    images = [Image.open(io.BytesIO(png)).convert("RGB") for png in (full, small)]
    large = np.asarray(images[0].resize((640, 360), Image.Resampling.BOX), dtype=int)
    far = np.abs(large - np.asarray(images[1], dtype=int)).max(axis=2) > 120
    assert far.mean() < 0.005


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        with pytest.raises(ExportError, match="no ordinary file"):
            write_file(target, b"x")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pipe"]
