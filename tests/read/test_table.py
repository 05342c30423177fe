import contextlib
import csv
import io
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.errors import SourceError
from geo.read import Limits, ReadReport, read_claims, read_source
from geo.site import Claim, RowProblem, SiteRecord, Source

HEADER = "site_id,kind,name,status,as_of,place,street,x,y,datum,precision,uncertainty_m,path,note"
CHINESE = "名称,类型,状态,截至日期,地址,所属街道,经度,纬度,坐标系,备注"


def _write(folder, text, *, name="sites.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def _read_row(folder, **cells):
    """Read a file of one row: a sound one but for the cells given."""
    row = {"kind": "enterprise", "name": "甲公司", "status": "resumed"} | cells
    return _read_rows(folder, [row])


def _read_rows(folder, rows, *, delimiter=",", encoding="utf-8"):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return read_source(_write(folder, text.getvalue(), encoding=encoding))


def _only_problem(report):
    assert (report.rows, report.records) == (1, [])
    return report.problems[0].message


# --- what a good table gives ----------------------------------------------------------------------


def test_a_row_in_english_becomes_a_record_with_every_field(tmp_path):
    row = 'e1,enterprise,甲公司,resumed,2020-03-11,新华路1号,南门街道,123.18,41.27,bd09,poi,50,,"a, b"'
    report = read_source(_write(tmp_path, f"{HEADER}\n{row}\n"))
    assert report.records == [
        SiteRecord(
            kind="enterprise",
            name="甲公司",
            status="resumed",
            source=Source("sites.csv", "row 2"),
            site_id="e1",
            as_of=date(2020, 3, 11),
            place="新华路1号",
            street="南门街道",
            x=123.18,
            y=41.27,
            datum="bd09",
            precision="poi",
            uncertainty_m=50.0,
            note="a, b",
        )
    ]
    assert (report.problems, report.rows, report.claims) == ([], 1, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_chinese_table_reads_the_same_in_every_encoding_and_separator(
    tmp_path, encoding, delimiter
):
    text = f"{CHINESE}\n乙公司,企业,全面复工,2020年3月11日,民主路,武圣街道,123.17,41.26,高德,好\n"
    path = _write(tmp_path, text.replace(",", delimiter), encoding=encoding)
    (record,) = read_source(path).records
    assert (record.kind, record.status, record.name) == ("enterprise", "resumed", "乙公司")
    assert (record.as_of, record.street, record.note) == (date(2020, 3, 11), "武圣街道", "好")
    assert (record.x, record.y, record.datum) == (123.17, 41.26, "高德")
    assert record.site_id.startswith("ent-")


def test_columns_may_stand_in_any_order_and_unknown_ones_are_named(tmp_path):
    report = read_source(_write(tmp_path, "联系电话,状态,序号,名称,类型\n1,已复工,7,甲公司,企业\n"))
    assert (report.records[0].name, report.ignored) == ("甲公司", ("联系电话", "序号"))


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("企业名称", "enterprise"), ("项目名称", "project"), ("道路名称", "parking")],
)
def test_a_heading_that_says_the_kind_speaks_for_all_rows(tmp_path, heading, kind):
    assert read_source(_write(tmp_path, f"{heading}\n某某\n")).records[0].kind == kind


def test_a_row_may_still_say_its_own_kind(tmp_path):
    text = "企业名称,类型\n甲,\n乙,项目\n"
    kinds = [record.kind for record in read_source(_write(tmp_path, text)).records]
    assert kinds == ["enterprise", "project"]


def test_a_row_that_says_no_status_gets_the_one_for_not_known(tmp_path):
    assert _read_row(tmp_path, status="").records[0].status == "unverified"


def test_the_source_of_a_row_is_its_own_or_else_the_file_and_row(tmp_path):
    assert _read_row(tmp_path).records[0].source == Source("sites.csv", "row 2")
    own = {"source_file": "版面", "source_where": "第二段", "source_quote": "已复工"}
    assert _read_row(tmp_path, **own).records[0].source == Source("版面", "第二段", "已复工")


