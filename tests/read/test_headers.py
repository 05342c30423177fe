"""Where a header stands, what columns hold, and what a person may change of it."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_files import write_xlsx

from geo.category import load_categories
from geo.errors import SchemaError, SourceError
from geo.read import Layout, inspect_source, open_source, read_source
from geo.read.cells import Fault, read_coordinate, read_pair
from geo.read.grid import Grid, GridRow
from geo.read.headers import CERTAIN, find_header, read_headings
from geo.read.layout import FIELDS, known_headings

CATEGORIES = load_categories()
KNOWN = known_headings(CATEGORIES)
MESSY = [
    ["白塔区企业复工情况统计表（截至2020年3月11日）"],
    [],
    [None, None, None, None, None, "单位：家"],
    ["序号", "企业名称", "坐标", None, "所属街道", "复工情况"],
    [None, None, "经度", "纬度"],
    [1, "甲公司", 123.17, 41.27, "南门街道", "停工"],
    [2, "乙公司", 123.18, 41.26, None, "复了"],
    ["合计", None, None, None, None, "2家"],
    ["填表人：张三", None, None, "审核人：李四"],
]
MERGED = ["A1:F1", "A4:A5", "B4:B5", "C4:D4", "E4:E5", "F4:F5", "E6:E7"]


@pytest.fixture
def messy(tmp_path):
    return write_xlsx(tmp_path / "三月.xlsx", MESSY, merge=MERGED)


def _csv(folder, text, name="a.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _find(*rows):
    grid = Grid("", [GridRow(n, n, list(row)) for n, row in enumerate(rows, start=1)])
    header = find_header(grid, KNOWN)
    return header, read_headings(grid, header)


# --- the header -----------------------------------------------------------------------------------


def test_a_messy_sheet_is_read_under_its_title_with_its_two_header_rows(messy):
    inspection = inspect_source(messy)
    assert inspection.layout.header_rows == (4, 5)
    assert [c.heading for c in inspection.columns] == [
        "序号", "企业名称", "坐标/经度", "坐标/纬度", "所属街道", "复工情况",
    ]  # fmt: skip
    assert inspection.layout.columns == {1: "name", 2: "x", 3: "y", 4: "street", 5: "status"}
    assert (inspection.layout.kind, inspection.layout.as_of) == ("enterprise", date(2020, 3, 11))
    assert inspection.asks == ("datum",)


def test_every_row_of_a_messy_sheet_is_told_and_none_is_lost(messy):
    layout = inspect_source(messy).layout
    report = read_source(messy, layout=layout)
    assert [(r.name, r.street, r.status, r.x, r.y) for r in report.records] == [
        ("甲公司", "南门街道", "stopped", 123.17, 41.27)
    ]
    assert [p.where for p in report.problems] == ["row 7"]
    assert [(p.where, p.message) for p in report.skipped] == [
        ("row 1", "above the header, not a site"),
        ("row 3", "above the header, not a site"),
        ("row 8", "a total, not a site"),
        ("row 9", "a note under the table, not a site"),
    ]
    assert report.ignored == ("序号",)


def test_titles_without_any_merged_cells_are_passed_over_too(tmp_path):
    text = "白塔区重点项目一览表,,\n,,单位：个\n项目名称,建设阶段,地点\n甲项目,在建,民主路\n备注：以实际为准,,\n"
    report = read_source(_csv(tmp_path, text))
    assert [(r.kind, r.name, r.status, r.place) for r in report.records] == [
        ("project", "甲项目", "building", "民主路")
    ]
    assert len(report.skipped) == 3


@pytest.mark.parametrize(
    ("rows", "header", "headings"),
    [
        ([["企业名称", "状态"], ["甲", "停工"]], (1,), ["企业名称", "状态"]),
        (
            [["企业名称", "位置坐标", ""], ["", "经度", "纬度"], ["甲", "123.1", "41.2"]],
            (1, 2),
            ["企业名称", "位置坐标/经度", "位置坐标/纬度"],
        ),
        ([["企业名称", "", ""], ["甲", "停工", "路"]], (1,), ["企业名称", "", ""]),
        ([["企业名称", "状态", "备注"], ["经度", "", ""]], (1,), ["企业名称", "状态", "备注"]),
        ([["甲", "乙"], ["丙", "丁"]], (), ["", ""]),
        # More cells that are headings do not make a header of a row that says one of them again and again.
        ([["企业名称", "状态"], ["x"] * 9], (1,), ["企业名称", "状态"]),
    ],
)
def test_a_second_header_row_only_fills_what_the_first_leaves_open(rows, header, headings):
    assert _find(*rows) == (header, headings)


def test_a_person_may_say_where_the_header_is_or_that_there_is_none(tmp_path):
    path = _csv(tmp_path, "甲公司,停工,2020-03-11\n乙公司,已复工,2020-03-12\n")
    with pytest.raises(SourceError, match="none of its columns is known"):
        read_source(path)
    guessed = inspect_source(path)
    assert guessed.layout.header_rows == ()
    assert guessed.layout.columns == {0: "name", 1: "status", 2: "as_of"}
    assert guessed.asks == ("kind",)
    layout = Layout(columns=guessed.layout.columns, kind="enterprise")
    report = read_source(path, layout=layout)
    assert [(r.name, r.status) for r in report.records] == [
        ("甲公司", "stopped"),
        ("乙公司", "resumed"),
    ]


# --- what a column holds --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "field", "datum"),
    [
        ("经度（GCJ-02）", "x", "gcj02"),
        ("百度纬度", "y", "bd09"),
        ("经度(°)", "x", ""),
        ("所属街道 ", "street", ""),
        ("状\n态", "status", ""),
        ("企业名称（全称）", "name", ""),
    ],
)
def test_a_heading_with_something_added_is_still_stated(tmp_path, heading, field, datum):
    rows = [["类型", heading], ["企业", "1"]]
    column = inspect_source(write_xlsx(tmp_path / "a.xlsx", rows)).columns[1]
    assert (column.field, column.datum) == (field, datum)
    assert column.confidence >= CERTAIN


@pytest.mark.parametrize(
    ("heading", "cells", "field"),
    [
        ("甲", ["123.17,41.27", "41.28 123.18"], "xy"),
        ("甲", ["2020-03-11", "2020/3/12"], "as_of"),
        ("甲", ["停工", "已复工"], "status"),
        ("甲", ["企业", "项目"], "kind"),
        ("甲", ["易发式电气设备有限公司", "农商银行"], "name"),
        ("甲", ["南门街道", "武圣街道"], "street"),
        ("甲", ["新华路17号", "民主路甲3号"], "place"),
        ("单位全称", ["a", "b"], "name"),
        ("企业目前状态描述", ["a", "b"], "status"),
        ("甲", ["a", "b"], ""),
    ],
)
def test_what_only_looks_like_something_is_a_guess_with_its_reason(tmp_path, heading, cells, field):
    rows = [["编号", heading], *([n, cell] for n, cell in enumerate(cells))]
    path = write_xlsx(tmp_path / "a.xlsx", rows)
    column = inspect_source(path).columns[1]
    assert column.field == field
    assert column.confidence < CERTAIN
    assert bool(column.why) == bool(field)


@pytest.mark.parametrize("heading", ["名称（街道）", "日期（下次检查）"])
def test_a_heading_with_another_meaning_in_brackets_is_only_a_guess(tmp_path, heading):
    rows = [["企业名称", "状态", heading], ["甲", "停工", "1"]]
    assert inspect_source(write_xlsx(tmp_path / "a.xlsx", rows)).columns[2].confidence < CERTAIN


def test_the_lower_of_two_header_rows_says_what_a_column_holds(tmp_path):
    rows = [
        ["企业名称", "复工情况", None, "坐标（高德）", None],
        [None, "是否复工", "复工时间", "经度", "纬度"],
        ["甲公司", "已复工", "2月10日", 123.17, 41.27],
    ]
    path = write_xlsx(tmp_path / "a.xlsx", rows, merge=["A1:A2", "B1:C1", "D1:E1"])
    report = read_source(path)
    assert [(r.status, r.as_of, r.x, r.datum) for r in report.records] == [
        ("resumed", None, 123.17, "gcj02")
    ]
    assert report.ignored == ("复工情况/复工时间",)


def test_a_type_that_is_no_kind_of_site_is_left_out_where_a_heading_says_the_kind(tmp_path):
    path = _csv(tmp_path, "企业名称,类型,状态\n甲公司,私营,停工\n")
    assert read_source(path).problems[0].message.startswith('kind "私营" is not one of')
    layout = inspect_source(path).layout
    assert layout.columns == {0: "name", 2: "status"}
    assert [r.kind for r in read_source(path, layout=layout).records] == ["enterprise"]


def test_a_guess_is_never_used_unless_a_person_confirmed_it(tmp_path):
    path = _csv(tmp_path, "企业名称,看看\n甲公司,停工\n")
    assert read_source(path).records[0].status == "unverified"
    layout = inspect_source(path).layout
    assert read_source(path, layout=layout).records[0].status == "stopped"


@pytest.mark.parametrize(
    ("first", "second", "columns"),
    [
        (("X坐标", "4571234.5"), ("Y坐标", "41514000.25"), {0: "name", 1: "y", 2: "x"}),
        (("X坐标", "514000.5"), ("Y坐标", "4571234.5"), {0: "name", 1: "x", 2: "y"}),
        (("甲", "41.27"), ("乙", "123.17"), {0: "name", 1: "y", 2: "x"}),
        (("甲", "41.27"), ("乙", "41.28"), {0: "name"}),
        (("甲", "12.5"), ("乙", "700.5"), {0: "name"}),
    ],
)
def test_two_number_columns_are_told_apart_by_range_only_when_that_is_certain(
    tmp_path, first, second, columns
):
    text = f"企业名称,{first[0]},{second[0]}\n甲公司,{first[1]},{second[1]}\n"
    assert inspect_source(_csv(tmp_path, text)).layout.columns == columns


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("123.17,41.27", (123.17, 41.27)),
        ("41.27 123.17", (123.17, 41.27)),
        ("（123.17，41.27）", (123.17, 41.27)),
        ("123.17、41.27", (123.17, 41.27)),
        ("4571234.5, 41514000", (41514000.0, 4571234.5)),
        ("514000 4571234", (514000.0, 4571234.0)),
        ("东经123°9′42.13″ 北纬41°16′45.86″", (123.16170277777778, 41.27940555555556)),
    ],
)
def test_two_coordinates_in_one_cell_come_out_longitude_first(text, pair):
    assert read_pair(text) == pytest.approx(pair, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["41.2,41.3", "123,124", "1,2", "123.17", "a,b", "41.27,514000", "1 2 3"]
)
def test_a_pair_that_does_not_tell_its_order_is_a_fault(text):
    with pytest.raises(Fault):
        read_pair(text)


@given(lon=st.floats(73, 136), lat=st.floats(3, 54), swap=st.booleans())
def test_any_pair_in_china_is_read_the_same_in_both_orders(lon, lat, swap):
    lon, lat = round(lon, 6), round(lat, 6)
    text = f"{lat:f},{lon:f}" if swap else f"{lon:f},{lat:f}"
    assert read_pair(text) == pytest.approx((lon, lat), abs=1e-9)


@pytest.mark.parametrize("text", ["123°60′1″", "123°1′60″", "123°x"])
def test_minutes_that_are_none_are_a_fault(text):
    with pytest.raises(Fault):
        read_coordinate(text)


# --- datum ----------------------------------------------------------------------------------------

_PLACES = "企业名称,经度,纬度\n甲,123.17,41.27\n乙,,\n"


def test_a_datum_nobody_states_is_asked_for_and_never_guessed(tmp_path):
    path = _csv(tmp_path, _PLACES)
    assert len(read_source(path).problems) == 1
    layout = inspect_source(path).layout
    assert (layout.datum, inspect_source(path).asks) == ("", ("datum",))
    report = read_source(path, layout=layout)
    assert [r.datum for r in report.records] == ["", ""]
    assert report.asks == ("datum",)


def test_a_datum_that_is_stated_once_holds_for_the_rows_with_coordinates(tmp_path):
    path = _csv(tmp_path, _PLACES.replace("经度", "高德经度"))
    report = read_source(path)
    assert [r.datum for r in report.records] == ["gcj02", ""]
    titled = _csv(tmp_path, f"统计表 坐标系：CGCS2000,,\n{_PLACES}", "b.csv")
    assert inspect_source(titled).layout.datum == "CGCS2000"


def test_a_row_may_state_another_datum_than_the_rest(tmp_path):
    path = _csv(tmp_path, "企业名称,经度,纬度,坐标系\n甲,123.17,41.27,百度\n乙,123.18,41.27,\n")
    layout = Layout.from_json(inspect_source(path).layout.to_json() | {"datum": "wgs84"})
    assert [r.datum for r in read_source(path, layout=layout).records] == ["百度", "wgs84"]


# --- status words ---------------------------------------------------------------------------------


def test_every_status_word_is_listed_unknown_ones_first_and_can_be_mapped(tmp_path):
    path = _csv(tmp_path, "企业名称,状态\n甲,停工\n乙,歇着\n丙,歇着\n丁,\n合计,3\n")
    inspection = inspect_source(path)
    assert [(m.word, m.rows, m.status, m.by) for m in inspection.status_words] == [
        ("歇着", 2, "", ""),
        ("停工", 1, "stopped", "categories"),
    ]
    assert len(read_source(path).problems) == 2
    layout = Layout.from_json(inspection.layout.to_json() | {"status_words": {"歇着": "stopped"}})
    report = read_source(path, layout=layout)
    assert [r.status for r in report.records] == ["stopped", "stopped", "stopped", "unverified"]
    assert {(m.word, m.status, m.by) for m in report.status_words} == {
        ("歇着", "stopped", "layout"),
        ("停工", "stopped", "categories"),
    }


def test_a_word_mapped_to_a_status_that_does_not_exist_is_a_problem(tmp_path):
    path = _csv(tmp_path, "企业名称,状态\n甲,歇着\n")
    layout = Layout(
        header_rows=(1,),
        columns={0: "name", 1: "status"},
        kind="enterprise",
        status_words={"歇着": "zzz"},
    )
    assert 'status "zzz"' in read_source(path, layout=layout).problems[0].message


# --- rows that are not sites ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        "合计,,3",
        "总 计,,3",
        "小计（家）,,3",
        "合计：3家,,",
        "备注：无,,",
        "填表人：张三,,审核：李四",
        "第1页,,",
        "合计,2个,",
        "类型,名称,状态",
    ],
)
def test_totals_and_notes_are_skipped_with_a_reason(tmp_path, row):
    report = read_source(_csv(tmp_path, f"类型,名称,状态\n企业,甲,停工\n{row}\n"))
    assert (len(report.records), report.problems, len(report.skipped)) == (1, [], 1)


@pytest.mark.parametrize(
    "row",
    [
        "企业,合计科技公司,停工",
        "企业,备注文具店,停工",
        "合计,乙公司,停工",
        "备注：见附件,乙公司,停工",
    ],
)
def test_what_has_a_name_is_never_taken_for_a_total(tmp_path, row):
    report = read_source(_csv(tmp_path, f"类型,名称,状态\n企业,甲,停工\n{row}\n"))
    assert (report.rows, report.skipped) == (2, ())


@given(
    rows=st.lists(
        st.lists(
            st.sampled_from(["", "合计", "备注：", "甲公司", "企业", "停工", "3", "填表人：a"]),
            min_size=3,
            max_size=3,
        ),
        max_size=10,
    )
)
def test_every_row_is_the_header_a_record_a_problem_or_skipped_with_a_reason(
    tmp_path_factory, rows
):
    text = "\n".join(",".join(row) for row in [["统计表", "", ""], ["类型", "名称", "状态"], *rows])
    report = read_source(_csv(tmp_path_factory.mktemp("a"), text))
    written = sum(any(cell for cell in row) for row in rows) + 1
    assert report.rows + len(report.skipped) == written
    assert all(problem.message for problem in report.skipped)


# --- layouts --------------------------------------------------------------------------------------

_LAYOUTS = st.builds(
    Layout,
    sheet=st.text(max_size=5),
    header_rows=st.lists(st.integers(-1, 30), max_size=2).map(tuple),
    columns=st.dictionaries(st.integers(0, 50), st.sampled_from(FIELDS), max_size=5),
    kind=st.sampled_from(["", "enterprise"]),
    datum=st.sampled_from(["", "高德"]),
    as_of=st.none() | st.dates(),
    status_words=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3),
    repair=st.booleans(),
    fingerprint=st.text("0123456789abcdef", max_size=16),
)


@given(layout=_LAYOUTS)
def test_a_layout_comes_back_from_json_as_it_was(layout):
    assert Layout.from_json(json.loads(json.dumps(layout.to_json()))) == layout


@pytest.mark.parametrize(
    "raw",
    [
        {"columns": {"0": "nonsense"}},
        {"columns": {"-1": "name"}},
        {"columns": {"x": "name"}},
        {"columns": [1]},
        {"as_of": "soon"},
        {"header_rows": ["a"]},
        {"header_rows": 3},
    ],
)
def test_a_layout_edited_into_nonsense_is_refused(raw):
    with pytest.raises(SchemaError, match="not a layout"):
        Layout.from_json(raw)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sheet": "其他"}, "no sheet or layer"),
        ({"header_rows": [7]}, "no row 7"),
        ({"columns": {"0": "name", "9": "note"}}, "column the table does not have"),
        ({"columns": {"0": "name", "1": "name"}}, "two columns are set to name"),
        ({"columns": {"0": "name", "1": "xy", "2": "x"}}, "in one column and in two"),
        ({"columns": {"1": "note"}}, "no column holds the name"),
        ({"kind": ""}, "what kind of site"),
        ({"kind": "zoo"}, '"zoo" is not one of'),
    ],
)
def test_a_layout_that_does_not_fit_the_table_is_refused_with_a_reason(tmp_path, change, said):
    path = _csv(tmp_path, "名称,状态,经度\n甲,停工,\n")
    raw = {"sheet": "", "header_rows": [1], "columns": {"0": "name"}, "kind": "enterprise"} | change
    with pytest.raises(SourceError, match=said):
        read_source(path, layout=Layout.from_json(raw))


def test_a_layout_is_remembered_by_its_headings_and_fits_the_next_table(tmp_path):
    first = inspect_source(_csv(tmp_path, "商号,看看\n甲公司,歇着\n"))
    kept = Layout.from_json(
        first.layout.to_json()
        | {
            "header_rows": [1],
            "columns": {"0": "name", "1": "status"},
            "kind": "enterprise",
            "status_words": {"歇着": "stopped"},
        }
    )
    kept = inspect_source(_csv(tmp_path, "商号,看看\n甲公司,歇着\n"), layout=kept).layout
    nxt = _csv(tmp_path, "四月统计表,\n商号,看看\n乙公司,歇着\n", "b.csv")
    at_two = Layout(header_rows=(2,))
    again = inspect_source(nxt, layout=at_two)
    assert again.fingerprint == kept.fingerprint
    report = read_source(nxt, layout=kept.adapt(at_two))
    assert [(r.name, r.status) for r in report.records] == [("乙公司", "stopped")]


def test_other_headings_have_another_fingerprint(tmp_path):
    prints = {
        inspect_source(_csv(tmp_path, f"{text}\n甲,乙\n")).fingerprint
        for text in ("企业名称,状态", "企业 名称,状态", "状态,企业名称", "企业名称,地址")
    }
    assert len(prints) == 3


def test_an_inspection_is_json_with_the_first_rows_as_they_stand(messy):
    raw = json.loads(json.dumps(inspect_source(messy).to_json(), ensure_ascii=False))
    assert raw["rows"][0] == [1, [MESSY[0][0], "", "", "", "", ""]]
    assert raw["sheets"][0] | {"rows": 8, "columns": 6} == raw["sheets"][0]
    assert raw["layout"]["header_rows"] == [4, 5]


def test_contents_opened_once_serve_the_inspection_and_the_reading(messy):
    contents = open_source(messy)
    layout = inspect_source(contents).layout
    messy.unlink()
    assert read_source(contents, layout=layout).rows == 2
