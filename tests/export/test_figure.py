"""The picture itself: exact pixels, real text, every site once, no sign without a glyph."""

import io
import re
import time
import warnings
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib.image as mpimg
import numpy as np
import pytest
import shapely
from export_samples import make_grid, make_site, make_wording

from geo.export.figure import all_text, clipped, write_pdf, write_png, write_svg
from geo.export.fonts import _packaged_family, font_families, without_glyph
from geo.export.frame import PRESETS
from geo.export.layout import text_width
from geo.site import make_sites

HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}{# ${x} ` D:\\users $\\alpha$ & \"'"


def _pixels(png):
    return (mpimg.imread(io.BytesIO(png), format="png")[..., :3] * 255).round().astype(int)


@pytest.mark.parametrize("preset", ["16:9-720", "16:9-1080", "a4"])
def test_a_png_has_exactly_the_pixels_and_the_resolution_of_its_preset(lay, preset):
    png = write_png(lay(make_grid(4), preset)[0])
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    wanted = PRESETS[preset]
    assert (width, height) == (wanted.width_px, wanted.height_px)
    per_metre = int.from_bytes(png[(at := png.index(b"pHYs") + 4) : at + 4], "big")
    assert per_metre * 0.0254 == pytest.approx(wanted.dpi, abs=0.02)


def test_a_symbol_is_painted_where_its_site_is(lay):
    sheet = lay(make_sites([make_site(0, 123.17, 41.26, status="stopped")]))[0]
    (symbol,) = sheet.symbols
    pixels = _pixels(write_png(sheet))
    scale = sheet.preset.dpi / 72
    x, y, r = symbol.x * scale, symbol.y * scale, sheet.symbol_radius * scale
    # Beside the glyph in the middle, inside the disc: the fill of 未复工.
    assert pixels[round(y), round(x + 0.8 * r)].tolist() == [0xB3, 0x26, 0x1E]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 30])
