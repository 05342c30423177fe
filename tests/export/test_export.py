"""The one door: every format from the same selection, whole files or none, and a clear word when it cannot be."""

import re
import zipfile

import pytest
from export_samples import OUTLINE, make_grid, make_site, make_wording

from geo.category import load_categories
from geo.errors import ExportError
from geo.export import FORMATS, PRESETS, Picture, draw_series, export_selection
from geo.export.check import Basemap, check_sheets, refusals
from geo.site import make_sites


def _picture(sites, **more):
    return Picture(
        sites=sites,
        preset=PRESETS["16:9-720"],
        wording=make_wording(),
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
        assert len(sheet.lit) == 1
    assert pages[2][1][0].wording.title == "白塔区一张图 · 企业复工 · 未复工 1"


def test_a_series_of_pictures_is_a_zip_named_in_order(tmp_path):
    report = export_selection(_picture(_mixed()), "png", tmp_path / "周报.png", series=True)
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
    deck = export_selection(_picture(_mixed()), "pptx", tmp_path / "a.pptx", series=True).files[0]
    with zipfile.ZipFile(deck) as archive:
        slides = [n for n in archive.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", n)]
    assert len(slides) == 3
    pdf = export_selection(_picture(_mixed()), "pdf", tmp_path / "a.pdf", series=True).files[0]
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
    from datetime import date

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