@pytest.mark.parametrize(
    "text",
    [
        "2020-03-11",
        "2020/3/11",
        "2020.3.11",
        "2020年3月11日",
        "２０２０年３月１１日",
        "2020-03-11 00:00:00",
    ],
)
def test_a_date_reads_the_same_in_every_way_of_writing_it(tmp_path, text):
    assert _read_row(tmp_path, as_of=text).records[0].as_of == date(2020, 3, 11)


def test_full_width_numbers_are_numbers(tmp_path):
    record = _read_row(tmp_path, x="１２３．１７", y="＋41.26", datum=" GCJ-02 ").records[0]
    assert (record.x, record.y, record.datum) == (123.17, 41.26, "GCJ-02")


def test_a_road_is_a_line_of_points(tmp_path):
    row = {"path": "123.17 41.26; 123.18 41.27;123.19 41.28;", "datum": "wgs84"}
    path = _read_row(tmp_path, kind="停车整治", status="已执法", **row).records[0].path
    assert path == ((123.17, 41.26), (123.18, 41.27), (123.19, 41.28))


@pytest.mark.parametrize(
    ("text", "fictitious"), [("1", True), ("是", True), ("0", False), ("", False)]
)
def test_a_row_can_say_that_it_is_invented(tmp_path, text, fictitious):
    assert _read_row(tmp_path, fictitious=text).records[0].fictitious is fictitious


HOSTILE = [
    "{{ 7*7 }}",
    "{% for x in ().__class__.__mro__ %}",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://x","y")',
    "@SUM(1)",
    "'; DROP TABLE sites; --",
    "a\u202eb",
    "![x](http://x)",
    "一行\n两行",
    '"引号", 逗号; 分号\t制表',
    "x\x1fend\x1fx",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_means_something_elsewhere_is_kept_letter_for_letter(tmp_path, text):
    record = _read_row(tmp_path, name=text, note=text, place=text, site_id=text).records[0]
    assert (record.name, record.note, record.place, record.site_id) == (text,) * 4


# --- what becomes a problem -----------------------------------------------------------------------


def test_an_unknown_status_names_the_file_the_row_the_value_and_the_choices(tmp_path):
    rows = "甲{0},企业,已复工\n" * 12
    text = "名称,类型,状态\n" + "".join(
        line.format(n) for n, line in enumerate(rows.splitlines(True))
    )
    report = read_source(_write(tmp_path, f"{text}乙,企业,已复公\n", name="sites_march.csv"))
    (problem,) = report.problems
    said = f"{problem.file}, {problem.where}: {problem.message}"
    assert said == (
        'sites_march.csv, row 14: status "已复公" is not one of 已复工, 部分/拟复工, 未复工, 待核实'
    )
    assert (len(report.records), report.rows) == (12, 13)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"name": ""}, "it has no name"),
        ({"name": "\u200b \u3000"}, "it has no name"),
        ({"kind": "商场"}, 'kind "商场" is not one of 企业复工, 重点项目, 停车整治'),
        ({"kind": ""}, 'kind "" is not one of'),
        ({"as_of": "3月11日"}, 'as_of "3月11日" is not a date like'),
        ({"as_of": "2020-02-30"}, 'as_of "2020-02-30" is not a date like'),
        ({"as_of": "11/3/2020"}, "is not a date like"),
        ({"as_of": "2020-03-11 08:30"}, "is not a date like"),
        ({"x": "123.17"}, "it has x but no y"),
        ({"y": "41.26"}, "it has y but no x"),
        ({"x": "123.17", "y": "41.26"}, "does not say which datum"),
        ({"path": "123.1 41.2;123.2 41.2"}, "does not say which datum"),
        ({"x": "123,17", "y": "41.26"}, 'x "123,17" is not a plain number'),
        ({"x": "1e2", "y": "41.26"}, "is not a plain number"),
        ({"x": "nan", "y": "41.26"}, "is not a plain number"),
        ({"x": "12²", "y": "41.26"}, "is not a plain number"),
        ({"x": "9" * 400, "y": "41.26"}, "is not a plain number"),
        ({"x": "١٢٣", "y": "41.26"}, "is not a plain number"),
        ({"precision": "exact"}, 'precision "exact" is not one of rooftop, poi'),
        (
            {"x": "1", "y": "1", "datum": "wgs84", "precision": "none"},
            "contradicts its coordinates",
        ),
        ({"uncertainty_m": "-5"}, "is negative"),
        ({"path": "123.1 41.2", "datum": "wgs84"}, "has one point"),
        ({"path": "123.1 41.2;123.2", "datum": "wgs84"}, 'path "123.2" is not a point'),
        ({"path": "123.1 41.2;;123.2 41.2", "datum": "wgs84"}, 'path "" is not a point'),
        ({"fictitious": "也许"}, "is not 1 or 0"),
        ({"status": "x" * 5000}, f'status "{"x" * 60}…" is not one of'),
    ],
)
def test_a_cell_that_cannot_be_read_is_a_problem_that_says_why(tmp_path, cells, said):
    assert said in _only_problem(_read_row(tmp_path, **cells))