def test_an_svg_names_each_site_once_and_keeps_its_text(lay, count):
    sheet = lay(make_grid(count))[0]
    svg = write_svg(sheet).decode()
    ids = re.findall(r'data-site="([^"]+)"', svg)
    assert sorted(ids) == sorted(sheet.on_map)
    texts = {node.text for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert "白塔区一张图" in texts
    assert {label.text for label in sheet.labels} <= texts
    assert "内部工作用图 请勿公开" in texts


def test_a_road_is_named_in_an_svg_too(lay):
    road = shapely.LineString([(123.16, 41.25), (123.18, 41.26)])
    rows = [make_site(0, geometry=road, kind="parking", status="enforced", precision="road")]
    svg = write_svg(lay(make_sites(rows))[0]).decode()
    assert re.findall(r'data-site="([^"]+)"', svg) == ["s0"]


def test_hostile_text_comes_out_as_text(lay):
    sites = make_sites([make_site(0, 123.17, 41.26, name=HOSTILE[:18])])
    svg = write_svg(lay(sites, wording=make_wording(title=HOSTILE))[0]).decode()
    tree = ET.fromstring(svg)
    texts = {node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert HOSTILE in texts
    assert not list(tree.iter("{http://www.w3.org/2000/svg}img"))
    assert "onerror=alert(1)>" not in svg


def test_a_pdf_has_a_page_for_each_sheet_and_text_in_it(lay):
    sheets = lay(make_grid(300))
    pdf = write_pdf(sheets)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", pdf)) == len(sheets) > 1
    assert b"/Font" in pdf


def test_the_same_sheet_gives_the_same_svg(lay):
    sheet = lay(make_grid(12))[0]
    assert write_svg(sheet) == write_svg(sheet)


def test_the_notice_of_invented_data_is_on_the_picture(lay):
    sheet = lay(make_grid(3), wording=make_wording(notice="演示数据（虚构）"))[0]
    assert "演示数据（虚构）" in all_text(sheet)
    assert "演示数据（虚构）" in write_svg(sheet).decode()


@pytest.mark.parametrize("text", ["白塔区", "䶮囧昇", "✓◐✕?", "±…·–「」ａ１"])
def test_no_character_is_without_a_glyph(text):
    assert not without_glyph(text, font_families(text))


def test_without_an_office_font_the_packaged_one_is_cut_and_used(monkeypatch, tmp_path, lay):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("geo.export.fonts.office_font", lambda: None)
    font_families.cache_clear()
    try:
        sheet = lay(make_sites([make_site(0, 123.17, 41.26, name="䶮囧昇")]))[0]
        families = font_families("".join(sorted(set(all_text(sheet)))))
        assert families[0].startswith("Baita ")
        assert not without_glyph("䶮囧昇", font_families("䶮囧昇"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a sign without a glyph is one
            picture = write_png(sheet)
        dark = (_pixels(picture).sum(axis=2) < 200).sum()
        assert dark > 2000  # words are drawn, not left out
        assert len(list(tmp_path.rglob("*.otf"))) >= 2
        assert not list(tmp_path.rglob("*.part"))
    finally:
        font_families.cache_clear()


def test_the_packaged_font_is_cut_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _packaged_family("白")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.otf")}
    _packaged_family("白")
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.otf")} == before


def test_bold_is_heavier_than_regular(monkeypatch, tmp_path):
    from matplotlib.figure import Figure

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    family = _packaged_family("塔")

    def ink(weight):
        figure = Figure(figsize=(1, 1))
        figure.text(0.2, 0.3, "塔", family=family, weight=weight, fontsize=40)
        target = io.BytesIO()
        figure.savefig(target, format="png")
        return (255 - _pixels(target.getvalue())).sum()

    assert ink("bold") > 1.15 * ink("normal")


def test_a_text_is_cut_to_its_room_with_an_ellipsis():
    assert clipped("白塔区", 10, 30) == "白塔区"
    assert clipped("白塔区一张图", 10, 40) == "白塔区…"


def test_thousands_of_symbols_are_all_drawn(lay):
    sheet = lay(make_grid(3000))[0]
    assert len(re.findall(r"data-site=", write_svg(sheet).decode())) == 3000
    assert np.unique(_pixels(write_png(sheet)).reshape(-1, 3), axis=0).shape[0] > 10


def test_what_no_file_can_hold_is_seen_to_be_missing_from_an_svg(lay):
    rows = [
        make_site(0, 123.17, 41.26, name="甲\x00\x08乙\ufffe丙\n丁"),
        make_site(1, name="戊\x0b"),
    ]
    svg = write_svg(lay(make_sites(rows))[0]).decode()
    texts = {node.text for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"甲\ufffd\ufffd乙\ufffd丙 丁", "戊\ufffd"} <= texts


def test_a_page_of_a_series_names_every_site_too_lit_or_grey(lay):
    (sheet,) = lay(make_grid(6))
    svg = write_svg(replace(sheet, lit=frozenset({"s1", "s4"}))).decode()
    assert sorted(re.findall(r'data-site="([^"]+)"', svg)) == sorted(sheet.on_map)
    assert len(re.findall('<g id="sites:', svg)) == 2


def test_a_grey_symbol_is_grey_and_a_lit_one_has_its_colour(lay):
    rows = [make_site(n, 123.15 + n / 20, 41.26, status="stopped") for n in range(2)]
    (sheet,) = lay(make_sites(rows))
    pixels = _pixels(write_png(replace(sheet, lit=frozenset({"s1"}))))
    scale, r = sheet.preset.dpi / 72, sheet.symbol_radius
    colours = {
        s.site_id: pixels[round(s.y * scale), round((s.x + 0.8 * r) * scale)].tolist()
        for s in sheet.symbols
    }
    assert colours == {"s0": [0xD5, 0xDA, 0xE0], "s1": [0xB3, 0x26, 0x1E]}


def test_the_inset_shows_the_frame_in_red(lay):
    (sheet, *_) = lay(make_grid(9), bounds=(123.15, 41.24, 123.17, 41.25))
    pixels, scale = _pixels(write_png(sheet)), sheet.preset.dpi / 72
    window = sheet.inset.window
    middle = round((window.y + window.height / 2) * scale)
    red = pixels[middle, round(window.x * scale) - 1 : round(window.x * scale) + 2]
    assert (red[:, 0] - red[:, 2]).max() > 80


def test_a_picture_of_another_resolution_has_other_pixels(lay):
    png = write_png(lay(make_grid(4))[0], dpi=36)
    assert (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) == (480, 270)


def test_two_pictures_at_a_time_do_not_disturb_each_other(lay):
    sheets = [lay(make_grid(n), wording=make_wording(title="䶮" * n))[0] for n in (2, 5)]
    alone = [write_svg(sheet) for sheet in sheets]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(write_svg, sheets * 4))
    assert together == alone * 4


def test_an_endless_name_takes_no_longer_than_a_long_one(lay):
    """Cut letter by letter, one cell of 40,000 characters would hold everybody's drawing up for minutes."""
    sites = make_sites(
        [make_site(n, 123.17, 41.26 + n / 1e3, name="甲" * 40_000) for n in range(30)]
    )
    begun = time.process_time()
    write_png(lay(sites, wording=make_wording(title="乙" * 40_000))[0])
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("room", [0, 5, 30, 31, 90, 1000])
def test_what_is_cut_is_the_longest_that_fits(room):
    text = "甲乙ab" * 9
    for n in range(len(text) + 1):
        if text_width(text[:n] + "…", 10) <= room:
            longest = text[:n] + "…"
    whole = text_width(text, 10) <= room
    assert clipped(text, 10, room) == (text if whole else longest if room > 9 else "…")


def test_a_byte_order_mark_within_a_name_is_no_failure_of_the_pdf(lay):
    sheets = lay(make_sites([make_site(0, 123.17, 41.26, name="\ufeff甲\ufeff乙")]))
    assert write_pdf(sheets).startswith(b"%PDF")
