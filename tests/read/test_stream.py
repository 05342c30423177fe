"""A table that is read row by row says what the same table says when it is read whole."""

import gzip

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.errors import SourceError
from geo.read import read_source
from geo.read.stream import digest_source, find_encoding, open_stream
from geo.read.table import list_keys, read_part

CATEGORIES = load_categories()
HEADER = "编号,类型,名称,状态,日期,经度,纬度,坐标系,备注\n"
CELLS = st.one_of(
    st.sampled_from(
        ["", "企业", "甲公司", "已复工", "123.17", "41.26", "wgs84", "2020-03-11", "合计"]
    ),
    st.text(st.sampled_from('a,"\r\n\t 　一二'), max_size=6),
)


def _read_streamed(path):
    stream = open_stream(path, categories=CATEGORIES)
    return read_part(stream.head, list(stream.rows), categories=CATEGORIES)


def _assert_same(path):
    whole = read_source(path, categories=CATEGORIES, sandboxed=False)
    streamed = _read_streamed(path)
    assert streamed.records == whole.records
    assert streamed.problems == whole.problems
    assert streamed.rows == whole.rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("streams")


@given(
    rows=st.lists(st.lists(CELLS, min_size=8, max_size=10).map(",".join), max_size=8),
    ending=st.sampled_from(["", "\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
def test_a_text_table_says_the_same_row_by_row_as_whole(folder, rows, ending, encoding):
    path = folder / "register.csv"
    text = HEADER + (ending or "\n").join(rows) + ending
    path.write_bytes(text.encode(encoding))
    _assert_same(path)


def test_a_title_above_the_header_and_a_second_header_row_are_found_as_in_the_whole_table(folder):
    path = folder / "titled.csv"
    path.write_text(
        "复工情况表,,,\n" + "名称,类型,状态,备注\n" + "甲公司,企业,已复工,\n" * 1 + "合计,,1,\n",
        encoding="utf-8",
    )
    _assert_same(path)


def test_a_packed_table_says_what_the_table_says(folder):
    plain = folder / "plain.csv"
    plain.write_text(HEADER + "1,企业,甲公司,已复工,,123.17,41.26,wgs84,\n", encoding="utf-8")
    packed = folder / "plain.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    [record] = _read_streamed(packed).records
    assert (record.site_id, record.x, record.source.where) == ("1", 123.17, "row 2")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("no.csv", None, "cannot be read"),
        ("damaged.csv.gz", b"not gzip at all", "cannot be read"),
        ("broken.csv.gz", gzip.compress(HEADER.encode())[:10] + b"\xff" * 60, "cannot be read"),
        ("cut.csv.gz", gzip.compress(HEADER.encode() * 200)[:-9], "cannot be read"),
        ("nul.csv", HEADER.encode() + b"1,\0", "is not text"),
        ("book.xlsx", b"PK\x03\x04", "a bulk run reads"),
        ("broken.csv", HEADER.encode() * 3 + b"\xff\xe4" + "企业".encode(), "broken characters"),
        ("other.csv", b"\xff\xff\xff\x81", "neither UTF-8 nor GB18030"),
        ("none.csv", b"a,b\n1,2\n", "none of its columns is known"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, name, data, said):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SourceError, match=said):
        _read_streamed(path)


def test_the_encoding_is_the_one_of_the_whole_table(folder):
    path = folder / "late.csv"
    # The only character that tells stands beyond the first block.
    path.write_bytes(b"a" * 3_000_000 + "企业名称".encode("gb18030"))
    assert find_encoding(path) == "gb18030"


def test_parquet_says_what_the_csv_says_and_a_folder_what_its_files_say(tmp_path):
    table = pd.DataFrame(
        {
            "名称": ["甲公司", "乙公司", None, "丙公司"],
            "类型": ["企业", "企业", None, "不知"],
            "状态": ["已复工", "未复工", None, "已复工"],
            "日期": pd.to_datetime(["2020-03-11", None, None, "2020-03-12"]),
            "经度": [123.17, 123.2, None, 123.3],
            "纬度": [41.26, 41.27, None, 41.28],
            "坐标系": ["wgs84", "wgs84", None, "wgs84"],
        }
    )
    table.to_csv(tmp_path / "register.csv", index=False)
    table.to_parquet(tmp_path / "register.parquet", index=False)
    (tmp_path / "parts").mkdir()
    table[:2].to_parquet(tmp_path / "parts" / "a.parquet", index=False)
    table[2:].to_parquet(tmp_path / "parts" / "b.parquet", index=False)
    (tmp_path / "parts" / "_note.txt").write_text("no part")
    said = [
        [(r.site_id, r.status, r.as_of, r.x, r.datum, r.source.where) for r in read.records]
        + [(p.where, p.message) for p in read.problems]
        for read in map(
            _read_streamed, (tmp_path / n for n in ("register.csv", "register.parquet", "parts"))
        )
    ]
    assert said[0] == said[1] == said[2]
    assert [row[-2] for row in said[0][2:]] == ["row 5"]


def test_geoparquet_is_a_layer_in_its_own_crs(tmp_path):
    shapes = [
        shapely.Point(123.17, 41.26),
        shapely.LineString([(123.1, 41.2), (123.2, 41.3)]),
        None,
    ]
    table = {
        "名称": ["甲", "乙路", "丙"],
        "类型": ["企业", "停车整治", "企业"],
        "状态": ["已复工", "已清理", ""],
    }
    layer = gpd.GeoDataFrame(table, geometry=shapes, crs=4490)
    layer.to_parquet(tmp_path / "layer.parquet")
    read = _read_streamed(tmp_path / "layer.parquet")
    assert [(r.name, r.datum, r.x, len(r.path)) for r in read.records] == [
        ("甲", "cgcs2000", 123.17, 0),
        ("乙路", "cgcs2000", None, 2),
        ("丙", "", None, 0),
    ]


def test_keys_are_told_for_rows_that_can_be_a_record_and_for_no_other(folder):
    path = folder / "keys.csv"
    path.write_text(
        "编号,类型,名称,状态,路径,坐标系\n7,企业,甲,已复工,,\n7,企业,乙,已复工,,\n8,不知,丙,,,\n合计,,,2,,\n"
        "9,停车,丁路,已清理,123.1 41.2;123.2 41.3,wgs84\n",
        encoding="utf-8",
    )
    stream = open_stream(path, categories=CATEGORIES)
    keys = list_keys(stream.head, list(stream.rows), categories=CATEGORIES)
    assert keys == [(0, "7", False), (1, "7", False), (4, "9", True)]


def test_the_digest_is_another_one_after_any_change(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"1")
    first = digest_source(tmp_path)
    (tmp_path / "b.parquet").write_bytes(b"")
    second = digest_source(tmp_path)
    (tmp_path / "b.parquet").rename(tmp_path / "c.parquet")
    assert len({first, second, digest_source(tmp_path)}) == 3