def test_one_row_with_several_faults_is_one_problem_that_names_them_all(tmp_path):
    message = _only_problem(_read_row(tmp_path, name="", status="已复公", as_of="昨天"))
    assert all(part in message for part in ("no name", '"已复公"', '"昨天"'))


@pytest.mark.parametrize("row", ["甲公司,企业", "甲公司,企业,已复工,多", "甲公司,企业,已复工,"])
def test_a_row_of_another_length_than_the_header_is_a_problem(tmp_path, row):
    report = read_source(_write(tmp_path, f"名称,类型,状态\n乙,企业,已复工\n{row}\n"))
    assert [record.name for record in report.records] == ["乙"]
    assert report.problems[0].where == "row 3"
    assert "the header has 3" in report.problems[0].message


def test_rows_are_counted_as_a_spreadsheet_counts_and_lines_are_told_where_they_differ(tmp_path):
    text = '名称,类型,状态\n"甲\n乙",企业,已复工\n\n,,\n丙,企业,坏\n'
    report = read_source(_write(tmp_path, text))
    assert report.rows == 2
    assert [problem.where for problem in report.problems] == ["row 5 (line 6)"]


def test_a_second_row_of_the_same_id_is_a_problem_that_names_the_first(tmp_path):
    rows = [{"site_id": "a", "企业名称": name} for name in ("甲", "乙", "丙")]
    rows[2]["site_id"] = "b"
    report = _read_rows(tmp_path, rows)
    assert [record.name for record in report.records] == ["甲", "丙"]
    (problem,) = report.problems
    assert problem.where == "row 3"
    assert 'site_id "a" (乙) was already read in row 2' in problem.message


def test_a_site_named_twice_without_an_id_is_a_problem(tmp_path):
    report = _read_rows(tmp_path, [{"企业名称": "甲公司"}, {"企业名称": "甲 公司"}])
    assert (len(report.records), len(report.problems)) == (1, 1)


def test_a_row_that_failed_does_not_take_the_id(tmp_path):
    rows = [{"site_id": "a", "企业名称": "甲", "状态": status} for status in ("坏", "已复工")]
    report = _read_rows(tmp_path, rows)
    assert [record.source.where for record in report.records] == ["row 3"]


def test_a_quotation_mark_left_open_is_a_problem_and_not_a_name(tmp_path):
    text = '名称,类型,状态\n甲,企业,已复工\n乙,企业,"已复工\n丙,企业,已复工\n'
    report = read_source(_write(tmp_path, text))
    assert [record.name for record in report.records] == ["甲"]
    assert "never closed" in report.problems[0].message
    with pytest.raises(SourceError, match="first row is never closed"):
        read_source(_write(tmp_path, '名称,类型,"状态\n甲,企业,已复工\n'))


