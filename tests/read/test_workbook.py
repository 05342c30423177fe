"""Workbooks as grids of text cells."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_files import write_xls, write_xlsx

from geo.category import load_categories
from geo.read import Layout, Limits, open_source, read_source
from geo.read.grid import Grid, GridRow, fill_merged, read_text_grid
from geo.read.headers import choose_grid

HEAD = ["企业名称", "状态", "编号", "日期"]


def _grid(path, **options):
    return open_source(path, sandboxed=False, **options).grids[0]


def _cells(path):
    return [row.cells for row in _grid(path).rows]


def test_cells_become_the_text_a_person_sees(tmp_path):
    rows = [
        ["文", "00123", " 甲 ", "一行\n两行"],
        [211002016, 123.1617, 0.5, -3],
        [True, False, None, "TRUE"],
        [datetime.date(2020, 3, 11), datetime.datetime(2020, 3, 11), datetime.time(8, 30), 43901],
        [datetime.datetime(2020, 3, 11, 8, 30), datetime.timedelta(hours=30), 1e20, 12345678901],
    ]
    assert _cells(write_xlsx(tmp_path / "a.xlsx", rows)) == [
        ["文", "00123", " 甲 ", "一行\n两行"],
        ["211002016", "123.1617", "0.5", "-3"],
        ["TRUE", "FALSE", "", "TRUE"],
        ["2020-03-11", "2020-03-11", "08:30:00", "43901"],
        ["2020-03-11 08:30:00", "1 day, 6:00:00", "100000000000000000000", "12345678901"],
    ]


def test_rows_are_numbered_as_a_spreadsheet_counts_with_gaps_above_and_between(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [[], [], [None, "甲"], [], [" "], ["乙"]])
    grid = _grid(path)
    assert [(row.number, row.cells) for row in grid.rows] == [(3, ["", "甲"]), (6, ["乙", ""])]
    assert grid.where(grid.rows[0]) == "row 3"


def test_an_old_workbook_reads_like_a_new_one(tmp_path):
    rows = [HEAD[:3], ["甲公司", "停工", 211002.0], ["乙公司", "已复工", "007"]]
    new = read_source(write_xlsx(tmp_path / "a.xlsx", rows))
    old = read_source(write_xls(tmp_path / "a.xls", rows))
    assert [(r.name, r.status, r.site_id) for r in old.records] == [
        (r.name, r.status, r.site_id) for r in new.records
    ]
    assert [r.site_id for r in old.records] == ["211002", "007"]


def test_leading_zeros_and_full_width_digits_survive_to_the_record(tmp_path):
    rows = [
        [*HEAD, "经度", "纬度", "坐标系"],
        ["甲", "停工", "００７", None, "１２３．１７", 41.27, "bd09"],
    ]
    (record,) = read_source(write_xlsx(tmp_path / "a.xlsx", rows)).records
    assert (record.site_id, record.x, record.y) == ("００７", 123.17, 41.27)


@pytest.mark.parametrize("cell", [datetime.date(2020, 3, 11), 43901, "43901", "2020年3月11日"])
def test_a_date_is_a_date_however_the_workbook_keeps_it(tmp_path, cell):
    path = write_xlsx(tmp_path / "a.xlsx", [HEAD, ["甲", "停工", 1, cell]])
    assert read_source(path).records[0].as_of == datetime.date(2020, 3, 11)


@pytest.mark.parametrize("cell", [29999, 60000, 43901.5, "2020-03-11 08:30:00"])
def test_a_number_that_is_hardly_a_date_is_a_problem(tmp_path, cell):
    report = read_source(write_xlsx(tmp_path / "a.xlsx", [HEAD, ["甲", "停工", 1, cell]]))
    assert "is not a date" in report.problems[0].message


def test_what_a_merged_cell_says_holds_for_all_its_rows(tmp_path):
    rows = [
        ["企业名称", "街道", "状态", "备注"],
        ["甲", "南门街道", "停工", "左"],
        ["乙", None, "已复工", None],
        ["丙", "武圣街道", "已复工"],
    ]
    path = write_xlsx(tmp_path / "a.xlsx", rows, merge=["B2:B3", "D2:D3"])
    report = read_source(path)
    assert [r.street for r in report.records] == ["南门街道", "南门街道", "武圣街道"]
    assert [r.note for r in report.records] == ["左", "左", ""]


def test_an_empty_cell_that_is_not_merged_stays_empty(tmp_path):
    rows = [["企业名称", "街道"], ["甲", "南门街道"], ["乙", None]]
    report = read_source(write_xlsx(tmp_path / "a.xlsx", rows))
    assert [r.street for r in report.records] == ["南门街道", ""]


@given(
    top=st.integers(1, 6), height=st.integers(0, 5), left=st.integers(0, 4), width=st.integers(0, 4)
)
def test_filling_merged_cells_writes_over_nothing_and_leaves_the_rest(top, height, left, width):
    rows = [
        GridRow(n, n, [f"{n}{c}" if (n + c) % 3 == 0 else "" for c in range(5)])
        for n in range(1, 7)
    ]
    grid = Grid("表", rows, merged=((top, left, top + height, left + width),))
    filled = fill_merged(grid, 1)
    origin = rows[top - 1].cells[left]
    for before, after in zip(rows, filled.rows, strict=True):
        for column, (old, new) in enumerate(zip(before.cells, after.cells, strict=True)):
            inside = top <= before.number <= top + height and left <= column <= left + width
            assert new == (old or (origin if inside else ""))


def test_the_sheet_with_the_table_is_taken_and_the_others_are_named(tmp_path):
    def more(book):
        book.create_sheet("企业").append(["企业名称", "状态"])
        book["企业"].append(["甲公司", "停工"])
        book.create_sheet("空")

    path = write_xlsx(
        tmp_path / "a.xlsx", [["填报须知"], ["本表由各街道填报"]], title="说明", change=more
    )
    report = read_source(path)
    assert [(r.name, r.source.where) for r in report.records] == [("甲公司", "企业, row 2")]
    assert report.warnings == ('sheet "说明" (2 rows) was not read',)


def test_a_sheet_can_be_chosen_even_if_it_is_hidden(tmp_path):
    def more(book):
        book.create_sheet("存档").append(["企业名称"])
        book["存档"].append(["乙公司"])
        book["存档"].sheet_state = "hidden"

    path = write_xlsx(tmp_path / "a.xlsx", [["企业名称"], ["甲公司"]], change=more)
    contents = open_source(path)
    assert choose_grid(contents, load_categories()).name == "表"
    layout = Layout(sheet="存档", header_rows=(1,), columns={0: "name"}, kind="enterprise")
    assert [r.name for r in read_source(contents, layout=layout).records] == ["乙公司"]


def test_a_sheet_that_is_too_long_is_refused_only_when_it_is_the_one_wanted(tmp_path):
    def more(book):
        book.create_sheet("长")
        for n in range(60):
            book["长"].append([f"{n}号"])

    path = write_xlsx(tmp_path / "a.xlsx", [["企业名称"], ["甲公司"]], change=more)
    report = read_source(path, limits=Limits(max_rows=20))
    assert (report.rows, report.warnings) == (1, ('sheet "长" (too many rows) was not read',))


@given(
    rows=st.lists(
        st.lists(st.text("甲乙ab1 |,;", max_size=4), min_size=3, max_size=3), min_size=2, max_size=6
    ),
    delimiter=st.sampled_from(",\t;|"),
)
def test_cells_without_separators_come_back_from_text_whatever_separates_them(rows, delimiter):
    rows = [
        ["企业名称", "状态", "地址"],
        *([c.translate({ord(d): None for d in ",;|"}) for c in r] for r in rows),
    ]
    text = "\n".join(delimiter.join(row) for row in rows)
    known = {"企业名称", "状态", "地址"}
    contents = read_text_grid(text.encode("gb18030"), "a.txt", known=known)
    written = [row for row in rows if any(cell.strip() for cell in row)]
    assert contents.delimiter == delimiter
    assert [row.cells for row in contents.grids[0].rows] == written
