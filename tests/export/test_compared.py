"""What has changed since an earlier day: rings on the map, what came and left in the legend, a list in the workbook."""

import io
import re

import openpyxl
import pandas as pd
import pytest
import shapely
from export_samples import lay_out_usual, make_site, make_wording
from pptx import Presentation

from geo.category import load_categories
from geo.export.colour import contrast, difference
from geo.export.figure import all_text, write_png, write_svg
from geo.export.layout import legend_height, light
from geo.export.paint import CHANGED, OUTSIDE, PAPER
from geo.export.slides import write_pptx
from geo.export.tables import write_xlsx
from geo.site import make_sites

CATEGORIES = load_categories()
ROAD = shapely.LineString([(123.16, 41.25), (123.18, 41.26)])
AREA = shapely.box(123.165, 41.262, 123.17, 41.266)
VISIONS = ("normal", "protan", "deutan", "tritan")


def _sites():
    return make_sites(
        [
            make_site(0, 123.17, 41.26),
            make_site(1, 123.18, 41.255, status="stopped"),
            make_site(2, 123.175, 41.25),
            make_site(3),
            make_site(4, geometry=ROAD, kind="parking", status="cleared", precision="road"),
            make_site(5, geometry=AREA, kind="project", status="building", precision="poi"),
        ]
    )


def _changed(sites, **old):
    """Return the changed rows of a table: their ids and the statuses before."""
    rows = sites[sites["site_id"].isin(list(old))]
    told = [old[site_id] for site_id in rows["site_id"]]
    return rows.assign(old_status=pd.Series(told, index=rows.index, dtype="str"))


OLD = {"s0": "partial", "s1": "", "s3": "stopped", "s4": "planned", "s5": "starting"}


@pytest.fixture(scope="module")
def sheet():
    sites = _sites()
    (first,) = lay_out_usual(sites, changed=_changed(sites, **OLD))
    return first


def _legend(sheet):
    return {row.status.key: (row.count, row.delta) for _, rows in sheet.legend for row in rows}


def test_the_legend_says_what_came_and_what_left_on_the_map(sheet):
    assert _legend(sheet) == {
        "enterprise.resumed": (2, "+1"),
        "enterprise.partial": (0, "−1"),
        "enterprise.stopped": (1, "+1"),  # s3 left it, but is not on the map
        "project.building": (1, "+1"),
        "project.starting": (0, "−1"),
        "parking.cleared": (1, "+1"),
        "parking.planned": (0, "−1"),
    }
    assert sheet.changed == {"s0", "s1", "s4", "s5"}
    assert sheet.changed_said == "绿圈：有变化 4 处"


def test_a_status_that_is_left_out_does_not_come_back_through_what_left_it():
    sites = _sites()
    hidden = frozenset({"enterprise.partial"})
    (sheet,) = lay_out_usual(sites, changed=_changed(sites, **OLD), hidden=hidden)
    assert "enterprise.partial" not in _legend(sheet)
    assert "parking.planned" in _legend(sheet)


def test_without_a_comparison_nothing_of_it_is_on_the_sheet():
    (sheet,) = lay_out_usual(_sites())
    assert sheet.changed is None
    assert sheet.changed_said == ""
    assert {delta for _, delta in _legend(sheet).values()} == {""}
    assert b"changed:" not in write_svg(sheet)


def test_a_comparison_without_changes_says_so():
    sites = _sites()
    (sheet,) = lay_out_usual(sites, changed=_changed(sites))
    assert sheet.changed_said == "绿圈：有变化 0 处"
    assert len(_legend(sheet)) == len(_legend(lay_out_usual(sites)[0]))
    assert legend_height(sheet) == legend_height(lay_out_usual(sites)[0]) + 19
    assert write_png(sheet)[:4] == b"\x89PNG"


def test_a_ring_is_around_each_changed_point_and_a_band_under_each_road_and_area(sheet):
    svg = write_svg(sheet).decode()
    assert set(re.findall(r'id="(changed:[^"]*)"', svg)) == {
        "changed:rings",
        "changed:s4",
        "changed:s5",
    }
    rings = svg[svg.index('id="changed:rings"') :]
    assert (
        rings[: rings.index("</g>")].count("<use") + rings[: rings.index("</g>")].count("<path")
        >= 2
    )
    assert svg.index('id="changed:s4"') < svg.index('data-site="s4"')
    assert "绿圈：有变化 4 处" in svg
    assert "+1" in svg


def test_a_slide_has_a_native_ring_for_each_and_the_same_numbers(sheet):
    (slide,) = Presentation(io.BytesIO(write_pptx([[sheet]]))).slides
    names, texts = set(), []
    shapes = list(slide.shapes)
    while shapes:
        shape = shapes.pop()
        names.add(shape.name)
        shapes += getattr(shape, "shapes", [])
        texts += [shape.text_frame.text] if shape.has_text_frame else []
    assert {f"changed:s{n}" for n in (0, 1, 4, 5)} <= names
    assert not {"changed:s2", "changed:s3"} & names
    assert texts.count("−1") == 3
    assert "绿圈：有变化 4 处" in texts


def test_on_a_page_of_a_series_only_what_is_lit_has_its_ring(sheet):
    (page,) = light([sheet], frozenset({"s0", "s2"}), make_wording())
    assert [s.site_id for s in page.symbols if page.is_ringed(s.site_id)] == ["s0"]
    assert b"changed:s4" not in write_svg(page)


def test_a_workbook_lists_what_changed_of_what_it_has():
    sites = _sites()
    changed = _changed(sites, **OLD)
    content = write_xlsx(
        sites[sites["site_id"] != "s4"],
        CATEGORIES,
        language="zh",
        wording=make_wording(),
        changed=changed,
    )
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["点位", "变化", "说明"]
    rows = [tuple(cell.value for cell in row) for row in book["变化"].iter_rows()]
    assert rows == [
        ("编号", "名称", "类别", "之前", "现在"),
        ("s0", "甲0", "企业复工", "部分/拟复工", "已复工"),
        ("s1", "甲1", "企业复工", "（新增）", "未复工"),
        ("s3", "甲3", "企业复工", "未复工", "已复工"),
        ("s5", "甲5", "重点项目", "待开工", "在建"),
    ]


def test_every_letter_of_the_comparison_has_a_font(sheet):
    assert set("+−绿圈有变化4") <= set(all_text(sheet))


def test_the_ring_has_a_colour_that_no_status_has_for_any_eye():
    fills = {status.fill for status in CATEGORIES.statuses}
    nearest = min(difference(CHANGED, fill, eye) for fill in fills for eye in VISIONS)
    assert nearest >= 9
    assert min(contrast(CHANGED, ground) for ground in (PAPER, OUTSIDE)) >= 3
