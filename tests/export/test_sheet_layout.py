"""Nothing is lost on the way to the sheet, and nothing covers anything else."""

import numpy as np
import pytest
import shapely
from export_samples import OUTLINE, make_grid, make_site
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.export.frame import PRESETS
from geo.export.layout import (
    FOOTER,
    LINE,
    MAX_NAMES,
    MAX_NUMBERS,
    PAGE_TOP,
    SCALE_HEIGHT,
    TableRow,
    cut_middle,
    page_column,
    page_columns,
    page_lines,
    short_name,
    table_lines,
    text_width,
)
from geo.site import make_sites


@pytest.mark.parametrize("count", [0, 1, MAX_NAMES, MAX_NAMES + 1, 120, MAX_NUMBERS + 50])
@pytest.mark.parametrize("missing", [0, 1, 90])
def test_on_the_map_and_missing_are_the_whole_selection(lay, count, missing):
    sites = make_grid(count, missing)
    if sites.empty:
        return
    first = lay(sites)[0]
    assert sorted([*first.on_map, *first.missing]) == sorted(sites["site_id"])
    assert {s.site_id for s in first.symbols} == set(first.on_map)


def test_more_sites_than_numbers_can_tell_apart_are_left_to_the_table_export(lay):
    sheets = lay(make_grid(MAX_NUMBERS + 1, missing=3))
    assert not sheets[0].labels
    assert [row.number for sheet in sheets for row in sheet.table] == [0, 0, 0]


@pytest.mark.parametrize("count", [MAX_NAMES + 1, 200, MAX_NUMBERS])
@pytest.mark.parametrize("preset", ["16:9-1080", "a3"])
def test_the_table_lists_every_site_once_over_all_pages(lay, count, preset):
    sites = make_grid(count, missing=40)
    sheets = lay(sites, preset)
    listed = [row.site_id for sheet in sheets for row in sheet.table]
    assert sorted(listed) == sorted(sites["site_id"])
    assert [sheet.page for sheet in sheets] == list(range(1, len(sheets) + 1))
    assert {sheet.pages for sheet in sheets} == {len(sheets)}


def test_few_sites_carry_their_names_and_only_the_missing_are_listed(lay):
    (sheet,) = lay(make_grid(9, missing=2))
    assert {label.text for label in sheet.labels} == {f"甲{n}" for n in range(9)}
    assert [row.site_id for row in sheet.table] == ["s9", "s10"]


def test_many_sites_carry_the_number_that_the_table_gives_them(lay):
    sheets = lay(make_grid(60))
    numbers = {row.site_id: str(row.number) for sheet in sheets for row in sheet.table}
    assert sheets[0].labels
    for label in sheets[0].labels:
        assert label.text == numbers[label.site_id]


@given(
    st.lists(
        st.tuples(st.floats(123.15, 123.19), st.floats(41.24, 41.27), st.text(max_size=30)),
        min_size=1,
        max_size=30,
    )
)
def test_no_label_covers_a_symbol_another_label_or_the_edge(lay, places):
    sites = make_sites(
        make_site(n, lon, lat, name=f"甲{name}") for n, (lon, lat, name) in enumerate(places)
    )
    sheet = lay(sites)[0]
    for i, label in enumerate(sheet.labels):
        assert sheet.frame.box.contains(label.box)
        assert not any(label.box.overlaps(other.box) for other in sheet.labels[i + 1 :])
        for symbol in sheet.symbols:
            inside = (
                label.box.x < symbol.x < label.box.right
                and label.box.y < symbol.y < label.box.bottom
            )
            assert not inside
    assert len(sheet.labels) + len(sheet.dropped) == len(places)


def test_the_legend_holds_what_is_on_the_map_and_nothing_else(lay):
    rows = [
        make_site(0, 123.17, 41.26),
        make_site(1, 123.18, 41.25, status="stopped"),
        make_site(2),
    ]
    (sheet,) = lay(make_sites(rows))
    assert [(kind, [(r.label, r.count) for r in rs]) for kind, rs in sheet.legend] == [
        ("企业复工", [("已复工", 1), ("未复工", 1)])
    ]


def test_what_the_frame_leaves_out_is_missing_not_gone(lay):
    rows = [make_site(0, 123.17, 41.26), make_site(1, 123.21, 41.24)]
    (sheet,) = lay(make_sites(rows), bounds=(123.16, 41.255, 123.18, 41.265))
    assert sheet.on_map == ("s0",)
    assert sheet.missing == ("s1",)


def test_a_road_keeps_its_course_and_a_coarse_point_its_circle(lay):
    road = shapely.LineString([(123.16, 41.25), (123.17, 41.26), (123.18, 41.26)])
    rows = [
        make_site(0, geometry=road, kind="parking", status="planned", precision="road"),
        make_site(1, 123.17, 41.255, precision="community", uncertainty_m=300.0),
    ]
    (sheet,) = lay(make_sites(rows))
    (shape,), (symbol,) = sheet.shapes, sheet.symbols
    assert shape.dashed
    assert shape.parts[0].shape == (3, 2)
    assert symbol.approximate
    assert symbol.radius == pytest.approx(300 * sheet.frame.points_per_metre)
    assert sheet.rough


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("辽宁易发式电气设备有限公司", "易发式电气设备"),
        ("辽阳鸿宇晶体有限公司", "鸿宇晶体"),
        ("辽阳站", "辽阳站"),
        ("辽阳农商银行白塔支行", "辽阳农商银行白塔支行"),
        ("辽宁省辽阳市" + "甲" * 70 + "（东院）", "甲" * 11 + "…甲甲（东院）"),
    ],
)
def test_a_name_is_shortened_as_people_say_it(name, short):
    assert short_name(name, ("辽宁省", "辽阳市", "白塔区")) == short