def test_a_row_that_looks_like_the_readers_own_end_mark_hides_nothing(tmp_path):
    assert read_source(_write(tmp_path, "企业名称\n甲\n\x1fend\x1f\n乙\n")).rows == 3


# --- what is no table at all ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n , ,\n", "is empty"),
        (b"PK\x03\x04rest", "is an Excel workbook"),
        (b"%PDF-1.7", "is a PDF"),
        (b"name,kind\n\x00\x01\x02", "is not text"),
        (b"name,kind\n\x80\xff\xff,enterprise\n", "neither UTF-8 nor GB18030"),
        (b"\xff\xfea", "broken characters"),
        ("甲,乙\n丙,丁\n".encode(), "none of its columns is known"),
        ("类型,状态\n企业,已复工\n".encode(), "no column holds the name"),
        ("名称,状态\n甲,已复工\n".encode(), "add a column 类型"),
        ("名称,企业名称\n甲,乙\n".encode(), "several columns hold a name"),
        ("企业名称,项目名称\n甲,乙\n".encode(), "several columns hold a name"),
        ("名称,类型,状态,阶段\n".encode(), '"状态" and "阶段" both mean status'),
        ("名称,类型\n甲公司在这里,企业\n".encode() + b"\xe7\x94,x\n", "the first in line 3"),
    ],
)
def test_a_file_that_is_no_table_says_what_it_is_and_what_to_do(tmp_path, raw, said):
    path = tmp_path / "bad.csv"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=r"^bad\.csv") as caught:
        read_source(path)
    assert said in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_or_a_missing_file_is_refused_without_telling_its_path(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name in ("folder.csv", "none.csv"):
        with pytest.raises(SourceError, match=f"^{name} is not there"):
            read_source(tmp_path / name)


@pytest.mark.parametrize("name", ["sites.et", "sites", "sites.csv.gz"])
def test_another_ending_is_refused_with_those_read_today(tmp_path, name):
    with pytest.raises(SourceError, match=r"Today these are: \.csv, \.tsv"):
        read_source(_write(tmp_path, CHINESE, name=name))


def test_a_header_without_rows_is_a_table_of_none(tmp_path):
    assert read_source(_write(tmp_path, CHINESE, name="SITES.TSV")).rows == 0


def test_too_many_bytes_or_rows_are_refused_and_just_enough_are_not(tmp_path):
    text = "企业名称\n甲\n乙\n"
    path, size = _write(tmp_path, text), len(text.encode())
    assert read_source(path, limits=Limits(max_bytes=size, max_rows=2)).rows == 2
    with pytest.raises(SourceError, match="is larger than"):
        read_source(path, limits=Limits(max_bytes=size - 1))
    with pytest.raises(SourceError, match="over 1 rows"):
        read_source(path, limits=Limits(max_rows=1))


def test_a_cell_without_end_is_refused_by_its_row(tmp_path):
    text = "企业名称\n甲\n" + "乙" * (csv.field_size_limit() + 1)
    with pytest.raises(SourceError, match="row 3: a cell has over"):
        read_source(_write(tmp_path, text))


# --- laws -----------------------------------------------------------------------------------------

_CELL = st.one_of(
    st.sampled_from(
        ["", "甲公司", "企业", "enterprise", "已复工", "123.1", "bd09", "2020-03-11", " "]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
_COLUMNS = ["name", "kind", "status", "as_of", "x", "y", "datum", "note"]


def _read_bytes(raw, name="sites.csv"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(raw)
        return read_source(path)


def _as_csv(rows, delimiter, quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    return text.getvalue()


@given(
    rows=st.lists(st.lists(_CELL, max_size=10), max_size=12),
    delimiter=st.sampled_from(",\t;"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_every_row_that_is_not_blank_is_a_record_or_a_problem(rows, delimiter, encoding):
    report = _read_bytes(_as_csv([_COLUMNS, *rows], delimiter, csv.QUOTE_ALL).encode(encoding))
    written = [row for row in rows if any(cell.strip() for cell in row)]
    assert report.rows == len(written) == len(report.records) + len(report.problems)
    told = [r.source.where for r in report.records] + [p.where for p in report.problems]
    assert len(set(told)) == len(written)


@given(text=st.text(st.sampled_from("甲企业已复工ab1 ,;\t\n\r\"'"), max_size=60))
def test_messy_text_is_counted_or_refused_and_never_crashes(text):
    try:
        report = _read_bytes(f"名称,类型,状态\n{text}".encode())
    except SourceError:
        return
    assert report.rows == len(report.records) + len(report.problems)
    assert report.rows > 0 or not text.strip(' ,;\t\n\r"')


@given(raw=st.binary(max_size=80))
def test_any_bytes_are_a_table_or_a_source_error(raw):
    for start in (b"", "企业名称,状态\n".encode(), "企业名称,状态\n".encode("gbk")):
        with contextlib.suppress(SourceError):
            _read_bytes(start + raw)


@given(
    names=st.lists(
        st.text("甲乙丙丁复工abcXYZ{}<>=\"',;|\n\t \u3000%$&\\", min_size=1, max_size=12)
        .map(str.strip)
        .filter(bool),
        max_size=8,
    ),
    delimiter=st.sampled_from(",\t;"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
)
def test_names_come_back_letter_for_letter_in_order(names, delimiter, encoding):
    rows = [[str(n), "企业", name] for n, name in enumerate(names)]
    report = _read_bytes(_as_csv([["编号", "类型", "名称"], *rows], delimiter).encode(encoding))
    assert [record.name for record in report.records] == names


# --- reports and claims ---------------------------------------------------------------------------


def test_a_report_whose_rows_do_not_add_up_cannot_be_made():
    with pytest.raises(ValueError, match="2 rows"):
        ReadReport([], [RowProblem("a.csv", "row 2", "x")], 2)


def test_another_district_brings_its_own_words(tmp_path):
    toml = tmp_path / "categories.toml"
    toml.write_text(
        '[[kind]]\ncode = "school"\nshape = "square"\nunknown = "open"\nsynonyms = ["学校"]\n'
        'label = { zh = "学校", en = "Schools" }\n'
        '[[kind.status]]\ncode = "open"\nfill = "#000000"\nlabel = { zh = "已开学", en = "Open" }\n',
        encoding="utf-8",
    )
    path = _write(tmp_path, "学校名称,状态\n白塔小学,已开学\n")
    (record,) = read_source(path, categories=load_categories(toml)).records
    assert (record.kind, record.status) == ("school", "open")


CLAIMS = (
    "claim_id,scope,sector,metric,role,value,unit,claim_kind,approx,as_of,source_file,source_where"
)


def test_a_claim_keeps_its_figure_its_unit_and_its_source(tmp_path):
    row = "S8,南门街道,,辖区企业,rate,81.03,%,fact,,2020-03-11,版面,第二段"
    assert read_claims(_write(tmp_path, f"{CLAIMS}\n{row}\n")) == [
        Claim(
            claim_id="S8",
            scope="南门街道",
            sector="",
            metric="辖区企业",
            role="rate",
            value=81.03,
            unit="%",
            as_of=date(2020, 3, 11),
            source=Source("版面", "第二段"),
        )
    ]


def test_a_claims_file_with_one_bad_row_is_refused_and_every_such_row_is_named(tmp_path):
    good = "a,区,,企业,total,48,户,fact,,,,"
    bad = ["b,区,,企业,sum,48,户,fact,,,,", "c,区,,企业,total,,户,fact,,,,", good, "d"]
    with pytest.raises(SourceError) as caught:
        read_claims(_write(tmp_path, "\n".join([CLAIMS, good, *bad]) + "\n"))
    said = str(caught.value)
    assert 'row 3: role "sum" is not one of total, resumed' in said
    assert "row 4: it has no value" in said
    assert 'row 5: claim "a" has a total already' in said
    assert "row 6: it has 1 cells" in said
