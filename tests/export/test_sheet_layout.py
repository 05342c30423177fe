"""Nothing is lost on the way to the sheet, and nothing covers anything else."""

import pytest
import shapely
from export_samples import make_grid, make_site
from hypothesis import given
from hypothesis import strategies as st

from geo.export.layout import MAX_NAMES, MAX_NUMBERS, short_name, text_width
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
        ("甲" * 80, "甲" * 17 + "…"),
    ],
)
def test_a_name_is_shortened_as_people_say_it(name, short):
    assert short_name(name) == short


def test_a_chinese_character_is_one_em():
    assert text_width("白塔", 10) == 20