def test_a_name_is_shortened_by_its_own_district_and_no_other():
    home = ("浙江省", "杭州市", "西湖区")
    assert short_name("杭州临平机械有限公司", home) == "临平机械"
    assert short_name("辽阳鸿宇晶体有限公司", home) == "辽阳鸿宇晶体"


def test_a_chinese_character_is_one_em():
    assert text_width("白塔", 10) == 20


def test_a_name_is_cut_where_it_tells_least():
    name = "演示项目·科技园养老服务中心（东院）04"
    cut = cut_middle(name, 8, 100)
    assert cut.startswith("演示项目")
    assert cut.endswith("…东院）04")
    assert text_width(cut, 8) <= 100
    assert cut_middle("辽阳站", 8, 100) == "辽阳站"


# ---- the locator -----------------------------------------------------------------------------------


def _small(lay, preset="16:9-1080", count=9):
    return lay(make_grid(count), preset, bounds=(123.15, 41.24, 123.17, 41.25))[0]


def test_a_frame_on_most_of_the_district_has_no_inset(lay):
    assert lay(make_grid(1))[0].inset is None


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_small_frame_has_an_inset_between_the_table_and_the_scale(lay, preset):
    sheet = _small(lay, preset)
    box = sheet.inset.box
    assert sheet.side.contains(box)
    assert box.bottom <= sheet.side.bottom - SCALE_HEIGHT
    assert sheet.rows_from < box.y
    assert box.contains(sheet.inset.window)


def test_the_window_of_an_inset_is_the_frame_at_the_scale_of_the_district(lay):
    sheet = _small(lay)
    west, south, east, north = sheet.frame.bounds
    x0, y0, x1, y1 = (
        np.concatenate(sheet.inset.rings).min(0).tolist()
        + np.concatenate(sheet.inset.rings).max(0).tolist()
    )
    left, bottom, right, top = OUTLINE.bounds
    window = sheet.inset.window
    assert (window.x - x0) / (x1 - x0) == pytest.approx((west - left) / (right - left), abs=1e-6)
    assert window.width / (x1 - x0) == pytest.approx((east - west) / (right - left), abs=1e-6)
    # Latitudes are stretched a little by the projection.
    assert window.height / (y1 - y0) == pytest.approx((north - south) / (top - bottom), rel=0.01)


def test_an_inset_that_would_cover_the_legend_is_left_out(lay):
    statuses = load_categories().statuses
    rows = [
        make_site(n, 123.16 + n / 4000, 41.245, kind=status.kind, status=status.code)
        for n, status in enumerate(statuses)
    ]
    sheet = lay(make_sites(rows), bounds=(123.155, 41.24, 123.17, 41.25))[0]
    assert len(sheet.on_map) == len(statuses)
    if sheet.inset is not None:
        assert sheet.rows_from < sheet.inset.box.y


# ---- labels of areas -------------------------------------------------------------------------------


def _area(shape, **more):
    return make_site(
        0, kind="project", status="building", geometry=shape, precision="poi", name="园区", **more
    )


def test_the_label_of_an_area_with_a_hole_stands_on_the_area(lay):
    area = shapely.box(123.15, 41.24, 123.19, 41.27) - shapely.box(123.152, 41.242, 123.18, 41.268)
    (sheet,) = lay(make_sites([_area(area)]))
    (label,) = sheet.labels
    middle = shapely.Point(label.box.x + label.box.width / 2, label.box.y + label.box.height / 2)
    drawn = shapely.transform(area, sheet.frame.to_sheet)
    assert drawn.contains(middle)
    assert drawn.boundary.distance(middle) > 20


def test_the_label_of_what_runs_out_of_the_frame_stands_where_it_is_seen(lay):
    road = shapely.LineString([(123.0, 41.26), (123.18, 41.26)])
    row = make_site(0, geometry=road, kind="parking", status="enforced", precision="road")
    bounds = (123.16, 41.25, 123.2, 41.27)
    for site in (row, _area(shapely.box(123.0, 41.25, 123.17, 41.265))):
        (sheet,) = lay(make_sites([site]), bounds=bounds)
        assert [label.site_id for label in sheet.labels] == ["s0"]


# ---- tables ----------------------------------------------------------------------------------------


def _row(number):
    return TableRow(number, f"s{number}", "甲", "已复工", "")


def test_the_missing_stand_under_a_heading_after_a_space():
    shown, absent = [_row(1), _row(2)], [_row(0), _row(0)]
    assert table_lines([*shown, *absent], "!") == [*shown, "", "!", *absent]
    assert table_lines(absent, "!") == ["!", *absent]
    assert table_lines(shown, "!") == shown


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_columns_of_a_page_hold_every_row_and_end_at_the_margin(lay, preset):
    sheets = lay(make_grid(390, missing=200), preset)
    for sheet in sheets[1:]:
        columns = page_columns(sheet)
        assert max(map(len, columns)) <= page_lines(sheet.preset)
        rows = [line for column in columns for line in column if not isinstance(line, str)]
        assert rows == list(sheet.table)
    foot = PAGE_TOP + (page_lines(sheets[0].preset) - 1) * LINE
    assert foot <= sheets[0].preset.height - FOOTER - 5
    last = page_column(sheets[0].preset, len(page_columns(sheets[1])) - 1)
    assert last[1] == pytest.approx(sheets[0].preset.width - 18)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_rows_beside_the_map_end_above_the_scale(lay, preset):
    sheet = lay(make_grid(60, missing=30), preset)[0]
    lines = table_lines(sheet.table, "!")
    assert lines
    foot = sheet.rows_from + (len(lines) - 1) * LINE
    assert foot <= sheet.side.bottom - SCALE_HEIGHT
