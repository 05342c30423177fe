"""A deck must show what the sheet says, name every site, and stay whole whatever a name holds."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import shapely
from export_samples import lay_out_usual, make_grid, make_site, make_wording
from hypothesis import given, settings
from lxml import etree
from PIL import Image
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from strategies import site_tables

from geo.category import load_categories
from geo.export import slides
from geo.export.frame import PRESETS
from geo.export.layout import short_name
from geo.export.slides import write_pptx
from geo.site import make_sites

CATEGORIES = load_categories()
HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}{# ${x} ` D:\\users </a:t>]]>&amp;"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"


def _open(deck):
    return Presentation(io.BytesIO(deck))


def _slides(sheets, **more):
    return list(_open(write_pptx([sheets], **more)).slides)


def _all_shapes(shapes):
    for shape in shapes:
        yield shape
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
            yield from _all_shapes(shape.shapes)


def _named(slide, prefix):
    return {
        shape.name.removeprefix(prefix): shape
        for shape in _all_shapes(slide.shapes)
        if shape.name.startswith(prefix)
    }


def _descr(shape):
    return shape._element.xpath(".//p:cNvPr")[0].get("descr")


def _noted_ids(slide):
    lines = slide.notes_slide.notes_text_frame.text.split("\n")
    on_map, missing = (json.loads(line) for line in lines if line.startswith("["))
    return on_map, missing


def _roots(deck):
    archive = zipfile.ZipFile(io.BytesIO(deck))
    wanted = "ppt/slides/slide", "ppt/notesSlides/notesSlide"
    return [etree.fromstring(archive.read(n)) for n in archive.namelist() if n.startswith(wanted)]


def _points(length):
    return length / 12700


def _is_within(shape, box, slack=0.01):
    return (
        _points(shape.left) >= box.x - slack
        and _points(shape.top) >= box.y - slack
        and _points(shape.left + shape.width) <= box.right + slack
        and _points(shape.top + shape.height) <= box.bottom + slack
    )


# ---- ids and counts ------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(sites=site_tables(min_size=1))
def test_every_selected_site_is_a_shape_on_the_map_or_among_the_missing(sites):
    sheets = lay_out_usual(sites)
    slide = _slides(sheets)[0]
    on_map, missing = _noted_ids(slide)
    drawn = [s.name for s in _all_shapes(slide.shapes) if s.name.startswith("site:")]
    assert sorted(drawn) == sorted(f"site:{site_id}" for site_id in on_map)
    assert sorted(on_map + missing) == sorted(sites["site_id"])
    assert (tuple(on_map), tuple(missing)) == (sheets[0].on_map, sheets[0].missing)


def test_the_legend_counts_what_is_drawn():
    rows = [make_site(n, 123.17, 41.26 + n / 1000) for n in range(3)]
    rows.append(make_site(3, 123.18, 41.26, status="stopped"))
    rows.append(make_site(4, 123.19, 41.26, kind="project", status="building"))
    rows.append(make_site(5))
    slide = _slides(lay_out_usual(make_sites(rows)))[0]
    groups = {s.name: s for s in slide.shapes if s.shape_type == MSO_SHAPE_TYPE.GROUP}
    counts = {key: int(s.text_frame.text) for key, s in _named(slide, "count:").items()}
    assert counts == {"enterprise.resumed": 3, "enterprise.stopped": 1, "project.building": 1}
    assert {key: len(list(groups[key].shapes)) for key in counts} == counts
    assert _named(slide, "counts")[""].text_frame.text == "上图 5 / 共 6"


def test_the_groups_say_in_words_what_they_hold():
    slide = _slides(lay_out_usual(make_grid(4)))[0]
    groups = {s.name: s for s in slide.shapes if s.shape_type == MSO_SHAPE_TYPE.GROUP}
    assert _descr(groups["enterprise.resumed"]) == "企业复工 · 已复工 · 4"
    assert _descr(_named(slide, "map")[""]) == "白塔区一张图 · 上图 4 / 共 4"
    assert _descr(_named(slide, "site:")["s0"]) == "甲0 · 已复工"


def test_no_two_shapes_of_a_slide_have_one_number():
    for root in _roots(write_pptx([lay_out_usual(make_grid(60, 3))])):
        numbers = [e.get("id") for e in root.iter(f"{P}cNvPr")]
        assert len(numbers) == len(set(numbers))


def test_the_table_beside_the_map_is_a_native_one_with_every_row():
    sheets = lay_out_usual(make_grid(30, 4))
    found = []
    for slide, sheet in zip(_slides(sheets), sheets, strict=True):
        rows = [row for s in slide.shapes if s.has_table for row in s.table.rows]
        texts = [[cell.text for cell in row.cells] for row in rows]
        listed = [row for row in texts if row[0] not in ("", "未上图清单")]
        assert [row[:2] for row in listed] == [
            [str(row.number) if row.number else "–", row.name] for row in sheet.table
        ]
        found += listed
    assert len(found) == 34
    assert sum(row[0] == "–" for row in found) == 4


def test_the_missing_stand_under_their_heading_clear_of_the_scale():
    sheet, *_ = lay_out_usual(make_grid(2, 90))
    (slide,) = _slides([replace(sheet, pages=1)])
    (frame,) = (s for s in slide.shapes if s.has_table)
    texts = [row.cells[0].text for row in frame.table.rows]
    assert texts == ["未上图清单"] + ["–"] * len(sheet.table)
    scale = _named(slide, "north arrow")[""]
    counts = _named(slide, "counts")[""]
    assert counts.top + counts.height < frame.top
    foot = _points(frame.top + frame.table.rows[0].height)
    assert foot == pytest.approx(sheet.rows_from, abs=0.01)  # where the figure has it
    assert frame.top + sum(row.height for row in frame.table.rows) < scale.top


# ---- text ----------------------------------------------------------------------------------------


def test_every_run_names_our_font_for_every_script_and_the_language():
    sheets = lay_out_usual(make_grid(40, 3), wording=make_wording(notice="演示数据（虚构）"))
    for root in _roots(write_pptx([sheets])):
        runs = list(root.iter(f"{A}r"))
        assert runs
        for run in runs:
            look = run.find(f"{A}rPr")
            fonts = [look.find(A + script).get("typeface") for script in ("latin", "ea", "cs")]
            assert fonts == ["Microsoft YaHei"] * 3
            assert look.get("lang") == "zh-CN"


def test_a_hostile_name_comes_back_as_it_is():
    rows = [make_site(0, 123.17, 41.26, name=HOSTILE), make_site(1, name="<&>'\"{{7*7}}")]
    wording = make_wording(title=HOSTILE)
    slide = _slides(lay_out_usual(make_sites(rows), wording=wording))[0]
    assert _descr(_named(slide, "site:")["s0"]) == f"{HOSTILE} · 已复工"
    assert _named(slide, "label:")["s0"].text_frame.text == short_name(HOSTILE)
    assert slide.shapes.title.text_frame.text.startswith(HOSTILE[:20])
    assert slide.notes_slide.notes_text_frame.text.startswith(HOSTILE)
    (table,) = (s.table for s in slide.shapes if s.has_table)
    assert table.cell(1, 1).text == "<&>'\"{{7*7}}"


def test_only_what_xml_cannot_hold_is_replaced_and_seen_to_be():
    name = "甲\x00\x08乙\x0b丙\ufffe丁\t😀"
    seen = "甲\ufffd\ufffd乙\ufffd丙\ufffd丁\t😀"
    title = f"{name}\ud800"  # which a site table cannot hold to begin with
    rows = [{**make_site(0, 123.17, 41.26, name=name), "site_id": "s\x010"}]
    sheets = [
        replace(s, wording=make_wording(title=title, notice=title))
        for s in lay_out_usual(make_sites(rows))
    ]
    slide = _slides(sheets)[0]
    assert _named(slide, "label:")["s\ufffd0"].text_frame.text == seen
    assert _descr(_named(slide, "site:")["s\ufffd0"]) == f"{seen} · 已复工"
    assert slide.shapes.title.text_frame.text.startswith(seen)
    assert _noted_ids(slide)[0] == ["s\x010"]


def test_a_label_left_of_its_symbol_ends_there_whatever_the_font():
    sites = make_sites([make_site(n, 123.17 + n * 1e-4, 41.26) for n in range(2)])
    sheets = lay_out_usual(sites)
    left = next(label for label in sheets[0].labels if label.box.right < sheets[0].symbols[0].x)
    shape = _named(_slides(sheets)[0], "label:")[left.site_id]
    assert shape._element.xpath(".//a:pPr/@algn") == ["r"]
    assert shape.text_frame.word_wrap is False


@pytest.mark.parametrize("length", [10, 500])
def test_a_title_leaves_room_for_notice_and_date(length):
    wording = replace(make_wording(title="标" * length, notice="演示" * length), subtitle="副" * 40)
    (slide,) = _slides(lay_out_usual(make_grid(1), wording=wording))
    title, notice = slide.shapes.title, _named(slide, "notice")[""]
    assert title.text_frame.text.startswith("标" * 10)
    assert title.left + title.width <= notice.left


# ---- what is drawn -------------------------------------------------------------------------------


def test_a_symbol_stands_where_the_sheet_says():
    sheets = lay_out_usual(make_grid(5))
    shapes = _named(_slides(sheets)[0], "site:")
    for symbol in sheets[0].symbols:
        shape = shapes[symbol.site_id]
        assert _points(shape.left + shape.width / 2) == pytest.approx(symbol.x, abs=0.001)
        assert _points(shape.top + shape.height / 2) == pytest.approx(symbol.y, abs=0.001)


def test_kind_is_read_from_the_shape_and_status_from_fill_and_glyph():
    rows = [
        make_site(0, 123.17, 41.26),
        make_site(1, 123.18, 41.26, kind="project", status="building"),
        make_site(2, 123.19, 41.26, status="unverified"),
    ]
    shapes = _named(_slides(lay_out_usual(make_sites(rows)))[0], "site:")
    looks = {
        site_id: (
            shape._element.xpath(".//a:prstGeom/@prst")[0],
            str(shape.fill.fore_color.rgb),
            shape.text_frame.text,
        )
        for site_id, shape in shapes.items()
    }
    assert looks == {
        "s0": ("ellipse", "08306B", "✓"),
        "s1": ("diamond", "764FAF", ""),
        "s2": ("ellipse", "FFFFFF", "?"),
    }


def test_an_approximate_place_is_hollow_dashed_and_in_its_circle_and_an_exact_one_is_not():
    rows = [
        make_site(0, 123.17, 41.26),
        make_site(1, 123.18, 41.26, precision="community", uncertainty_m=400.0),
    ]
    sheets = lay_out_usual(make_sites(rows))
    slide = _slides(sheets)[0]
    shapes, circles = _named(slide, "site:"), _named(slide, "uncertainty:")
    assert str(shapes["s1"].fill.fore_color.rgb) == "FFFFFF"
    assert shapes["s1"]._element.xpath(".//a:prstDash")
    assert not shapes["s0"]._element.xpath(".//a:prstDash")
    assert list(circles) == ["s1"]
    radius = 400 * sheets[0].frame.points_per_metre
    assert _points(circles["s1"].width) == pytest.approx(2 * radius, abs=0.01)
    assert circles["s1"]._element.xpath("./p:spPr/a:noFill")


def test_no_shape_has_a_shadow_or_another_effect_of_a_theme():
    sites = make_sites([*make_grid(3).to_dict("records"), _road(9)])
    slide = _slides(lay_out_usual(sites))[0]
    drawn = [s for s in _all_shapes(slide.shapes) if s._element.tag == f"{P}sp"]
    assert len(drawn) > 10
    assert not any(shape.shadow.inherit for shape in drawn)
    assert not slide.shapes._spTree.xpath(".//p:style")


def _road(n, west=123.15, east=123.2, *, status="enforced"):
    line = shapely.LineString([(west, 41.26), (east, 41.26)])
    return make_site(n, kind="parking", status=status, geometry=line, precision="road")


def test_a_road_is_a_line_with_a_white_casing_and_dashed_when_planned():
    sites = make_sites([_road(0), _road(1, 123.16, status="planned")])
    slide = _slides(lay_out_usual(sites))[0]
    roads, casings = _named(slide, "site:"), _named(slide, "casing:")
    assert [str(roads[i].line.color.rgb) for i in ("s0", "s1")] == ["B8006B", "B8006B"]
    assert [bool(roads[i]._element.xpath(".//a:prstDash")) for i in ("s0", "s1")] == [False, True]
    assert str(casings["s0"].line.color.rgb) == "FFFFFF"
    assert casings["s0"].line.width > roads["s0"].line.width


def test_nothing_runs_out_of_the_map():
    area = shapely.box(123.17, 41.2, 123.3, 41.262)
    rows = [
        _road(0, 123.0, 123.5),
        make_site(1, kind="project", status="building", geometry=area, precision="poi"),
        make_site(2, 123.171, 41.2601, precision="street", uncertainty_m=900.0),
    ]
    (sheet,) = lay_out_usual(make_sites(rows), bounds=(123.16, 41.255, 123.18, 41.265))
    slide = _slides([sheet])[0]
    names = "site:", "casing:", "uncertainty:", "outline", "neighbours"
    drawn = [s for name in names for s in _named(slide, name).values()]
    assert len(_named(slide, "site:")) == 3
    assert all(_is_within(shape, sheet.frame.box) for shape in drawn if shape.name != "site:s2")


def test_a_road_that_only_touches_the_map_is_there_all_the_same():
    (sheet,) = lay_out_usual(make_sites([_road(0)]))
    box = sheet.frame.box
    corner = np.array([(box.right, box.bottom), (box.right + 50, box.bottom + 50)])
    touching = replace(sheet, shapes=(replace(sheet.shapes[0], parts=(corner,)),))
    (road,) = _named(_slides([touching])[0], "site:").values()
    assert (_points(road.left), _points(road.top)) == pytest.approx((box.right, box.bottom))


def test_the_hole_of_an_area_stays_open():
    ring = shapely.box(123.16, 41.25, 123.19, 41.27)
    area = ring - shapely.box(123.17, 41.255, 123.18, 41.265)
    row = make_site(0, kind="project", status="building", geometry=area, precision="poi")
    (shape,) = _named(_slides(lay_out_usual(make_sites([row])))[0], "site:").values()
    (filled, drawn) = shape._element.xpath(".//a:path")
    assert [filled.get("stroke"), drawn.get("fill")] == ["0", "none"]
    assert len(filled.xpath("a:close")) == 2


def test_an_area_is_hatched_lightly_and_drawn_under_the_roads():
    area = shapely.box(123.16, 41.25, 123.19, 41.27)
    rows = [
        _road(0),
        make_site(1, kind="project", status="building", geometry=area, precision="poi"),
    ]
    slide = _slides(lay_out_usual(make_sites(rows)))[0]
    (pattern,) = _named(slide, "site:")["s1"]._element.xpath("./p:spPr/a:pattFill")
    assert pattern.get("prst") == "ltUpDiag"
    colours = [(e.getparent().tag, e.get("val")) for e in pattern.iter(f"{A}srgbClr")]
    assert colours == [(f"{A}fgClr", "764FAF"), (f"{A}bgClr", "FFFFFF")]
    names = [s.name for s in slide.shapes]
    assert names.index("project.building") < names.index("parking.enforced")


def test_the_inset_stands_where_the_sheet_says():
    (sheet, *_) = lay_out_usual(make_grid(9), bounds=(123.15, 41.24, 123.17, 41.25))
    slide = _slides([sheet])[0]
    (inset,) = _named(slide, "inset frame").values()
    window = sheet.inset.window
    place = [_points(v) for v in (inset.left, inset.top, inset.width, inset.height)]
    assert place == pytest.approx([window.x, window.y, window.width, window.height], abs=0.001)
    assert not _named(_slides(lay_out_usual(make_grid(1)))[0], "inset")


def test_a_status_of_which_some_sites_are_lit_has_two_groups():
    (sheet,) = lay_out_usual(make_grid(5))
    (slide,) = _slides([replace(sheet, lit=frozenset({"s1", "s2"}))])
    groups = [s for s in slide.shapes if s.name == "enterprise.resumed"]
    assert [len(list(group.shapes)) for group in groups] == [3, 2]


def test_on_a_page_of_a_series_what_is_lit_is_on_top_and_the_rest_grey():
    rows = [make_site(0, 123.17, 41.26), make_site(1, 123.18, 41.26, status="stopped")]
    (sheet,) = lay_out_usual(make_sites(rows))
    (slide,) = _slides([replace(sheet, lit=frozenset({"s0"}))])
    names = [s.name for s in slide.shapes if s.name.startswith("enterprise.")]
    assert names == ["enterprise.stopped", "enterprise.resumed"]
    shapes = _named(slide, "site:")
    fills = [str(shapes[i].fill.fore_color.rgb) for i in ("s0", "s1")]
    assert fills == ["08306B", "D5DAE0"]


# ---- many sites ----------------------------------------------------------------------------------


def _page_picture(sheet):
    """A page that is red where the map is and white elsewhere."""
    width, height = round(sheet.preset.width * 2), round(sheet.preset.height * 2)
    page, box = Image.new("RGB", (width, height), "white"), sheet.frame.box
    corners = [round(2 * v) for v in (box.x, box.y, box.right, box.bottom)]
    page.paste("red", tuple(corners))
    target = io.BytesIO()
    page.save(target, "PNG")
    return target.getvalue()


def test_the_map_of_five_thousand_sites_is_one_picture_of_the_map_alone():
    sheet, *_ = lay_out_usual(make_grid(5000, 2))
    (slide,) = _slides([sheet], pictures=_page_picture)
    (picture,) = (s for s in slide.shapes if s.shape_type == MSO_SHAPE_TYPE.PICTURE)
    box = sheet.frame.box
    place = picture.left, picture.top, picture.width, picture.height
    assert [_points(v) for v in place] == pytest.approx([box.x, box.y, box.width, box.height], 1e-4)
    with Image.open(io.BytesIO(picture.image.blob)) as image:
        assert image.getcolors() == [(image.width * image.height, (255, 0, 0))]
    assert not _named(slide, "site:")
    assert [s.text_frame.text for s in _named(slide, "count:").values()] == ["5000"]
    assert [len(ids) for ids in _noted_ids(slide)] == [5000, 2]


def test_the_picture_is_drawn_only_where_there_are_too_many_sites(monkeypatch):
    monkeypatch.setattr(slides, "MAX_NATIVE", 4)
    asked = []

    def draw(sheet):
        asked.append(len(sheet.symbols))
        return _page_picture(sheet)

    write_pptx([lay_out_usual(make_grid(4)), lay_out_usual(make_grid(5))], pictures=draw)
    assert asked == [5]


# ---- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_slide_has_the_size_of_the_sheet(preset):
    deck = _open(write_pptx([lay_out_usual(make_grid(2), preset)]))
    size = _points(deck.slide_width), _points(deck.slide_height)
    assert size == pytest.approx((PRESETS[preset].width, PRESETS[preset].height), abs=0.001)


def test_every_sheet_of_every_picture_is_a_slide_in_order():
    first, second = lay_out_usual(make_grid(200)), lay_out_usual(make_grid(2))
    deck = _open(write_pptx([first, second]))
    pages = [
        "".join(s.text_frame.text for s in slide.shapes if s.name == "page")
        for slide in deck.slides
    ]
    assert pages == [f"{n}/{len(first)}" for n in range(1, len(first) + 1)] + [""]


@pytest.mark.parametrize(("series", "words"), [([], "0 sheets"), ("two", "2 sizes")])
def test_sheets_of_no_size_or_two_are_refused(series, words):
    if series == "two":
        series = [lay_out_usual(make_grid(1), preset) for preset in ("a4", "a3")]
    with pytest.raises(ValueError, match=words):
        write_pptx(series)


def test_the_file_says_who_made_it_and_nothing_of_any_computer():
    deck = write_pptx([lay_out_usual(make_grid(2), wording=make_wording(title="某图"))])
    about = _open(deck).core_properties
    assert (about.title, about.author, about.last_modified_by) == (
        "某图",
        "Baita One Map",
        "Baita One Map",
    )
    archive = zipfile.ZipFile(io.BytesIO(deck))
    names = " ".join(archive.namelist())
    assert "printerSettings" not in names
    assert "thumbnail" not in names
    everything = b"".join(map(archive.read, archive.namelist()))
    for word in (b"Canny", b"Macintosh", b"/home/", b"/work/", b"/Users/", b"4x3"):
        assert word not in everything
